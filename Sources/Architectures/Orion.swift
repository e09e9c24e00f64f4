import Blueprint

/// Orion 14B: Llama's block with LayerNorms, which have biases, in place of RMS norms.
///
/// Reference: modeling_orion.py of the models' own repositories.
public enum Orion: Architecture {
  public static let names = ["OrionForCausalLM"]
  public static let note = "Orion 14B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    try config.require("attention_bias", false, because: "no model of this class has biases")
    let attention = try config.attention(width: width, positions: 4096)
    let mlp = try config.mlp(width: width)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    return Blueprint(try config.frame(), final: norm("model.norm")) { _ in
      Residual(norm("input_layernorm"), attention)
      Residual(norm("post_attention_layernorm"), mlp)
    }
  }
}
