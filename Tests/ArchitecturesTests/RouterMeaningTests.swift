import Architectures
import Blueprint
import JSON
import Support
import Testing

/// Mixtures of experts: facts that leave no trace in tensors.
///
/// Expected values are those that the modules of transformers 5.23 hold for the same configurations; the
/// source is named where it is another.
struct RouterMeaningTests {
  private func leaves(_ path: String) throws -> [any Layer] {
    try Case(path: path).blueprint().blocks.flatMap(\.leaves)
  }

  private func experts(_ path: String) throws -> [Experts] {
    try leaves(path).compactMap { $0 as? Experts }
  }

  private func router(_ path: String) throws -> Router {
    let routers = try experts(path).map(\.router)
    #expect(Set(routers).count == 1)
    return try #require(routers.first)
  }

  private func attentions(_ path: String) throws -> [Attention] {
    try leaves(path).compactMap { $0 as? Attention }
  }

  private func latent(_ path: String) throws -> LatentAttention {
    try #require(leaves(path).compactMap { $0 as? LatentAttention }.first)
  }

  @Test(arguments: [
    ("olmoe", [true, true, true]), ("glm4_moe", [false, true, true]),
    ("glm4_moe_qk_norm", [false, false, true]), ("qwen2_moe", [true, true, true]),
    ("qwen2_moe_sparse_step", [false, false, false, true]),
    ("deepseek_v2_lite", [false, true, true]), ("deepseek_v2_groups", [false, true, true]),
    ("deepseek_v32", [false, true]), ("solar_open", [true, true, true]),
    ("granite", [false, false, false]), ("granitemoe_shared", [true, true, true]),
    ("phimoe", [true, true, true]), ("ernie4_5_moe", [false, true, true]),
    ("ernie4_5_moe_interval", [false, true, false, false]), ("minimax_m2", [true, true, true]),
    ("exaone_moe", [false, true, true, true]),
    // Its own code: from first_k_dense_replace on, every moe_layer_freq-th.
    ("deepseek_moe", [false, true, true]),
  ])
  func expertsAreInTheRightLayers(_ name: String, _ expected: [Bool]) throws {
    let blocks = try Case(path: "hf/" + name).blueprint().blocks
    #expect(blocks.map { $0.leaves.contains { $0 is Experts } } == expected)
  }

  @Test(arguments: [
    ("olmoe", 3, false, 1.0), ("qwen2_moe", 2, false, 1), ("qwen2_moe_sparse_step", 2, true, 1),
    ("deepseek_v2_lite", 3, false, 1.5), ("deepseek_v2_groups", 3, false, 1),
    // A softmax over the chosen ones is a softmax over all, normalised.
    ("granitemoe", 3, true, 1), ("granitemoe_shared", 3, true, 1), ("ernie4_5_moe", 3, true, 1),
    // norm_topk_prob false in its configuration.
    ("deepseek_moe", 2, false, 1),
  ])
  func softmaxRouters(
    _ name: String, _ perToken: Int, _ isNormalized: Bool, _ scale: Double
  ) throws {
    let router = try router("hf/" + name)
    #expect(router.score == .softmax)
    #expect(router.perToken == perToken)
    #expect(router.isNormalized == isNormalized)
    #expect(router.scale == scale)
  }

  @Test(arguments: [
    ("glm4_moe", 3, 1.0, 1, 1), ("glm4_moe_qk_norm", 2, 2.5, 2, 1), ("solar_open", 3, 1, 1, 1),
    ("exaone_moe", 2, 2.5, 1, 1), ("deepseek_v32", 2, 2.5, 1, 1),
  ])
  func sigmoidRoutersInGroups(
    _ name: String, _ perToken: Int, _ scale: Double, _ groups: Int, _ kept: Int
  ) throws {
    let router = try router("hf/" + name)
    #expect(router.score == .sigmoid)
    #expect(router.perToken == perToken)
    #expect(router.isNormalized)
    #expect(router.scale == scale)
    #expect(router.groups == Router.Groups(count: groups, kept: kept, ranked: 2))
    #expect(router.correction != nil)
  }

  @Test func minimaxHasNoGroupsAndNoFactor() throws {
    let router = try router("hf/minimax_m2")
    #expect(router.score == .sigmoid && router.isNormalized && router.scale == 1)
    #expect(router.perToken == 3)
    #expect(router.groups == nil)
    #expect(router.correction == "block_sparse_moe.e_score_correction_bias")
  }

  @Test func deepseekTwoRanksAGroupByItsBestExpert() throws {
    #expect(
      try router("hf/deepseek_v2_groups").groups == Router.Groups(count: 4, kept: 2, ranked: 1))
    #expect(try router("hf/deepseek_v2_lite").groups == nil)
  }

  @Test func ernieDividesByNoLessThanItsMinimum() throws {
    let router = try router("hf/ernie4_5_moe")
    #expect(router.normMinimum == 1e-12)
    #expect(router.correctionIsRow)
    #expect(router.correction == "mlp.moe_statics.e_score_correction_bias")
  }

  @Test func phiMixesSparsely() throws {
    #expect(try router("hf/phimoe").score == .sparseMixer(jitter: 0.01))
    #expect(try router("hf/phimoe_wide_jitter").score == .sparseMixer(jitter: 0.3))
    #expect(try router("hf/phimoe").perToken == 2)
    #expect(try router("hf/phimoe").scale == 1 && !router("hf/phimoe").isNormalized)
    #expect(try Case(path: "hf/phimoe").blueprint().final.kind == .layer(bias: true))
    let rotary = try #require(attentions("hf/phimoe").first?.rotary)
    guard case .long(let long) = rotary.scaling else {
      Issue.record("no LongRoPE")
      return
    }
    #expect(long.shortAttentionFactor == 1.24 && long.longAttentionFactor == 1.31)
    #expect(long.original == 32 && long.short.last == 2.8 && rotary.theta == 10_000)
  }

  @Test(arguments: [
    ("qwen2_moe", 32), ("deepseek_moe", 32), ("deepseek_v2_lite", 32),
    ("deepseek_v2_groups", 16), ("glm4_moe", 16), ("solar_open", 16), ("ernie4_5_moe", 32),
    ("exaone_moe", 12), ("deepseek_v32", 16), ("granitemoe_shared", 24), ("olmoe", nil),
    ("granitemoe", nil), ("phimoe", nil), ("minimax_m2", nil), ("ernie4_5_moe_interval", nil),
  ])
  func theExpertForEveryTokenHasItsWidth(_ name: String, _ inner: Int?) throws {
    #expect(try experts("hf/" + name).allSatisfy { $0.shared?.inner == inner })
  }

  @Test func onlyQwenGatesTheExpertForEveryToken() throws {
    let gated = try Case.huggingFace.filter { item in
      try item.blueprint().blocks.flatMap(\.leaves).contains {
        ($0 as? Experts)?.sharedGate != nil
      }
    }
    #expect(Set(gated.map(\.name)).isSuperset(of: ["qwen2_moe", "qwen2_moe_sparse_step"]))
    #expect(gated.allSatisfy { $0.name.hasPrefix("qwen") })
  }

  @Test(arguments: [
    ("glm4_moe", 8, false, 1_000_000.0), ("minimax_m2", 8, false, 5_000_000),
    ("solar_open", 16, false, 1_000_000), ("ernie4_5", 24, true, 500_000),
    ("ernie4_5_moe", 12, true, 500_000), ("olmoe", 12, false, 10_000),
    ("granitemoe", 12, false, 10_000), ("deepseek_moe", 12, false, 10_000),
  ])
  func headsTurn(
    _ name: String, _ dimensions: Int, _ isInterleaved: Bool, _ theta: Double
  ) throws {
    for rotary in try attentions("hf/" + name).map(\.rotary) {
      #expect(rotary?.dimensions == dimensions)
      #expect(rotary?.isInterleaved == isInterleaved)
      #expect(rotary?.theta == theta)
    }
  }

  @Test func windowsAndRotationsOfExaoneGoTogether() throws {
    let attentions = try attentions("hf/exaone_moe")
    #expect(attentions.map(\.window) == [8, 8, 8, nil])
    #expect(attentions.map { $0.rotary?.dimensions } == [16, 16, 16, nil])
    #expect(attentions.allSatisfy { $0.headNorms?.reach == .head })
  }

  @Test func exaonesPatternOfLettersIsThatOfItsList() throws {
    var configuration = try Case(path: "hf/exaone_moe").configuration()
    configuration["layer_types"] = nil
    func windows() throws -> [Int] {
      try Registry.blueprint(configuration).blueprint.blocks.flatMap(\.leaves)
        .compactMap { ($0 as? Attention)?.window }
    }
    #expect(try windows() == [8, 8, 8])
    configuration["sliding_window_pattern"] = .integer(2)
    #expect(try windows() == [8, 8])
    configuration["sliding_window"] = .null
    #expect(try windows() == [])
    configuration["sliding_window_pattern"] = .string("LX")
    #expect(throws: ConfigError.self) { try windows() }
  }

  @Test func normsOfAllHeadsAreThoseOfOlmoeAndMiniMax() throws {
    #expect(try attentions("hf/olmoe").allSatisfy { $0.headNorms?.reach == .allHeads })
    #expect(try attentions("hf/minimax_m2").allSatisfy { $0.headNorms?.reach == .allHeads })
    #expect(try attentions("hf/glm4_moe_qk_norm").allSatisfy { $0.headNorms?.reach == .head })
    #expect(try attentions("hf/glm4_moe").allSatisfy { $0.headNorms == nil })
    #expect(try attentions("hf/olmoe").first?.headNorms?.eps == 1e-5)
  }

  @Test func olmoesClipIsTaken() throws {
    var configuration = try Case(path: "hf/olmoe").configuration()
    configuration["clip_qkv"] = .number(8)
    let leaves = try Registry.blueprint(configuration).blueprint.blocks.flatMap(\.leaves)
    #expect(leaves.compactMap { ($0 as? Attention)?.clip } == [8, 8, 8])
    #expect(try attentions("hf/olmoe").allSatisfy { $0.clip == nil })
  }

  @Test(arguments: [
    ("granite", 0.1, 1.6), ("granitemoe", 0.15, 1.4), ("granitemoe_shared", 0.15, 1.4),
  ])
  func graniteMultiplies(_ name: String, _ scores: Double, _ logits: Double) throws {
    let blueprint = try Case(path: "hf/" + name).blueprint()
    #expect(blueprint.embeddingScale == 3)
    #expect(abs(try #require(blueprint.logitScale) * logits - 1) < 1e-15)
    let residuals = blueprint.blocks.flatMap(\.layers).compactMap { $0 as? Residual }
    #expect(residuals.count == 6)
    #expect(residuals.allSatisfy { $0.scale == 0.4 && $0.inputScale == 1 })
    #expect(try attentions("hf/" + name).allSatisfy { $0.scale == scores })
  }

  @Test func latentAttentionOfDeepseekTwoTurnsNeighbours() throws {
    let (lite, large) = (try latent("hf/deepseek_v2_lite"), try latent("hf/deepseek_v2_groups"))
    #expect(lite.queryRank == nil && large.queryRank == 24)
    #expect(lite.rotary.isInterleaved && large.rotary.isInterleaved)
    // 1/√20, which is what nil means.
    #expect(lite.scale == nil)
    #expect(abs(try #require(large.scale) - 0.2941875881015143) < 1e-15)
    #expect(large.eps == 1e-6)
  }

  @Test func theIndexerTurnsHalvesAndKeepsTheBestKeys() throws {
    let attention = try latent("hf/deepseek_v32")
    #expect(attention.rotary.isInterleaved)
    let indexer = try #require(attention.indexer)
    #expect(!indexer.rotary.isInterleaved)
    #expect(indexer.rotary.dimensions == 8)
    #expect(indexer.heads == 8 && indexer.headSize == 12 && indexer.kept == 8)
    #expect(indexer.eps == 1e-6)
    #expect(try latent("hf/deepseek_v3").indexer == nil)
  }
}

/// Configurations of mixtures that must not be taken for something else.
struct RouterRefusalTests {
  @Test(arguments: [
    ("minimax_m2", "use_routing_bias", JSON.bool(false)),
    ("minimax_m2", "use_qk_norm", .bool(false)),
    ("minimax_m2", "attn_type_list", .array([.integer(1), .integer(0), .integer(1)])),
    ("minimax_m2", "layernorm_mlp_beta", .number(2)),
    ("minimax_m2", "shared_intermediate_size", .integer(8)),
    ("solar_open", "use_qk_norm", .bool(true)),
    ("solar_open", "first_k_dense_replace", .integer(1)),
    ("solar_open", "partial_rotary_factor", .number(0.5)),
    ("deepseek_v2_lite", "norm_topk_prob", .bool(true)),
    ("deepseek_v2_lite", "topk_method", .string("noaux_tc")),
    ("deepseek_moe", "scoring_func", .string("sigmoid")),
    ("deepseek_v32", "q_lora_rank", .null), ("phimoe", "num_experts_per_tok", .integer(3)),
    ("ernie4_5_moe", "moe_use_aux_free", .bool(false)),
    ("exaone_moe", "mlp_layer_types", .array(Array(repeating: .string("other"), count: 4))),
    ("glm4_moe", "scoring_func", .string("softmax")),
  ])
  func whatTheFamilyHasNotIsRefused(_ name: String, _ key: String, _ value: JSON) throws {
    let found = try Case.refusal(name, key, value)
    guard case .unsupported(key, _, _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test(arguments: [
    ("exaone_moe", "num_nextn_predict_layers", JSON.integer(2)),
    ("ernie4_5_moe", "num_nextn_predict_layers", .integer(4)),
    ("ernie4_5_moe", "moe_k", .integer(8)), ("glm4_moe", "first_k_dense_replace", .integer(4)),
    ("minimax_m2", "rotary_dim", .integer(17)), ("granite", "residual_multiplier", .integer(0)),
    ("olmoe", "clip_qkv", .integer(-1)),
  ])
  func sizesThatNoModelHasAreRefused(_ name: String, _ key: String, _ value: JSON) throws {
    let found = try Case.refusal(name, key, value)
    guard case .outOfRange(key, _, _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }
}
