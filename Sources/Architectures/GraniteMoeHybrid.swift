import Blueprint

/// Granite 4: Granite's block with Mamba-2 layers in attention's place, experts or a plain MLP.
///
/// With Mamba layers it is a hybrid stack to Megatron: block i is its layers 2i and 2i + 1. Most have no
/// positions. Reference: transformers/models/granitemoehybrid/modeling_granitemoehybrid.py
public enum GraniteMoeHybrid: Architecture {
  public static let names = ["GraniteMoeHybridForCausalLM"]
  public static let note = "Granite 4.0 H and dense, 350M–Small"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let factors = try config.multipliers()
    try config.require("normalization_function", "rmsnorm", because: "the class has no other norms")
    // How fresh weights are drawn.
    config.ignore("init_method")
    let attention = try attention(config, width: width, factors)
    let isAttention = try attentionLayers(config, depth: depth)
    let mamba =
      isAttention.contains(false)
      ? try config.mamba(width: width, eps: eps, .bamba, prefix: "mamba") : nil
    if mamba == nil { config.ignoreMamba(.bamba) }
    let feedForward = try feedForward(config, width: width)

    var blueprint = Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      index in
      let mixer: any Layer = if let mamba, !isAttention[index] { mamba } else { attention }
      Residual(Norm(width, eps: eps, "input_layernorm"), mixer, scale: factors.residual)
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"), feedForward, scale: factors.residual)
    }
    blueprint.multiply(factors)
    return blueprint
  }

  private static func attention(
    _ config: Config, width: Int, _ factors: Multipliers
  ) throws(ConfigError) -> Attention {
    let key = "position_embedding_type"
    try config.require(key, "rope", "nope", because: "the class turns heads or has no positions")
    let kind: String = try config(key, default: "nope")
    let attention = try Granite.attention(config, width: width, factors)
    return kind == "rope" ? attention : attention.withoutRotation
  }

  /// Which blocks have attention, under either spelling of the list; none where there is no list.
  private static func attentionLayers(
    _ config: Config, depth: Int
  ) throws(ConfigError) -> [Bool] {
    for key in ["layer_types", "layers_block_type"] {
      let kinds = try config.attentionLayers(
        depth: depth, key: key, full: ["attention", "full_attention"],
        others: ["mamba", "linear_attention"])
      if let kinds { return kinds }
    }
    return Array(repeating: false, count: depth)
  }

  /// Experts beside the one for every token, or that one alone.
  private static func feedForward(_ config: Config, width: Int) throws(ConfigError) -> any Layer {
    let experts: Int = try config("num_local_experts", default: 8)
    try config.check("num_local_experts", experts, in: 0...4096)
    guard experts == 0 else {
      return try GraniteMoe.experts(config, width: width, sharedDefault: 1024)
    }
    config.ignore("intermediate_size", "num_experts_per_tok")
    return MLP(
      width, inner: try config.size("shared_intermediate_size", default: 1024),
      try config.activation("hidden_act", default: .silu),
      input: .stacked("shared_mlp.input_linear"), down: "shared_mlp.output_linear")
  }
}
