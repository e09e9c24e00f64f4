import Blueprint

/// OLMoE: queries and keys normed over all heads together, and in every layer experts whose weights need
/// not sum to one.
///
/// Reference: transformers/models/olmoe/modeling_olmoe.py
public enum Olmoe: Architecture {
  public static let names = ["OlmoeForCausalLM"]
  public static let note = "OLMoE 1B-7B"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    let bias: Bool = try config("attention_bias", default: false)
    var attention = try config.attention(
      width: width, positions: 4096, inputBias: bias, outputBias: bias)
    attention.headNorms = HeadNorms(eps: eps, reach: .allHeads)
    // Behind the norms.
    if config.has("clip_qkv") { attention.clip = try config.positive("clip_qkv") }

    let (count, perToken) = try config.experts(
      "num_experts", "num_local_experts", default: 64, perTokenDefault: 8)
    let router = Router(
      "mlp.gate", .softmax, perToken: perToken,
      isNormalized: try config("norm_topk_prob", default: false),
      balance: try config("router_aux_loss_coef", default: 0.01))
    let experts = Experts(
      width, count: count, inner: try config.size("intermediate_size", default: 2048),
      try config.activation("hidden_act", default: .silu), router: router)

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), experts)
    }
  }
}
