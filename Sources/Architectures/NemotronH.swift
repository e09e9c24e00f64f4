import Blueprint

/// Nemotron-H, Nemotron Nano 2 and Nemotron 3: one layer a block, by a pattern of four kinds.
///
/// M Mamba-2, * attention without positions, - MLP with squared ReLU, E experts of the same sort. A
/// predictor of a further token is such a stack too, its layers numbered from 0 under `mtp`.
/// Reference: transformers/models/nemotron_h/modeling_nemotron_h.py
public enum NemotronH: Architecture {
  public static let names = ["NemotronHForCausalLM"]
  public static let note = "Nemotron-H, Nemotron Nano 2, Nemotron 3"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let pattern = try pattern(config)
    let eps: Double = try config.optional(anyOf: ["layer_norm_epsilon", "norm_eps"]) ?? 1e-5
    for key in ["attention_bias", "mlp_bias", "use_bias", "mamba_proj_bias"] {
      try config.require(key, false, because: "no published model of the family has such biases")
    }
    // Attention has no positions, whatever the file says.
    config.ignore("rope_theta", "partial_rotary_factor", "rope_parameters")
    let activation = try config.activation("mlp_hidden_act", default: .squaredReLU)

    let mamba = try config.mamba(width: width, eps: eps, .nemotron)
    let (heads, groups, headSize) = try config.heads(
      width: width, groupsDefault: 8, headSizeDefault: 128)
    let attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize, rotary: nil,
      projection: .separate(query: "mixer.q_proj", key: "mixer.k_proj", value: "mixer.v_proj"),
      output: "mixer.o_proj", buffers: [])
    let mlp = MLP(
      width, inner: try config.size("intermediate_size", default: 21_504), activation,
      input: .plain("mixer.up_proj"), down: "mixer.down_proj")
    let predicting = try predictorPattern(config)
    let experts = try experts(
      config, width: width, activation, isUsed: (pattern + predicting).contains(.experts))

    @BlockBuilder func layer(_ kind: Kind) -> [any Layer] {
      let norm = Norm(width, eps: eps, "norm")
      switch kind {
      case .mamba: Residual(norm, mamba)
      case .attention: Residual(norm, attention)
      case .mlp: Residual(norm, mlp)
      case .experts: if let experts { Residual(norm, experts) }
      }
    }
    let frame = try config.frame(
      depth: pattern.count,
      names: Frame.Names(embedding: "backbone.embeddings.weight", blocks: "backbone.layers"))
    var blueprint = Blueprint(frame, final: Norm(width, eps: eps, "backbone.norm_f")) { index in
      layer(pattern[index])
    }
    blueprint.addStackedPredictor(eps: eps, predicting.map(layer))
    blueprint.keepsResidualFloat32 = try config("residual_in_fp32", default: false)
    return blueprint
  }

  private enum Kind { case mamba, attention, mlp, experts }

  private static let kinds: [String: Kind] = [
    "M": .mamba, "mamba": .mamba, "linear_attention": .mamba, "*": .attention,
    "attention": .attention, "full_attention": .attention, "-": .mlp, "mlp": .mlp,
    "E": .experts, "moe": .experts,
  ]

  /// What each block holds.
  private static func pattern(_ config: Config) throws(ConfigError) -> [Kind] {
    let (lists, letters) = (["layers_block_type", "layer_types"], "hybrid_override_pattern")
    guard let pattern = try kinds(config, lists: lists, letters: letters) else {
      throw .missing(key: letters)
    }
    let depth: Int = try config("num_hidden_layers", default: pattern.count)
    guard depth == pattern.count else {
      throw .contradiction(
        "num_hidden_layers \(depth) is not the \(pattern.count) layers of the pattern")
    }
    return pattern
  }

  /// What the predictor of a further token holds; nothing where there is none.
  private static func predictorPattern(_ config: Config) throws(ConfigError) -> [Kind] {
    // Whether several would share their layers, configurations do not say.
    let count = try config.predictors(limit: 1)
    let pattern = try kinds(
      config, lists: ["mtp_layers_block_type"], letters: "mtp_hybrid_override_pattern")
    return count == 0 ? [] : pattern ?? [.attention, .experts]
  }

  /// Kinds of layers from a list of names, a string of letters, or both if they agree.
  private static func kinds(
    _ config: Config, lists: [String], letters key: String
  ) throws(ConfigError) -> [Kind]? {
    let listed: [String]? = try config.optional(anyOf: lists)
    let written: String? = try config.optional(key)
    let letters = written.map { $0.map(String.init) }
    guard let items = listed ?? letters else { return nil }
    if let unknown = (items + (letters ?? [])).first(where: { kinds[$0] == nil }) {
      throw .unsupported(
        key: listed == nil ? key : lists[0], value: "\"\(unknown)\"",
        reason: "the kinds of layer known are M (mamba), * (attention), - (mlp) and E (moe)")
    }
    let pattern = items.compactMap { kinds[$0] }
    guard letters == nil || letters?.compactMap({ kinds[$0] }) == pattern else {
      throw .contradiction("\(key) and \(lists[0]) differ")
    }
    try config.check(key, pattern.count, in: 1...4096)
    return pattern
  }

  private static func experts(
    _ config: Config, width: Int, _ activation: Activation, isUsed: Bool
  ) throws(ConfigError) -> Experts? {
    // How the shared expert is scheduled.
    config.ignore("moe_shared_expert_overlap")
    guard isUsed else {
      config.ignore(
        "n_routed_experts", "num_local_experts", "num_experts_per_tok", "n_shared_experts",
        "moe_intermediate_size", "moe_shared_expert_intermediate_size", "moe_latent_size",
        "n_group", "topk_group", "norm_topk_prob", "routed_scaling_factor")
      return nil
    }
    try config.require("n_shared_experts", 1, because: "the class builds one shared expert")
    let (count, perToken) = try config.experts(
      "n_routed_experts", "num_local_experts", default: 8, perTokenDefault: 2)
    let router = Router(
      "mixer.gate", .sigmoid, perToken: perToken,
      isNormalized: try config("norm_topk_prob", default: true),
      scale: try config("routed_scaling_factor", default: 1),
      correction: "mixer.gate.e_score_correction_bias",
      groups: try config.routerGroups(
        countDefault: 1, keptDefault: 1, experts: count, perToken: perToken),
      // Not in config.json; what Megatron-Bridge trains the family with.
      balance: 0.0001)
    let latent = try config.optionalSize("moe_latent_size")
    return Experts(
      width, count: count, inner: try config.size("moe_intermediate_size", default: 7688),
      activation, router: router, input: .plain("up_proj"), prefix: "mixer.experts",
      shared: MLP(
        width, inner: try config.size("moe_shared_expert_intermediate_size", default: 7688),
        activation, input: .plain("mixer.shared_experts.up_proj"),
        down: "mixer.shared_experts.down_proj"),
      latent: latent.map { ($0, "mixer.fc1_latent_proj", "mixer.fc2_latent_proj") })
  }
}
