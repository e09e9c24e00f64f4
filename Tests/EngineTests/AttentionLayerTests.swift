import Testing

@testable import Blueprint
@testable import Engine

/// Whole small models: gradients of the loss against central differences, and caches.
@Suite struct AttentionLayerTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var change: @Sendable (inout Attention) -> Void

    init(_ name: String, _ change: @escaping @Sendable (inout Attention) -> Void) {
      self.name = name
      self.change = change
    }

    var testDescription: String { name }
  }

  static let cases = [
    Case("plain") { _ in },
    Case("biases") { ($0.hasInputBias, $0.hasOutputBias) = (true, true) },
    Case("norms before the rotation") { $0.headNorms = HeadNorms(eps: 1e-3) },
    Case("norms behind the rotation") {
      $0.headNorms = HeadNorms(eps: 1e-3, followsRotation: true)
    },
    Case("norms with weights for each head") {
      $0.headNorms = HeadNorms(eps: 1e-3, .layer(bias: true), reach: .ownHead)
    },
    Case("norms with listed weights") {
      $0.headNorms = HeadNorms(eps: 1e-3, .layer(bias: false), reach: .listedHeads)
    },
    Case("norms of all heads together") { $0.headNorms = HeadNorms(eps: 1e-3, reach: .allHeads) },
    Case("normed values") { $0.valueEps = 1e-3 },
    Case("scaled keys") { $0.keyScale = 0.6 },
    // No activation of these models lies within a step of either limit.
    Case("clipped") { $0.clip = 0.777 },
    Case("a temperature") {
      $0.temperature = QueryTemperature(slope: 0.5, period: 2, first: 1)
    },
    Case("a gate") { $0.isGated = true },
    Case("sinks") { $0.sinks = "sinks" },
    Case("keys that are values too") {
      $0.keySource = .sameProjection
      $0.headNorms = HeadNorms(eps: 1e-3)
      $0.valueEps = 1e-3
    },
    Case("a window and a soft cap") { ($0.window, $0.softCap) = (3, 0.8) },
    Case("chunks and no rotation") { ($0.chunk, $0.rotary) = (3, nil) },
    Case("neighbours of part of the head") {
      $0.rotary = Rotary(theta: 100, dimensions: 2, isInterleaved: true)
    },
    Case("all at once") {
      $0.headNorms = HeadNorms(eps: 1e-3, reach: .allHeads)
      ($0.clip, $0.keyScale, $0.isGated, $0.valueEps) = (1.107, 1.3, true, 1e-3)
      $0.temperature = QueryTemperature(slope: 0.5, period: 2, first: 0)
      ($0.sinks, $0.softCap, $0.window) = ("sinks", 2, 5)
    },
  ]

  @Test(arguments: cases) func learns(_ item: Case) throws {
    try SmallModel.attending(item.change).checkGradients()
  }

  @Test(arguments: cases) func goesOnFromACache(_ item: Case) throws {
    try SmallModel.attending(blocks: 2, item.change).checkCache()
    try SmallModel.attending(blocks: 2, item.change).checkCache(prompt: 11, chunk: 4)
  }

  /// Three blocks, of which the last two look at the keys of the first.
  private static let reusing: SmallModel = {
    var attention = Attention(
      SmallModel.width, heads: 4, groups: 2, headSize: 4, rotary: Rotary(theta: 100, dimensions: 4))
    attention.headNorms = HeadNorms(eps: 1e-3)
    attention.valueEps = 1e-3
    return SmallModel([attention, attention.reusingKeys(of: 0), attention.reusingKeys(of: 0)])
  }()

  @Test(arguments: [false, true]) func reusedKeysLearnFromAllWhoUseThem(_ recomputing: Bool) throws
  {
    try Self.reusing.checkGradients(recomputing: recomputing)
  }

  @Test func reusedKeysAreInTheCacheOfTheirOwnBlock() throws {
    try Self.reusing.checkCache()
    try Self.reusing.checkCache(prompt: 11, chunk: 4)
  }

  @Test func aSequenceThatOutgrowsItsFrequenciesGoesOnAsIfAnew() throws {
    for scaling in [
      Rotary.Scaling.dynamic(factor: 2, original: 9),
      .long(Rotary.LongRope(short: [1, 1.5], long: [2, 6], original: 9, factor: 4)),
    ] {
      let model = SmallModel.attending(blocks: 2) { $0.rotary?.scaling = scaling }
      try model.checkCache()
      try model.checkCache(prompt: 13, chunk: 4)
    }
  }

  @Test func aMatrixInAttentionsPlaceLearns() throws {
    try SmallModel([
      LinearMap(SmallModel.width, .attention, "linear"), LinearMap(SmallModel.width, .mlp, "map"),
    ]).checkGradients()
  }

  @Test func anOutputLayerOfUnitRowsLearns() throws {
    let model = SmallModel([LinearMap(SmallModel.width, .attention, "linear")]) {
      $0.normalizesHead = true
      $0.logitScale = 3
    }
    try model.checkGradients()
    try model.checkCache()
  }

  @Test func whatFlowsPastBlocksLearns() throws {
    let maps = (0..<3).map { LinearMap(SmallModel.width, .attention, "linear\($0)") }
    try SmallModel(maps) {
      $0.skips = [
        BlockSkip(from: 0, to: 1, share: 0.75, trainingShare: 0.5),
        BlockSkip(from: 0, to: 2, share: 0.25, trainingShare: 0.5),
        BlockSkip(from: 1, to: 2, share: 0.125, trainingShare: 0.5),
      ]
    }.checkGradients()
  }

  @Test func learningModelsTakeTheirOwnShareOfWhatFlowsPast() throws {
    func logits(_ share: Double, trainingShare: Double, isTraining: Bool) throws -> [Double] {
      let maps = (0..<2).map { LinearMap(SmallModel.width, .attention, "linear\($0)") }
      let model = try SmallModel(maps) {
        $0.skips = [BlockSkip(from: 0, to: 1, share: share, trainingShare: trainingShare)]
      }.model(.float64)
      let pass = Pass(model, Tape(.float64, isRecording: false), SmallModel.batch)
      pass.isTraining = isTraining
      return try model.logits(try #require(try model.hidden(pass).last), pass).values
    }
    let learning = try logits(0.75, trainingShare: 0.5, isTraining: true)
    #expect(try learning == logits(0.5, trainingShare: 0.25, isTraining: false))
    #expect(try learning != logits(0.75, trainingShare: 0.5, isTraining: false))
  }
}
