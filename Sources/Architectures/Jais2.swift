import Blueprint

/// Jais 2: LayerNorms, biases everywhere, and an MLP without a gate that squares what is above 0.
///
/// Reference: transformers/models/jais2/modeling_jais2.py
public enum Jais2: Architecture {
  public static let names = ["Jais2ForCausalLM"]
  public static let note = "Jais 2 8B and 70B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("layer_norm_eps", default: 1e-5)
    let bias: Bool = try config("attention_bias", default: true)
    let attention = try config.attention(
      width: width, positions: 8192, inputBias: bias, outputBias: bias)
    let mlp = try config.mlp(
      width: width, .squaredReLU, input: .plain("mlp.up_proj"),
      bias: config("mlp_bias", default: true))
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    return Blueprint(try config.frame(), final: norm("model.norm")) { _ in
      Residual(norm("input_layernorm"), attention)
      Residual(norm("post_attention_layernorm"), mlp)
    }
  }
}
