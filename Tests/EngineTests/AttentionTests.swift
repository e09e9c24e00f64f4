import Blueprint
import Foundation
import Kernels
import Support
import Testing

@testable import Engine

/// Attention against values and gradients that PyTorch computed with the whole matrix of scores.
@Suite struct AttentionTests {
  /// One of fixtures/attention; its `generate.py` says what the keys mean.
  struct Case: Decodable, Sendable {
    struct Sparsity: Decodable {
      var size, local, stride, step: Int
    }

    var heads, groups, keySize, valueSize, earlier: Int
    var lengths: [Int]
    var window: Int?
    var chunk: Int?
    var softCap: Double?
    var scale: Double?
    var isBiased: Bool?
    var isBiasScaled: Bool?
    var isBiasRounded: Bool?
    var sparsity: Sparsity?
    var picked: [[Int]]?
    var sinks: [Double]?
    var queries, keys, values, above, output: [Double]
    var ofQueries, ofKeys, ofValues: [Double]
    var ofSinks: [Double]?

    /// As a blueprint tells it.
    var rule: AttentionRule {
      var layer = Attention(8, heads: heads, groups: groups, headSize: keySize, rotary: nil)
      layer.window = window
      layer.chunk = chunk
      layer.softCap = softCap
      layer.scale = scale
      if let isBiased, isBiased {
        layer.alibi = ALiBi(isScaled: isBiasScaled ?? false, isRounded: isBiasRounded ?? false)
      }
      layer.sparsity = sparsity.map {
        BlockSparsity(size: $0.size, local: $0.local, stride: $0.stride, step: $0.step)
      }
      return AttentionRule(layer)
    }

    var selection: KeySelection? {
      guard let picked else { return nil }
      let selection = KeySelection(
        queries: picked.count, keys: earlier + (lengths.max() ?? 0))
      for (query, keys) in picked.enumerated() {
        for key in keys { selection.see(query, key) }
      }
      return selection
    }

    var spans: AttentionSpans {
      let starts = lengths.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }
      if earlier > 0 {
        return AttentionSpans(queries: lengths[0], keys: earlier + lengths[0], origin: 0)
      }
      let count = lengths.reduce(0, +)
      return AttentionSpans(
        Batch(
          tokens: [Int32](repeating: 0, count: count),
          labels: [Int32](repeating: 0, count: count), starts: starts))
    }
  }

  static let cases: [String: Case] = {
    let file = Support.fixtures.appending(path: "attention/cases.json")
    do {
      return try JSONDecoder().decode([String: Case].self, from: Data(contentsOf: file))
    } catch {
      Issue.record("\(file.path): \(error)")
      return [:]
    }
  }()

  /// Rows of numbers as a node.
  private func node(_ values: [Double], _ columns: Int, _ numbers: Numbers) -> Node {
    let matrix = Matrix(values.count / columns, columns, numbers)
    matrix.set(values)
    return Node(matrix, isTracked: true)
  }

  private func difference(_ ours: [Double], _ theirs: [Double]) -> Double {
    #expect(ours.count == theirs.count)
    return zip(ours, theirs).map { abs($0 - $1) }.max() ?? .infinity
  }

  @Test func thereAreCases() { #expect(Self.cases.count == 22) }

  /// In units of the last place of each type, of numbers of size one.
  @Test(arguments: cases.keys.sorted(), [Numbers.float64, .float32, .bfloat16])
  func valuesAndGradientsAreThoseOfTheWholeMatrix(_ name: String, _ numbers: Numbers) throws {
    let this = try #require(Self.cases[name])
    let tape = Tape(numbers, isRecording: true)
    let queries = node(this.queries, this.heads * this.keySize, numbers)
    let keys = node(this.keys, this.groups * this.keySize, numbers)
    let values = node(this.values, this.groups * this.valueSize, numbers)
    let sinks = this.sinks.map { Sample.vector("sinks", $0.count).parameter($0, numbers) }
    let output = tape.attention(
      queries: Heads(queries, count: this.heads, headSize: this.keySize),
      keys: Heads(keys, count: this.groups, headSize: this.keySize),
      values: Heads(values, count: this.groups, headSize: this.valueSize), this.rule, this.spans,
      sinks: sinks, selection: this.selection)
    let above = Matrix(output.rows, output.columns, numbers)
    above.set(this.above)
    output.add(above)
    tape.runBackward()
    let bound: Double =
      switch numbers {
      case .float64: 2e-14
      case .float32: 4e-6
      case .bfloat16: 6e-2
      }
    #expect(difference(output.value.values, this.output) < bound)
    let all = [
      (queries.gradient, this.ofQueries), (keys.gradient, this.ofKeys),
      (values.gradient, this.ofValues),
    ]
    for (ours, theirs) in all {
      #expect(difference(try #require(ours).values, theirs) < bound)
    }
    if let sinks, let ofSinks = this.ofSinks {
      #expect(difference(try #require(sinks.gradient).values, ofSinks) < bound)
    }
  }
}

extension Sample {
  /// Given numbers as a parameter.
  func parameter(_ values: [Double], _ numbers: Numbers) -> Parameter {
    let parameter = parameter(numbers, seed: 0)
    parameter.value.set(values)
    return parameter
  }
}
