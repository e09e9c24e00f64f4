import Architectures
import Blueprint
import Foundation
import JSON
import Support
import Testing

/// Facts of the mathematics that leave no trace in tensors, of dense families from Aquila to SmolLM3.
///
/// Expected values are what the modules of transformers 5.23 hold for the same configurations; of
/// models that it does not have, what meta.json and REMOTE_ARCHITECTURES.md say of their own code.
struct DenseMeaningTests {
  private func blueprint(
    _ name: String, _ changes: KeyValuePairs<String, JSON?> = [:]
  ) throws -> Blueprint {
    var configuration = try Case(path: "hf/" + name).configuration()
    for (key, value) in changes { configuration[key] = value }
    return try Registry.blueprint(configuration).blueprint
  }

  private func attentions(
    _ name: String, _ changes: KeyValuePairs<String, JSON?> = [:]
  ) throws -> [Attention] {
    try blueprint(name, changes).attentions
  }

  // MARK: - Positions

  @Test(arguments: [
    ("exaone4_hybrid", [8, 8, 8, nil], [true, true, true, false]),
    ("exaone4_full", [nil, nil, nil], [true, true, true]),
    ("smollm3", [nil, nil, nil, nil], [true, true, true, false]),
    ("smollm3_window", [nil, 6, nil], [true, false, true]),
    ("gemma3_text", [8, 8, nil, 8], [true, true, true, true]),
    ("gemma3_text_scaled", [6, 6, nil, 6], [true, true, true, true]),
    ("gemma4_ple", [8, nil, 8, nil], [true, true, true, true]),
    ("gemma4_moe", [8, 8, nil], [true, true, true]),
    ("gemma", [nil, nil, nil], [true, true, true]),
    ("ministral3", [nil, nil, nil], [true, true, true]),
  ])
  func theRightLayersSlideAndTurn(_ name: String, _ windows: [Int?], _ turning: [Bool]) throws {
    let attentions = try attentions(name)
    #expect(attentions.map(\.window) == windows)
    #expect(attentions.map { $0.rotary != nil } == turning)
  }

  @Test func aPatternMeansTheSameAsAListOfLayers() throws {
    // Letters repeat; a number says that every so manieth layer sees all.
    for pattern in [JSON.string("LLLG"), .integer(4)] {
      let changes: KeyValuePairs<String, JSON?> = [
        "layer_types": nil, "sliding_window_pattern": pattern,
      ]
      #expect(try attentions("exaone4_hybrid", changes).map(\.window) == [8, 8, 8, nil])
    }
    // Without a window all layers see all and all turn (its `sliding_window` is None).
    let open = try attentions("exaone4_hybrid", ["sliding_window": .null])
    #expect(open.allSatisfy { $0.window == nil && $0.rotary != nil })
    // `no_rope_layers` and `no_rope_layer_interval` 4 are one model.
    #expect(
      try attentions("smollm3", ["no_rope_layers": nil]).map { $0.rotary == nil }
        == [false, false, false, true])
  }

  @Test(arguments: [
    ("exaone4_hybrid", 1e6, 16), ("exaone3", 500_000, 16), ("gemma", 10_000, 24),
    ("glm", 10_000, 8), ("glm4", 10_000, 8), ("jais2", 500_000, 12), ("nemotron", 10_000, 12),
    ("smollm3", 5e6, 16), ("seed_oss", 1e7, 24), ("hunyuan_dense", 10_000, 24),
    ("ministral3", 1e6, 24), ("apertus", 12e6, 16), ("internlm_7b", 10_000, 16),
    ("internlm2", 1e6, 16), ("internlm3", 5e7, 16), ("orion_14b", 10_000, 16),
    ("aquila2", 10_000, 16), ("gritlm", 10_000, 16),
  ])
  func soManyDimensionsTurnSoFast(_ name: String, _ theta: Double, _ dimensions: Int) throws {
    let rotary = try #require(try attentions(name).first?.rotary)
    #expect(rotary.theta == theta && rotary.dimensions == dimensions)
    #expect(rotary.isInterleaved == name.hasPrefix("glm"))
    #expect(rotary.pairs == nil)
  }

  @Test func gemmasLayersTurnByTheirKind() throws {
    // Global, local.
    let plain = try attentions("gemma3_text").map { $0.rotary?.theta }
    #expect(plain == [10_000, 10_000, 1_000_000, 10_000])
    let scaled = try attentions("gemma3_text_scaled").map { $0.rotary?.scaling }
    #expect(
      scaled == [Rotary.Scaling.none, Rotary.Scaling.none, .linear(factor: 8), Rotary.Scaling.none])
    // "proportional" with a quarter of 24 dimensions: frequencies 1, 0.316, 0.1, then nothing turns.
    let wide = try #require(try attentions("gemma4_moe").last?.rotary)
    #expect(wide == Rotary(theta: 1_000_000, dimensions: 24, pairs: 3))
    #expect(abs(pow(wide.theta, -2.0 / Double(wide.dimensions)) - 0.31622776) < 1e-7)
    let narrow = try #require(try attentions("gemma4_moe").first?.rotary)
    #expect(narrow == Rotary(theta: 10_000, dimensions: 12))
    // Where the file says nothing, the class turns a quarter of the pairs.
    let silent = try attentions("gemma4_moe", ["rope_parameters": nil])
    #expect(silent.map(\.rotary) == [narrow, narrow, wide])
  }

  @Test func basesAreStretchedAsTheClassesStretchThem() throws {
    let hunyuan = try #require(try attentions("hunyuan_dense").first?.rotary)
    guard case .stretchedBase(let alpha) = hunyuan.scaling else {
      Issue.record("\(hunyuan.scaling)")
      return
    }
    let count = Double(hunyuan.dimensions)
    let base = hunyuan.theta * pow(alpha, count / (count - 2))
    #expect(abs(pow(base, -2 / count) - 0.24770764) < 1e-8)

    #expect(
      try attentions("internlm2").first?.rotary?.scaling == .dynamic(factor: 2, original: 32_768))
    #expect(
      try attentions("internlm3").first?.rotary?.scaling == .dynamic(factor: 6, original: 32_768))
    #expect(
      try attentions("apertus").first?.rotary?.scaling
        == .llama3(factor: 8, low: 1, high: 4, original: 64))
    // What the configuration class puts where a file says nothing.
    #expect(
      try attentions("apertus", ["rope_scaling": nil]).first?.rotary?.scaling
        == .llama3(factor: 8, low: 1, high: 4, original: 8192))
    #expect(try attentions("internlm_7b").first?.rotary?.scaling == Rotary.Scaling.none)
    let later = JSONObject(["base": .integer(20_000), "type": .string("dynamic")])
    let rotary = try attentions("internlm_7b", ["rotary": .object(later)]).first?.rotary
    #expect(rotary?.theta == 20_000)
    #expect(rotary?.scaling == .dynamic(factor: 1, original: 2048))
  }

  @Test func queriesOfMinistralGrowWithThePosition() throws {
    // 1 + 0.4 · ln(1 + ⌊p / 8⌋), from position 0 on, in every layer.
    let temperatures = try attentions("ministral3").map(\.temperature)
    #expect(
      temperatures == Array(repeating: QueryTemperature(slope: 0.4, period: 8, first: 0), count: 3))
    guard case .yarn(let yarn) = try attentions("ministral3").first?.rotary?.scaling else {
      Issue.record("no YaRN")
      return
    }
    #expect(yarn.factor == 16 && yarn.original == 8 && yarn.attentionFactor == nil)
    #expect(yarn.mscale == 1 && yarn.mscaleAllDimensions == 1)
  }

  // MARK: - Norms, scales, activations

  @Test(arguments: [
    ("gemma", Norm.Kind.rmsUnitOffset, 1e-6), ("gemma3_text", .rmsUnitOffset, 1e-6),
    ("gemma4_ple", .rms, 1e-6), ("nemotron", .layerUnitOffset, 1e-5),
    ("jais2", .layer(bias: true), 1e-5), ("orion_14b", .layer(bias: true), 1e-5),
    ("glm", .rms, 1.5625e-7), ("exaone3", .rms, 1e-5), ("exaone4_full", .rms, 1e-5),
    ("smollm3", .rms, 1e-6), ("hunyuan_dense", .rms, 1e-5),
  ])
  func normsAreOfTheirKind(_ name: String, _ kind: Norm.Kind, _ eps: Double) throws {
    let blueprint = try blueprint(name)
    #expect(blueprint.final.kind == kind && blueprint.final.eps == eps)
    for residual in blueprint.blocks.flatMap(\.layers).compactMap({ $0 as? Residual }) {
      for norm in [residual.before, residual.after].compactMap(\.self) {
        #expect(norm.kind == kind && norm.eps == eps)
      }
    }
  }

  @Test func headsAreNormedWhereTheClassesDo() throws {
    func norms(_ name: String) throws -> [HeadNorms?] { try attentions(name).map(\.headNorms) }
    #expect(try norms("gemma3_text").allSatisfy { $0?.kind == .rmsUnitOffset })
    #expect(try norms("gemma4_moe").allSatisfy { $0?.kind == .rms })
    #expect(try norms("hunyuan_dense").allSatisfy { $0?.followsRotation == true })
    for name in ["exaone4_hybrid", "apertus", "gemma3_text"] {
      #expect(try norms(name).allSatisfy { $0?.followsRotation == false && $0?.reach == .head })
    }
    for name in ["gemma", "glm4", "smollm3", "seed_oss", "ministral3", "exaone3"] {
      #expect(try norms(name).allSatisfy { $0 == nil }, "\(name)")
    }
    #expect(try attentions("gemma4_ple").allSatisfy { $0.valueEps == 1e-6 })
    #expect(try attentions("gemma3_text").allSatisfy { $0.valueEps == nil })
  }

  @Test func scoresAndEmbeddingsAreScaled() throws {
    // Scores: 1 / √20, 1, and otherwise 1 / √headSize.
    #expect(try attentions("gemma3_text").allSatisfy { $0.scale == 0.22360679774997896 })
    #expect(try attentions("gemma4_ple").allSatisfy { $0.scale == 1 })
    #expect(try attentions("gemma").allSatisfy { $0.scale == nil && $0.headSize == 24 })
    #expect(try blueprint("gemma").embeddingScale == 8)
    #expect(try blueprint("gemma3_text").embeddingScale == 6.928203230275509)
    #expect(try blueprint("gemma3_text").logitSoftCap == nil)
    #expect(try blueprint("gemma4_ple").logitSoftCap == 3)
    for name in ["glm", "apertus", "exaone4_full", "ministral3", "nemotron"] {
      #expect(try blueprint(name).embeddingScale == nil)
    }
  }

  @Test(arguments: [
    ("gemma", Activation.geluTanh, true), ("gemma3_text", .geluTanh, true),
    ("gemma4_ple", .geluTanh, true), ("nemotron", .squaredReLU, false),
    ("jais2", .squaredReLU, false), ("apertus", .xIELU, false), ("glm", .silu, true),
    ("exaone3", .silu, true), ("internlm2", .silu, true),
  ])
  func feedForwardLayersAreWhatTheClassesBuild(
    _ name: String, _ activation: Activation, _ isGated: Bool
  ) throws {
    let layers = try blueprint(name).blocks.flatMap(\.leaves).compactMap { $0 as? MLP }
    #expect(layers.count >= 3)
    #expect(layers.allSatisfy { $0.activation == activation && $0.input.isGated == isGated })
  }

  @Test func theConstantsOfTheMathematicsAreNotTrained() throws {
    // meta.json's `constant_tensors`: beta and eps of xIELU, Gemma 4's layer_scalar.
    for name in ["apertus", "gemma4_ple", "gemma4_moe"] {
      let meta = try readObject(Support.data("hf/\(name)/meta.json"))
      let expected = try #require(meta["constant_tensors"]?.array).compactMap(\.string)
      let constants = try blueprint(name).slots.filter(\.slot.isConstant)
      #expect(Set(constants.flatMap { $0.slot.parts.map(\.name) }) == Set(expected))
    }
    #expect(try blueprint("llama_tied_32").slots.allSatisfy { !$0.slot.isConstant })
  }
}
