import Foundation
import Kernels
import Support
import Testing

@testable import Blueprint
@testable import Engine

@Suite struct RotaryTests {
  /// What fixtures/rotary/generate.py wrote.
  struct Cases: Decodable {
    var frequencies: [FrequencyCase]
    var heads: [HeadCase]
    var biases: Biases

    static let all = try? JSONDecoder().decode(
      Cases.self, from: Data(contentsOf: Support.fixtures.appending(path: "rotary/cases.json")))
  }

  struct FrequencyCase: Decodable, Sendable, CustomTestStringConvertible {
    var name: String
    var kind: String
    var theta: Double
    var dimensions: Int
    var length: Int
    var keys: Keys
    var frequencies: [Double]
    var magnitude: Double

    var testDescription: String { name }

    struct Keys: Decodable, Sendable {
      var factor: Double?
      var alpha: Double?
      var low_freq_factor: Double?
      var high_freq_factor: Double?
      var original_max_position_embeddings: Int?
      var beta_fast: Double?
      var beta_slow: Double?
      var attention_factor: Double?
      var mscale: Double?
      var mscale_all_dim: Double?
      var truncate: Bool?
      var short_factor: [Double]?
      var long_factor: [Double]?
      var partial_rotary_factor: Double?
    }

    var rotary: Rotary {
      get throws {
        let original = keys.original_max_position_embeddings ?? 128
        let factor = keys.factor ?? 1
        var rotary = Rotary(theta: theta, dimensions: dimensions)
        switch kind {
        case "linear": rotary.scaling = .linear(factor: factor)
        case "dynamic":
          rotary.scaling =
            keys.alpha.map { .stretchedBase(alpha: $0) }
            ?? .dynamic(factor: factor, original: original)
        case "llama3":
          rotary.scaling = .llama3(
            factor: factor, low: try #require(keys.low_freq_factor),
            high: try #require(keys.high_freq_factor), original: original)
        case "yarn":
          rotary.scaling = .yarn(
            Rotary.Yarn(
              factor: factor, original: original, betaFast: keys.beta_fast ?? 32,
              betaSlow: keys.beta_slow ?? 1, attentionFactor: keys.attention_factor,
              mscale: keys.mscale, mscaleAllDimensions: keys.mscale_all_dim,
              truncates: keys.truncate ?? true))
        case "longrope":
          rotary.scaling = .long(
            try long(original: original, factor: factor, stated: keys.attention_factor))
        default:
          rotary.pairs = Int(Double(dimensions) / 2 * (keys.partial_rotary_factor ?? 1))
          rotary.scaling = factor == 1 ? .none : .linear(factor: factor)
        }
        return rotary
      }
    }

    private func long(
      original: Int, factor: Double, stated: Double?
    ) throws -> Rotary.LongRope {
      Rotary.LongRope(
        short: try #require(keys.short_factor), long: try #require(keys.long_factor),
        original: original, attentionFactor: stated, factor: factor)
    }
  }

  struct HeadCase: Decodable, Sendable {
    var dimensions: Int
    var positions: [Int]
    var magnitude: Double
    var isInterleaved: Bool
    var x: [[Double]]
    var y: [[Double]]
  }

  struct Biases: Decodable {
    var heads: Int
    var positions: [Int]
    var biases: [[Double]]
  }

  @Test func theCasesAreThere() throws {
    let cases = try #require(Cases.all)
    #expect(cases.frequencies.count > 20 && cases.heads.count == 6)
  }

  @Test(arguments: Cases.all?.frequencies ?? [])
  func frequenciesAndMagnitudesAreThoseOfTransformers(_ item: FrequencyCase) throws {
    let rotary = try item.rotary
    let regime = rotary.regime(item.length)
    let found = rotary.frequencies(regime)
    // Pairs that do not turn have the frequency 0 there.
    let expected = item.frequencies.prefix(rotary.pairs ?? item.frequencies.count)
    #expect(found.count == expected.count)
    #expect(item.frequencies.dropFirst(found.count).allSatisfy { $0 == 0 })
    for (ours, theirs) in zip(found, expected) {
      // Theirs are float32, and some are differences.
      #expect(abs(ours - theirs) <= 4e-6 * theirs, "\(ours) instead of \(theirs)")
    }
    #expect(abs(rotary.magnitude(regime) - item.magnitude) <= 1e-12)
  }

  @Test(arguments: Cases.all?.heads.indices ?? 0..<0)
  func headsTurnAsTransformersTurnsThem(_ index: Int) throws {
    let item = try #require(Cases.all?.heads[index])
    let rotary = Rotary(
      theta: 10_000, dimensions: item.dimensions, isInterleaved: item.isInterleaved)
    let table = Rotation.table(
      rotary.frequencies(.any), magnitude: item.magnitude,
      positions: (item.positions.max() ?? 0) + 1, .float64)
    let rotation = Rotation(
      table: table, rows: Indices(item.positions.map { Int32($0) }),
      distance: item.isInterleaved ? 1 : item.dimensions / 2, isInterleaved: item.isInterleaved)
    let x = Matrix(item.x.count, item.x[0].count, .float64)
    x.set(item.x.flatMap { $0 })
    let node = Node(x, isTracked: false)
    Tape(.float64, isRecording: false).rotate(
      Heads(node, count: 2, headSize: item.x[0].count / 2), rotation)
    for (ours, theirs) in zip(x.values, item.y.flatMap { $0 }) {
      #expect(abs(ours - theirs) < 1e-12)
    }
  }

  /// Of two keys that are as good as each other the bias alone decides.
  @Test func roundedBiasesAreThoseOfTransformers() throws {
    let item = try #require(Cases.all?.biases)
    var attention = Attention(8, heads: item.heads, groups: 1, headSize: 2, rotary: nil)
    attention.alibi = ALiBi(isScaled: true, isRounded: true)
    let tape = Tape(.float64, isRecording: false)
    func zeros(_ rows: Int, _ columns: Int) -> Node {
      let matrix = Matrix(rows, columns, .float64)
      matrix.clear()
      return Node(matrix, isTracked: false)
    }
    let values = Matrix(2, 2, .float64)
    values.set([1, 0, 0, 1])
    for index in stride(from: 0, to: item.positions.count, by: 2) {
      let y = tape.attention(
        queries: Heads(zeros(1, 2 * item.heads), count: item.heads, headSize: 2),
        keys: Heads(zeros(2, 2), count: 1, headSize: 2),
        values: Heads(Node(values, isTracked: false), count: 1, headSize: 2),
        AttentionRule(attention), AttentionSpans(queries: 1, keys: 2, origin: item.positions[index])
      )
      for head in 0..<item.heads {
        let difference = log(y.value[0, 2 * head + 1] / y.value[0, 2 * head])
        let expected = (item.biases[head][index + 1] - item.biases[head][index]) / 2.0.squareRoot()
        #expect(abs(difference - expected) < 1e-9)
      }
    }
  }

  @Test func aTableReachesPositionsExactly() {
    // In float32 the product of a large position and a frequency has lost its fraction.
    let frequency = 0.7311
    let table = Rotation.table([frequency], magnitude: 1, positions: 200_001, .float32)
    #expect(abs(table[200_000, 0] - cos(200_000 * frequency)) < 1e-7)
    #expect(abs(table[200_000, 1] - sin(200_000 * frequency)) < 1e-7)
  }

  private static let long = Rotary(
    theta: 10_000, dimensions: 4,
    scaling: .long(
      Rotary.LongRope(short: [1, 1.5], long: [2, 6], original: 8, factor: 4)))
  private static let dynamic = Rotary(
    theta: 10_000, dimensions: 4, scaling: .dynamic(factor: 2, original: 8))

  @Test(arguments: [long, dynamic])
  func sequencesOfABatchTurnAsEachWouldAlone(_ rotary: Rotary) throws {
    let model = try SmallModel.attending { $0.rotary = rotary }.model(.float64)
    let tape = Tape(.float64, isRecording: false)
    let sequences = [8, 20, 3, 9].map { [Int32](repeating: 1, count: $0) }
    func turns(_ batch: Batch) -> [[Double]] {
      let rotation = Pass(model, tape, batch).rotation(rotary)
      return (0..<batch.count).map {
        rotation.table.rows(Int(rotation.rows[$0])..<Int(rotation.rows[$0]) + 1).values
      }
    }
    #expect(turns(Batch(sequences)) == sequences.flatMap { turns(Batch([$0])) })
  }

  @Test func aSequenceOutgrowsItsCacheWhereItsKeysWouldTurnOtherwise() throws {
    let long = try SmallModel.attending { $0.rotary = Self.long }.model(.float32)
    #expect(!long.outgrowsCache(from: 7, to: 8))
    #expect(long.outgrowsCache(from: 8, to: 9))
    #expect(!long.outgrowsCache(from: 9, to: 10))
    let dynamic = try SmallModel.attending { $0.rotary = Self.dynamic }.model(.float32)
    #expect(!dynamic.outgrowsCache(from: 7, to: 8))
    #expect(dynamic.outgrowsCache(from: 9, to: 10))
    let plain = try SmallModel.attending { _ in }.model(.float32)
    #expect(!plain.outgrowsCache(from: 1, to: 100_000))
  }
}
