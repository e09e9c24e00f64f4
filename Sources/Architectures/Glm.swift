import Blueprint

/// GLM-4 9B and GLM-Edge: Llama's block with biases on queries, keys and values and a fused MLP input.
///
/// Half of each head turns, neighbours in pairs. Reference: transformers/models/glm/modeling_glm.py
public enum Glm: Architecture {
  public static let names = ["GlmForCausalLM"]
  public static let note = "GLM-4 9B (-hf), GLM-Edge"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    try blueprint(config) { _ in nil }
  }

  /// The blueprint with norms on the layers' outputs.
  ///
  /// - Parameter after: the norm's name, for the attention's output and for the MLP's.
  static func blueprint(
    _ config: Config, after: (NormPlace) -> String?
  ) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1.5625e-7)
    let attention = try config.attention(
      width: width, groupsDefault: 2, headSizeDefault: 128, partial: 0.5, positions: 131_072,
      isInterleaved: true, inputBias: config("attention_bias", default: true))
    let mlp = try config.mlp(width: width, input: .stacked("mlp.gate_up_proj"))
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name) }

    return Blueprint(try config.frame(), final: norm("model.norm")) { _ in
      Residual(norm("input_layernorm"), attention, after: after(.afterAttention).map(norm))
      Residual(norm("post_attention_layernorm"), mlp, after: after(.afterMLP).map(norm))
    }
  }
}
