import Blueprint
import Foundation
import Kernels
import Testing

@testable import Engine

@Suite struct LatentAttentionTests {
  private static func latent(
    queryRank: Int?, _ change: (inout LatentAttention) -> Void = { _ in }
  ) -> LatentAttention {
    var attention = LatentAttention(
      SmallModel.width, heads: 3, queryRank: queryRank, keyValueRank: 6, plainSize: 4,
      rotary: Rotary(theta: 100, dimensions: 2), valueSize: 5, eps: 1e-3)
    change(&attention)
    return attention
  }

  private static let indexer = Indexer(
    heads: 2, headSize: 4, kept: 3, rotary: Rotary(theta: 100, dimensions: 2), eps: 1e-3)

  @Test(arguments: [nil, 4]) func learns(_ queryRank: Int?) throws {
    try SmallModel([Self.latent(queryRank: queryRank)]).checkGradients()
    try SmallModel([Self.latent(queryRank: queryRank) { $0.scale = 0.3 }])
      .checkGradients(recomputing: true)
  }

  @Test func aChoiceOfKeysHasNoGradient() throws {
    let prefix = "model.layers.0.self_attn.indexer."
    try SmallModel([Self.latent(queryRank: 4) { $0.indexer = Self.indexer }]).checkGradients(
      resting: ["wq_b.weight", "wk.weight", "k_norm.weight", "k_norm.bias", "weights_proj.weight"]
        .map { prefix + $0 })
  }

  @Test(arguments: [nil, 4]) func latentsInACacheAreAsGoodAsKeysAndValues(
    _ queryRank: Int?
  ) throws {
    let layers = [Self.latent(queryRank: queryRank), Self.latent(queryRank: queryRank)]
    // Queries that go down to the latents, and latents that go up to the queries.
    try SmallModel(layers).checkCache()
    try SmallModel(layers).checkCache(prompt: 19, chunk: 3)
    try SmallModel(layers).checkCache(prompt: 19, chunk: 9)
  }

  @Test func adaptersAreInWhatComesOutOfCachedLatents() throws {
    let layer = Self.latent(queryRank: 4)
    try SmallModel([layer, layer]).checkCache { model in
      let places = model.adapterPlaces(isFused: false)
      try model.attach(places.map { PlannedPair($0, rank: 2, scale: 0.5) }, seed: 1)
      for learned in model.learned where learned.name.hasSuffix("lora_B") {
        RandomStream(seed: 2, learned.name).fill(learned.value, .normal(deviation: 0.3))
      }
      #expect(model.parameters.contains { $0.role == .keyValueUp && $0.change != nil })
    }
  }

  @Test func keysArePickedOutOfACacheToo() throws {
    let layer = Self.latent(queryRank: 4) { $0.indexer = Self.indexer }
    try SmallModel([layer, layer]).checkCache()
    try SmallModel([layer, layer]).checkCache(prompt: 19, chunk: 4)
  }

  @Test(arguments: [1, 3, 64]) func thePickedKeysAreThoseOfTheHighestScores(_ kept: Int) throws {
    var indexer = Self.indexer
    indexer.kept = kept
    let layer = Self.latent(queryRank: 4) { $0.indexer = indexer }
    let model = try SmallModel([layer]).model(.float64)
    let tokens = 21
    let batch = Batch([[Int32](repeating: 0, count: tokens)])
    let pass = Pass(model, Tape(.float64, isRecording: false), batch)
    let x = Sample.matrix("x", tokens, SmallModel.width).matrix(.float64, seed: 1)
    let latent = Sample.matrix("latent", tokens, 4).matrix(.float64, seed: 1)
    func picks() throws -> KeySelection? {
      try indexer.selection(
        Node(x, isTracked: false), Node(latent, isTracked: false), pass)
    }
    guard kept < tokens else {
      #expect(try picks() == nil)
      return
    }
    let selection = try #require(try picks())
    let scores = try Self.scores(indexer, x, latent, model)
    for query in 0..<tokens {
      let order = (0...query).sorted { scores[query][$0] > scores[query][$1] }
      let seen = (0..<tokens).filter {
        selection.bits[query * selection.words + $0 / 32] >> Int32($0 % 32) & 1 == 1
      }
      #expect(seen == order.prefix(kept).sorted())
    }
  }

  /// The scores by the formula of the layer, number by number.
  private static func scores(
    _ indexer: Indexer, _ x: Matrix, _ latent: Matrix, _ model: Model
  ) throws -> [[Double]] {
    func weight(_ part: Role.IndexerPart) throws -> Matrix {
      try #require(model.blocks[0].byRole[.indexer(part)]).value
    }
    func times(_ matrix: Matrix, _ x: Matrix, _ row: Int) -> [Double] {
      (0..<matrix.rows).map { output in
        (0..<matrix.columns).reduce(0) { $0 + matrix[output, $1] * x[row, $1] }
      }
    }
    func turned(_ numbers: [Double], _ position: Int) -> [Double] {
      // Two of the numbers turn, by one radian each position.
      let (c, s) = (cos(Double(position)), sin(Double(position)))
      return [numbers[0] * c - numbers[1] * s, numbers[1] * c + numbers[0] * s]
        + numbers.dropFirst(2)
    }
    let (up, down) = (try weight(.queryUp), try weight(.key))
    let (gain, bias) = (try weight(.keyNormWeight), try weight(.keyNormBias))
    let ofHeads = try weight(.headWeights)
    let keys = (0..<x.rows).map { row in
      let key = times(down, x, row)
      let mean = key.reduce(0, +) / 4
      let variance = key.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4
      return turned(
        key.enumerated().map {
          ($1 - mean) / (variance + indexer.eps).squareRoot() * gain[0, $0] + bias[0, $0]
        }, row)
    }
    return (0..<x.rows).map { row in
      let (all, factors) = (times(up, latent, row), times(ofHeads, x, row))
      let queries = (0..<2).map { turned(Array(all[4 * $0..<4 * $0 + 4]), row) }
      return keys.map { key in
        (0..<2).reduce(0) { sum, head in
          let product = zip(queries[head], key).reduce(0) { $0 + $1.0 * $1.1 }
          return sum + factors[head] / 2.0.squareRoot() * max(0, product / 2)
        }
      }
    }
  }
}
