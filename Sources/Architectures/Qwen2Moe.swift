import Blueprint

/// Qwen 1.5 and 2 with experts: Qwen2's attention, routed experts, and beside them one for every token
/// whose output a gate scales.
///
/// Reference: transformers/models/qwen2_moe/modeling_qwen2_moe.py
public enum Qwen2Moe: Architecture {
  public static let names = ["Qwen2MoeForCausalLM"]
  public static let note = "Qwen1.5-MoE-A2.7B, Qwen2-57B-A14B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let windows = try windows(config, depth: depth)
    let attention = try config.attention(
      width: width, groupsDefault: 16, positions: 32_768,
      inputBias: try config("qkv_bias", default: true))

    let activation = try config.activation("hidden_act", default: .silu)
    let mlp = MLP(width, inner: try config.size("intermediate_size", default: 5632), activation)
    let (count, perToken) = try config.experts(
      "num_experts", "num_local_experts", default: 60, perTokenDefault: 4)
    let router = Router(
      "mlp.gate", .softmax, perToken: perToken,
      isNormalized: try config("norm_topk_prob", default: false),
      balance: try config("router_aux_loss_coef", default: 0.001))
    let experts = Experts(
      width, count: count, inner: try config.size("moe_intermediate_size", default: 1408),
      activation, router: router,
      shared: .shared(
        width, inner: try config.size("shared_expert_intermediate_size", default: 5632),
        activation, prefix: "mlp.shared_expert"),
      sharedGate: "mlp.shared_expert_gate.weight")
    let sparse = try config.steppedSparseLayers(depth: depth)

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) { index in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention.windowed(windows[index]))
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"), sparse[index] ? experts : mlp)
    }
  }

  /// Where windows are switched on, every second of the first layers has one unless a list says other.
  private static func windows(_ config: Config, depth: Int) throws(ConfigError) -> [Int?] {
    let isOn: Bool = try config("use_sliding_window", default: false)
    let first: Int = try config("max_window_layers", default: 28)
    let listed = try config.slidingLayers(depth: depth)
    // Where windows are off, newer files say 0.
    guard isOn, let window = try config.window(default: 4096) else {
      config.ignore("sliding_window")
      return Array(repeating: nil, count: depth)
    }
    let sliding = listed ?? (0..<depth).map { $0 % 2 == 0 && $0 < first }
    return sliding.map { $0 ? window : nil }
  }
}
