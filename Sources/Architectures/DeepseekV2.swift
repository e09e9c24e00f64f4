import Blueprint

/// DeepSeek V2: latent attention, dense layers first, then experts by softmax, chosen from the best groups
/// in the large model.
///
/// A group is ranked by its best expert. Reference: transformers/models/deepseek_v2/modeling_deepseek_v2.py
public enum DeepseekV2: Architecture {
  public static let names = ["DeepseekV2ForCausalLM"]
  public static let note = "DeepSeek V2, V2-Lite, V2.5, Coder V2"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let attention = try config.latentAttention(width: width, positions: 2048, isInterleaved: true)
    try config.require("mlp_bias", false, because: "the layers have no biases")
    let mlp = try config.mlp(width: width)
    try config.require(
      "norm_topk_prob", false,
      because: "the class and the models' own code disagree about what it does")
    var experts = try config.softmaxExperts(
      width: width, mlp.activation, countDefault: 64, sharedDefault: 2)
    experts.router.scale = try config("routed_scaling_factor", default: 1)
    experts.router.groups = try groups(config, experts)
    try config.require("moe_layer_freq", 1, because: "the class puts experts in every later layer")
    let sparse = try config.sparseLayers(depth: depth, denseDefault: 0)

    var blueprint = Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [experts] index in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"), sparse[index] ? experts : mlp)
    }
    blueprint.numbersLayers = true
    return blueprint
  }

  private static func groups(
    _ config: Config, _ experts: Experts
  ) throws(ConfigError) -> Router.Groups? {
    let method: String = try config("topk_method", default: "greedy")
    switch method {
    // The models' own configuration class misspells its default.
    case "greedy", "gready":
      config.ignore("n_group", "topk_group")
      return nil
    case "group_limited_greedy":
      let (count, perToken) = (experts.count, experts.router.perToken)
      guard
        var groups = try config.routerGroups(
          countDefault: nil, keptDefault: nil, experts: count, perToken: perToken)
      else { throw .missing(key: "n_group") }
      groups.ranked = 1
      return groups
    default:
      throw .unsupported(
        key: "topk_method", value: "\"\(method)\"",
        reason: "the ways known here are greedy and group_limited_greedy")
    }
  }
}
