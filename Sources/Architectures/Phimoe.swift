import Blueprint

/// Phi-3.5-MoE: LayerNorms, biases on attention and output, LongRoPE with stated magnitudes, and two
/// experts a token that a sparse mixer picks one after the other.
///
/// Reference: transformers/models/phimoe/modeling_phimoe.py; arXiv 2409.12136
public enum Phimoe: Architecture {
  public static let names = ["PhiMoEForCausalLM", "PhimoeForCausalLM"]
  public static let note = "Phi-3.5-MoE, Phi-tiny-MoE, Phi-mini-MoE"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    let bias: Bool = try config("attention_bias", default: false)
    var attention = try config.attention(
      width: width, groupsDefault: 8, theta: 1_000_000, positions: 131_072, inputBias: bias,
      outputBias: bias)
    attention.window = try config.window(default: nil)

    let (count, _) = try config.experts("num_local_experts", default: 16, perTokenDefault: 2)
    try config.require("num_experts_per_tok", 2, because: "the sparse mixer picks two experts")
    // Noise on the input while training.
    config.ignore("input_jitter_noise")
    let router = Router(
      "block_sparse_moe.gate",
      .sparseMixer(jitter: try config("router_jitter_noise", default: 0.01)), perToken: 2,
      isNormalized: false, balance: try config("router_aux_loss_coef", default: 0.001))
    let experts = Experts(
      width, count: count, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .silu), router: router,
      input: .gated(gate: "w1", up: "w3"), down: "w2", prefix: "block_sparse_moe.experts")

    let hasHeadBias: Bool = try config("lm_head_bias", default: false)
    let frame = try config.frame(
      names: Frame.Names(headBias: hasHeadBias ? "lm_head.bias" : nil))
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }
    return Blueprint(frame, final: norm("model.norm")) { [attention] _ in
      Residual(norm("input_layernorm"), attention)
      Residual(norm("post_attention_layernorm"), experts)
    }
  }
}
