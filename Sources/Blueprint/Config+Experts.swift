/// By what families differ that have DeepSeek-V3's mixture of experts.
public struct CorrectedExperts: Sendable {
  // Numbers where the configuration is silent.
  public var count: Int
  public var perToken: Int
  public var inner: Int
  public var shared: Int
  /// The factor on the chosen weights.
  public var scale: Double
  public var groups: Int
  public var keptGroups: Int
  /// The factor on the loss that balances experts.
  public var balance: Double

  // Spellings.
  public var countKeys: [String]
  public var sharedKey: String
  /// The tensor added to the scores when choosing.
  public var correction: String

  public init(
    count: Int, perToken: Int = 8, inner: Int, shared: Int = 1, scale: Double, groups: Int = 1,
    keptGroups: Int = 1, balance: Double, countKeys: [String] = ["n_routed_experts"],
    sharedKey: String = "n_shared_experts",
    correction: String = "mlp.gate.e_score_correction_bias"
  ) {
    self.count = count
    self.perToken = perToken
    self.inner = inner
    self.shared = shared
    self.scale = scale
    self.groups = groups
    self.keptGroups = keptGroups
    self.balance = balance
    self.countKeys = countKeys
    self.sharedKey = sharedKey
    self.correction = correction
  }
}

extension Config {
  /// DeepSeek-V3's mixture: experts in groups chosen by sigmoid scores and a learned correction, weighed
  /// without it, beside one expert for every token that is as wide as several.
  public func correctedExperts(
    width: Int, _ activation: Activation, _ family: CorrectedExperts
  ) throws(ConfigError) -> Experts {
    try require("scoring_func", "sigmoid", because: "the class scores by sigmoid")
    try require(
      "topk_method", "noaux_tc", because: "the class chooses by corrected scores in groups")
    let (count, perToken) = try experts(
      anyOf: family.countKeys + ["num_local_experts"], default: family.count,
      perTokenDefault: family.perToken)
    let inner = try size("moe_intermediate_size", default: family.inner)
    let router = Router(
      "mlp.gate", .sigmoid, perToken: perToken,
      isNormalized: try self("norm_topk_prob", default: true),
      scale: try self("routed_scaling_factor", default: family.scale),
      correction: family.correction,
      groups: try routerGroups(
        countDefault: family.groups, keptDefault: family.keptGroups, experts: count,
        perToken: perToken),
      balance: try self("aux_loss_alpha", default: family.balance))
    let shared = try size(family.sharedKey, default: family.shared, limit: 64)
    return Experts(
      width, count: count, inner: inner, activation, router: router,
      shared: .shared(width, inner: shared * inner, activation))
  }

  /// DeepSeek's first mixture: experts by a softmax over all of them, beside one expert for every token
  /// that is as wide as several.
  public func softmaxExperts(
    width: Int, _ activation: Activation, countDefault: Int? = nil, sharedDefault: Int? = nil
  ) throws(ConfigError) -> Experts {
    try require("scoring_func", "softmax", because: "the class scores by softmax")
    let (count, perToken) = try experts("n_routed_experts", default: countDefault)
    let inner = try size("moe_intermediate_size", default: 1407)
    let isNormalized: Bool = try self("norm_topk_prob", default: false)
    let router = Router(
      "mlp.gate", .softmax, perToken: perToken,
      // One expert alone keeps its weight.
      isNormalized: isNormalized && perToken > 1,
      balance: try self("aux_loss_alpha", default: 0.001))
    let shared = try optionalSize("n_shared_experts", limit: 64) ?? sharedDefault
    return Experts(
      width, count: count, inner: inner, activation, router: router,
      shared: shared.map { .shared(width, inner: $0 * inner, activation) })
  }

  /// Which layers have experts where every so many have, less those a list takes out (Qwen).
  public func steppedSparseLayers(depth: Int) throws(ConfigError) -> [Bool] {
    let step = try size("decoder_sparse_step", default: 1)
    let dense = Set(try self("mlp_only_layers", default: [Int]()))
    return (0..<depth).map { !dense.contains($0) && ($0 + 1) % step == 0 }
  }

  /// Which layers have experts: those the configuration lists, or all but the first ones.
  ///
  /// - Parameter denseDefault: how many layers come first where the configuration is silent.
  public func sparseLayers(depth: Int, denseDefault: Int) throws(ConfigError) -> [Bool] {
    let dense: Int = try self("first_k_dense_replace", default: min(denseDefault, depth))
    try check("first_k_dense_replace", dense, in: 0...depth)
    guard let kinds: [String] = try optional("mlp_layer_types") else {
      return (0..<depth).map { $0 >= dense }
    }
    guard kinds.count == depth else {
      throw .contradiction("mlp_layer_types has \(kinds.count) entries for \(depth) layers")
    }
    if let unknown = kinds.first(where: { $0 != "dense" && $0 != "sparse" }) {
      throw .unsupported(
        key: "mlp_layer_types", value: "\"\(unknown)\"",
        reason: "the kinds known are dense and sparse")
    }
    return kinds.map { $0 == "sparse" }
  }

  /// How many further tokens are predicted; 0 where the configuration is silent.
  ///
  /// Classes may assume one, but files say so where they have one.
  public func predictors(limit: Int = 64) throws(ConfigError) -> Int {
    let keys = ["num_nextn_predict_layers", "num_mtp_layers"]
    let count: Int = try optional(anyOf: keys) ?? 0
    try check(keys.first(where: has) ?? keys[0], count, in: 0...limit)
    return count
  }
}

extension MLP {
  /// The expert for every token, under the names that DeepSeek gave it.
  ///
  /// - Parameter prefix: the module's name.
  public static func shared(
    _ width: Int, inner: Int, _ activation: Activation, prefix: String = "mlp.shared_experts",
    bias: Bool = false
  ) -> MLP {
    MLP(
      width, inner: inner, activation,
      input: .gated(gate: prefix + ".gate_proj", up: prefix + ".up_proj"),
      down: prefix + ".down_proj", bias: bias)
  }
}
