import Blueprint

/// gpt-oss: Mixtral's block with attention sinks and biases everywhere, every second layer windowed,
/// and experts whose gate is clamped: (up + 1) · gate · sigmoid(1.702 · gate).
///
/// Released in MXFP4, of which the plain tensors are the transposed form written down here.
/// Reference: transformers/models/gpt_oss/modeling_gpt_oss.py
public enum GptOss: Architecture {
  public static let names = ["GptOssForCausalLM"]
  public static let note = "gpt-oss 20B and 120B"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size", default: 2880)
    let (heads, groups, headSize) = try config.heads(
      width: width, groupsDefault: 8, headSizeDefault: 64)
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    let bias: Bool = try config("attention_bias", default: true)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try rotary(config, headSize: headSize), inputBias: bias, outputBias: bias)
    attention.sinks = "self_attn.sinks"
    let depth = try config.depth()
    let window = try config.window(default: 128)
    let sliding = try config.slidingLayers(depth: depth) ?? (0..<depth).map { $0 % 2 == 0 }

    let experts = try experts(config, width: width)
    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] index in
      Residual(
        Norm(width, eps: eps, "input_layernorm"), attention.windowed(sliding[index] ? window : nil))
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), experts)
    }
  }

  private static func rotary(_ config: Config, headSize: Int) throws(ConfigError) -> Rotary {
    // A repetition of the rotary's own length, of which the class reads nothing.
    config.ignore("initial_context_length")
    var rotary = try config.rotary(headSize: headSize, theta: 150_000, positions: 131_072)
    if !config.has("rope_scaling"), !config.has("rope_parameters") {
      rotary.scaling = .yarn(Rotary.Yarn(factor: 32, original: 4096, truncates: false))
    }
    return rotary
  }

  private static func experts(_ config: Config, width: Int) throws(ConfigError) -> Experts {
    let (count, perToken) = try config.experts(
      "num_local_experts", "num_experts", default: 128, perTokenDefault: 4)
    // The same number under an older name.
    try config.require(
      "experts_per_token", perToken,
      because: "it must be num_experts_per_tok, which the class reads")
    try config.require(
      "hidden_act", "silu", because: "the class has a gate of its own, whatever this key says")
    try config.require(
      "swiglu_alpha", 1.702, because: "no published model of the family has another gain")
    var router = Router(
      "mlp.router", .softmax, perToken: perToken, isNormalized: true,
      balance: try config("router_aux_loss_coef", default: 0.001))
    router.hasBias = true
    var experts = Experts(
      width, count: count, inner: try config.size("intermediate_size", default: 2880), .quickGelu,
      router: router,
      storage: .stacked(
        input: "mlp.experts.gate_up_proj", down: "mlp.experts.down_proj", isTransposed: true,
        alternates: true))
    experts.hasBias = true
    experts.limit = try config.positive("swiglu_limit", default: 7)
    experts.offset = 1
    return experts
  }
}
