import Blueprint

/// Falcon-H1: attention and a Mamba-2 layer side by side on one norm, then an MLP; factors everywhere.
///
/// Reference: transformers/models/falcon_h1/modeling_falcon_h1.py
public enum FalconH1: Architecture {
  public static let names = ["FalconH1ForCausalLM"]
  public static let note = "Falcon-H1 0.5B–34B"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    try config.require("attn_layer_indices", [Int](), because: "every block has attention")
    try config.require("mamba_use_mlp", true, because: "every block has an MLP")
    config.ignore("mlp_expansion_factor", "time_step_rank")
    let mamba = Residual(
      nil, try mamba(config, width: width, eps: eps),
      scale: try config("ssm_out_multiplier", default: 1),
      inputScale: try config("ssm_in_multiplier", default: 1))
    let attention = Residual(
      nil, try attention(config, width: width),
      scale: try config("attention_out_multiplier", default: 1),
      inputScale: try config("attention_in_multiplier", default: 1))
    var mlp = MLP(
      width, inner: try config.size("intermediate_size", default: 14_336),
      try config.activation("hidden_act", default: .silu),
      input: .gated(gate: "feed_forward.gate_proj", up: "feed_forward.up_proj"),
      down: "feed_forward.down_proj", bias: try config("mlp_bias", default: false))
    let factors = try factors(config, "mlp_multipliers", count: 2)
    mlp.gateScale = factors[0]

    let final = Norm(width, eps: eps, "model.final_layernorm")
    var blueprint = Blueprint(try config.frame(), final: final) { [mlp] _ in
      ParallelResidual(shared: Norm(width, eps: eps, "input_layernorm"), mamba, attention)
      Residual(Norm(width, eps: eps, "pre_ff_layernorm"), mlp, scale: factors[1])
    }
    blueprint.embeddingScale = try config("embedding_multiplier", default: 1)
    blueprint.logitScale = try config("lm_head_multiplier", default: 1)
    return blueprint
  }

  private static func attention(_ config: Config, width: Int) throws(ConfigError) -> Attention {
    let (heads, groups, headSize) = try config.heads(width: width, groupsDefault: 8)
    let bias: Bool = try config("attention_bias", default: false)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, positions: 8192), inputBias: bias,
      outputBias: bias)
    attention.keyScale = try config("key_multiplier", default: 1)
    return attention
  }

  private static func mamba(
    _ config: Config, width: Int, eps: Double
  ) throws(ConfigError) -> Mamba {
    var mamba = try config.mamba(width: width, eps: eps, .falcon, prefix: "mamba")
    // `mamba_proj_bias` is of the projection in front only.
    mamba.hasOutputBias = try config("projectors_bias", default: false)
    let gatesLast: Bool = try config("mamba_norm_before_gate", default: true)
    let hasNorm: Bool = try config("mamba_rms_norm", default: false)
    mamba.gating = hasNorm ? gatesLast ? .afterNorm : .thenNorm : .withoutNorm
    let factors = try factors(config, "ssm_multipliers", count: 5)
    mamba.scales.gate = factors[0]
    mamba.scales.x = factors[1]
    mamba.scales.b = factors[2]
    mamba.scales.c = factors[3]
    mamba.scales.step = factors[4]
    return mamba
  }

  private static func factors(
    _ config: Config, _ key: String, count: Int
  ) throws(ConfigError) -> [Double] {
    let factors: [Double] = try config(key, default: Array(repeating: 1, count: count))
    guard factors.count == count else {
      throw .contradiction("\(key) has \(factors.count) factors, not \(count)")
    }
    return factors
  }
}
