import Architectures
import Blueprint
import JSON
import Support
import Testing

/// Facts of the mathematics that leave no trace in tensors, of families from GPT-J to Solar.
///
/// Expected values are what the modules of transformers 5.23 hold for the same configurations; of
/// models that it does not have, what meta.json and REMOTE_ARCHITECTURES.md say of their own code.
struct ClassicMeaningTests {
  private func blueprint(_ name: String) throws -> Blueprint {
    try Case(path: "hf/" + name).blueprint()
  }

  private func blueprint(
    _ name: String, _ changes: KeyValuePairs<String, JSON?>
  ) throws -> Blueprint {
    var configuration = try Case(path: "hf/" + name).configuration()
    for (key, value) in changes { configuration[key] = value }
    return try Registry.blueprint(configuration).blueprint
  }

  private func attentions(_ name: String) throws -> [Attention] {
    try blueprint(name).attentions
  }

  // MARK: - Positions

  @Test func windowsAndPositionsAreThoseOfTheRightLayers() throws {
    #expect(try attentions("cohere2").map(\.window) == [8, 8, 8, nil])
    #expect(try attentions("cohere2").map { $0.rotary != nil } == [true, true, true, false])
    #expect(try attentions("starcoder2").map(\.window) == [8, 8, 8])
    #expect(try attentions("olmo3").map(\.window) == [8, 8, 8, nil])
    #expect(try attentions("olmo2").map(\.window) == [nil, nil, nil])
    // Without a window the class turns nothing and sees all.
    let open = try blueprint("cohere2", ["sliding_window": .null]).attentions
    #expect(open.allSatisfy { $0.window == nil && $0.rotary == nil })
  }

  @Test func onlyTheLayersThatSeeAllAreStretched() throws {
    let rotaries = try attentions("olmo3").map(\.rotary)
    #expect(rotaries.map { $0?.scaling == Rotary.Scaling.none } == [true, true, true, false])
    #expect(rotaries.allSatisfy { $0?.theta == 500_000 && $0?.dimensions == 12 })
    guard case .yarn(let yarn) = rotaries[3]?.scaling else {
      Issue.record("no YaRN")
      return
    }
    #expect(yarn.factor == 8 && yarn.attentionFactor == 1.2079 && yarn.original == 64)
  }

  @Test(arguments: [
    ("cohere", 16, 8e6, true), ("cohere_qk_norm", 16, 75_000, true), ("cohere2", 16, 50_000, true),
    ("gptj", 8, 10_000, true), ("phi2", 6, 10_000, false), ("phi_qk_layernorm", 8, 10_000, false),
    ("stablelm_3b", 4, 10_000, false), ("stablelm_2_12b", 4, 10_000, false),
    ("starcoder2", 16, 999_999.4420358813, false), ("olmo2_gqa", 16, 500_000, false),
    ("baichuan_7b", 16, 10_000, false), ("chatglm2", 8, 10_000, true),
    ("chatglm3_32k", 12, 500_000, true), ("phi3_small", 8, 1e6, false),
  ])
  func soManyDimensionsTurnSoFast(
    _ name: String, _ dimensions: Int, _ theta: Double, _ neighbours: Bool
  ) throws {
    let rotary = try #require(try attentions(name).first?.rotary)
    #expect(rotary.dimensions == dimensions)
    #expect(rotary.theta == theta)
    #expect(rotary.isInterleaved == neighbours)
  }

  @Test(arguments: ["baichuan_7b", "baichuan_13b", "baichuan2_7b", "baichuan2_13b"])
  func baichuansAreToldApart(_ name: String) throws {
    let hints = try #require(
      try readObject(Support.data("hf/\(name)/meta.json"))["hints"]?.object)
    let blueprint = try blueprint(name)
    let hasALiBi = hints["positions"]?.string == "alibi"
    #expect(blueprint.attentions.allSatisfy { ($0.rotary == nil) == hasALiBi })
    // Added to the scores after they are scaled.
    #expect(
      blueprint.attentions.allSatisfy { $0.alibi == (hasALiBi ? ALiBi(isScaled: false) : nil) })
    #expect(blueprint.normalizesHead == hints["norm_head"]?.bool)
    #expect(blueprint.frame.positions == 4096)
  }

  @Test func baichuan2IsToldByItsVocabularyToo() throws {
    #expect(
      try blueprint("baichuan_7b", ["vocab_size": .integer(125_696)]).normalizesHead)
    #expect(try !blueprint("baichuan_7b", ["vocab_size": .integer(64_000)]).normalizesHead)
  }

  @Test func learnedPositionsStandInTheFrame() throws {
    let coder = try blueprint("gpt_bigcode_mqa")
    #expect(coder.frame.names.positions == "transformer.wpe.weight")
    #expect(coder.frame.positions == 64)
    #expect(coder.attentions.allSatisfy { $0.rotary == nil && $0.alibi == nil && $0.groups == 1 })
  }

  // MARK: - Attention

  @Test func oneKeyHeadOrOneForEachHead() throws {
    let many = try blueprint("gpt_bigcode_mqa", ["multi_query": .bool(false)])
    let slot = try #require(many.blocks.first?.slots.first { $0.role == .queryKeyValue(.weight) })
    #expect(many.attentions.allSatisfy { $0.groups == 4 })
    // By head already, as Megatron has it.
    #expect(slot.shape == [144, 48] && slot.layout == .concatenated([144]))
    let unscaled = try blueprint("gpt_bigcode_mqa", ["scale_attn_weights": .bool(false)])
    #expect(unscaled.attentions.allSatisfy { $0.scale == 1 })
    #expect(try attentions("gpt_bigcode_mqa").allSatisfy { $0.scale == nil })
    // ChatGLM without groups has its rows by head too.
    let wide = try blueprint(
      "chatglm2", ["multi_query_attention": .bool(false), "multi_query_group_num": nil])
    #expect(
      wide.attentions.allSatisfy {
        $0.groups == 4 && $0.projection == .grouped("self_attention.query_key_value")
      })
  }

  @Test func normsOfQueriesAndKeysReachAsFarAsTheirCodeDoes() throws {
    func norms(_ name: String) throws -> HeadNorms? { try attentions(name).first?.headNorms }
    let command = try #require(try norms("cohere_qk_norm"))
    #expect(command.reach == .ownHead && command.kind == .layer(bias: false))
    let stable = try #require(try norms("stablelm_2_12b"))
    #expect(stable.reach == .listedHeads && stable.kind == .layer(bias: false))
    let phi = try #require(try norms("phi_qk_layernorm"))
    #expect(phi.reach == .head && phi.kind == .layer(bias: true))
    let olmo = try #require(try norms("olmo2_gqa"))
    #expect(olmo.reach == .allHeads && olmo.kind == .rms && olmo.eps == 1e-6)
    for norms in [command, stable, phi, olmo] { #expect(!norms.followsRotation) }
    for name in ["cohere", "cohere2", "phi2", "stablelm_3b"] { #expect(try norms(name) == nil) }
  }

  @Test func everySecondLayerSeesBlocksAndStripes() throws {
    let sparse = BlockSparsity(size: 4, local: 2, stride: 4, step: 1)
    let attentions = try attentions("phi3_small")
    #expect(attentions.map(\.sparsity) == [sparse, nil, sparse, nil])
    // mup_attn_multiplier / head size.
    #expect(attentions.allSatisfy { $0.scale == 1 / 8 })
    func steps(_ stride: Int, uniform: Bool) throws -> Int? {
      try blueprint(
        "phi3_small",
        [
          "blocksparse_vert_stride": .integer(stride),
          "blocksparse_homo_head_pattern": .bool(uniform),
        ]
      ).attentions.first?.sparsity?.step
    }
    // max(1, ⌊stride / heads⌋) with 8 heads.
    #expect(try steps(8, uniform: false) == 1)
    #expect(try steps(24, uniform: false) == 3)
    #expect(try steps(24, uniform: true) == 0)
    let all = try blueprint("phi3_small", ["dense_attention_every_n_layers": .null]).attentions
    #expect(all.allSatisfy { $0.sparsity == sparse })
    let plain = try blueprint("phi3_small", ["mup_use_scaling": .bool(false)]).attentions
    #expect(plain.allSatisfy { $0.scale == nil })
  }

  // MARK: - Blocks

  @Test(arguments: [
    ("cohere", true), ("cohere2", true), ("gptj", true), ("phi2", true), ("stablelm_2_12b", true),
    ("stablelm_3b", false), ("starcoder2", false), ("gpt_bigcode_mqa", false),
    ("phi3_small", false), ("olmo2", false), ("solar_pro", false),
  ])
  func attentionAndMLPAreSideBySideOrInTurn(_ name: String, _ isParallel: Bool) throws {
    for block in try blueprint(name).blocks {
      #expect(block.layers.contains { $0 is ParallelResidual } == isParallel)
      #expect(block.leaves.count == 2)
    }
  }

  @Test func normsStandOnLayersOutputsOnlyInOlmo() throws {
    for layer in try blueprint("olmo2").blocks.flatMap(\.layers) {
      let residual = try #require(layer as? Residual)
      #expect(residual.before == nil && residual.after != nil)
    }
    for layer in try blueprint("starcoder2").blocks.flatMap(\.layers) {
      let residual = try #require(layer as? Residual)
      #expect(residual.before != nil && residual.after == nil)
    }
  }

  @Test func whatEntersBlocksIsMixedIntoLaterOnes() throws {
    // bskcn_1 [1, 3] into bskcn_3 [2, 4], bskcn_2 [3] into bskcn_4 [5]; 0.8 in use, 0.9 in training.
    let expected = [(1, 2), (3, 4), (3, 5)].map { from, to in
      BlockSkip(from: from, to: to, share: 0.8, trainingShare: 0.9)
    }
    #expect(try blueprint("solar_pro").skips == expected)
    #expect(throws: ConfigError.self) {
      try blueprint("solar_pro", ["bskcn_3": .array([.integer(0)])])
    }
    #expect(throws: ConfigError.self) {
      try blueprint("solar_pro", ["bskcn_4": .array([.integer(6)])])
    }
    #expect(throws: ConfigError.self) { try blueprint("solar_pro", ["bskcn_tv": nil]) }
  }

  @Test func scalesAreWhatTheModulesHold() throws {
    #expect(try blueprint("cohere").logitScale == 0.625)
    #expect(try blueprint("cohere2").logitScale == 0.5)
    for name in ["minicpm_2b", "minicpm3_4b"] {
      let blueprint = try blueprint(name)
      #expect(blueprint.embeddingScale == 3)
      // The class divides by hidden_size / dim_model_base.
      #expect(blueprint.logitScale == 0.5)
      for layer in blueprint.blocks.flatMap(\.layers) {
        let scale = try #require(layer as? Residual).scale
        #expect(abs(scale - 0.8082903768654761) < 1e-15)
      }
    }
    let small = try blueprint("phi3_small")
    #expect(small.embeddingScale == 2.5 && small.logitScale == 0.5)
    #expect(try blueprint("phi2").logitScale == nil)
  }

  @Test func miniCPMsScalesMustBeSaid() throws {
    for key in ["scale_emb", "scale_depth", "dim_model_base"] {
      var configuration = try Case(path: "hf/minicpm_2b").configuration()
      configuration[key] = nil
      #expect(throws: ConfigError.missing(key: key)) { try Registry.blueprint(configuration) }
    }
    // The class of the third has defaults: 12, 1.4 and 256 for a width of 64 and three layers.
    let third = try blueprint(
      "minicpm3_4b", ["scale_emb": nil, "scale_depth": nil, "dim_model_base": nil])
    #expect(third.embeddingScale == 12 && third.logitScale == 4)
  }

  @Test func thePhiSmallGateIsCutAndItsHalfRaised() throws {
    let layers = try blueprint("phi3_small").blocks.flatMap(\.leaves).compactMap { $0 as? MLP }
    #expect(layers.count == 4)
    for mlp in layers {
      #expect(mlp.activation == .quickGelu && mlp.limit == 1.5 && mlp.offset == 1)
      #expect(mlp.input == .alternating("mlp.up_proj"))
    }
    // 4 · ⌊64 / 3⌋ · 2 is 168; padded to a multiple of 256.
    func inner(_ isPadded: Bool) throws -> Int? {
      try blueprint(
        "phi3_small",
        [
          "ff_intermediate_size": .null, "ff_dim_multiplier": .integer(4),
          "gegelu_pad_to_256": .bool(isPadded),
        ]
      ).blocks[0].leaves.compactMap { $0 as? MLP }.first?.inner
    }
    #expect(try inner(false) == 168)
    #expect(try inner(true) == 256)
    let silent = try blueprint("phi3_small", ["dummy_token_indices": .array([.integer(7)])])
    #expect(silent.silencedTokens == [7])
  }

  @Test func activationsAreTheirClasses() throws {
    func activation(_ name: String) throws -> Activation? {
      try blueprint(name).blocks[0].leaves.compactMap { $0 as? MLP }.first?.activation
    }
    for name in ["gptj", "phi2", "starcoder2", "gpt_bigcode_mqa"] {
      #expect(try activation(name) == .geluTanh)
    }
    for name in ["cohere", "chatglm2", "stablelm_3b", "decilm_7b"] {
      #expect(try activation(name) == .silu)
    }
  }
}

extension Blueprint {
  var attentions: [Attention] {
    blocks.flatMap(\.leaves).compactMap { $0 as? Attention }
  }
}
