import Blueprint

/// Qwen3 with experts: Qwen3's attention, and in most layers routed experts without a shared one.
///
/// Reference: transformers/models/qwen3_moe/modeling_qwen3_moe.py
public enum Qwen3Moe: Architecture {
  public static let names = ["Qwen3MoeForCausalLM"]
  public static let note = "Qwen3 30B-A3B, 235B-A22B, Coder"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let attention = try attention(config, width: width, eps: eps)
    let activation = try config.activation("hidden_act", default: .silu)
    let mlp = MLP(width, inner: try config.size("intermediate_size", default: 6144), activation)

    let (count, perToken) = try config.experts(
      "num_experts", "num_local_experts", default: 128, perTokenDefault: 8)
    let router = Router(
      "mlp.gate", .softmax, perToken: perToken,
      isNormalized: try config("norm_topk_prob", default: false),
      balance: try config("router_aux_loss_coef", default: 0.001))
    let experts = Experts(
      width, count: count, inner: try config.size("moe_intermediate_size", default: 768),
      activation, router: router)
    let sparse = try config.steppedSparseLayers(depth: try config.depth())

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) { index in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"), sparse[index] ? experts : mlp)
    }
  }

  private static func attention(
    _ config: Config, width: Int, eps: Double
  ) throws(ConfigError) -> Attention {
    let (heads, groups, headSize) = try config.heads(width: width, groupsDefault: 4)
    let bias: Bool = try config("attention_bias", default: false)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, positions: 32_768), inputBias: bias,
      outputBias: bias)
    attention.headNorms = HeadNorms(eps: eps)
    // The class windows all layers or none; it does not look at max_window_layers.
    config.ignore("max_window_layers")
    let isWindowed: Bool = try config("use_sliding_window", default: false)
    let window = try config.window(default: 4096)
    attention.window = isWindowed ? window : nil
    return attention
  }
}
