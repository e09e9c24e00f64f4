import Blueprint

/// Apertus: queries and keys normed per head, an MLP without a gate whose activation is learned.
///
/// Reference: transformers/models/apertus/modeling_apertus.py
public enum Apertus: Architecture {
  public static let names = ["ApertusForCausalLM"]
  public static let note = "Apertus 8B and 70B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    let bias: Bool = try config("attention_bias", default: false)
    try config.require("qk_norm", true, because: "the class always norms queries and keys")
    for key in ["post_norm", "mlp_bias"] {
      try config.require(key, false, because: "the class has none")
    }
    var attention = try config.attention(
      width: width, theta: 12_000_000, positions: 65_536, inputBias: bias, outputBias: bias)
    attention.headNorms = HeadNorms(eps: eps)
    if !config.has("rope_scaling"), !config.has("rope_parameters") {
      attention.rotary?.scaling = .llama3(factor: 8, low: 1, high: 4, original: 8192)
    }
    var mlp = try config.mlp(width: width, .xIELU, input: .plain("mlp.up_proj"))
    mlp.activationPrefix = "mlp.act_fn"

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention, mlp] _ in
      Residual(Norm(width, eps: eps, "attention_layernorm"), attention)
      Residual(Norm(width, eps: eps, "feedforward_layernorm"), mlp)
    }
  }
}
