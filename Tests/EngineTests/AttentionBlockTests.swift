import Blueprint
import Foundation
import Kernels
import Testing

@testable import Engine

/// Attention over more tokens than one block holds, against the formula, summed in double score by score.
@Suite struct AttentionBlockTests {
  /// Sizes, the rule, and the sequences of one computation.
  struct Setting: Sendable {
    var name: String
    var heads = 2
    var groups = 1
    var keySize = 5
    var valueSize = 3
    var lengths = [230]
    /// Keys that only the first sequence has before its queries.
    var earlier = 0
    var change: @Sendable (inout Attention) -> Void = { _ in }
    var sinks: [Double]?

    var layer: Attention {
      var layer = Attention(8, heads: heads, groups: groups, headSize: keySize, rotary: nil)
      change(&layer)
      return layer
    }
    var tokens: Int { lengths.reduce(0, +) }
    var rows: Int { tokens + earlier }
    var spans: AttentionSpans {
      if earlier > 0 { return AttentionSpans(queries: tokens, keys: rows, origin: 0) }
      return AttentionSpans(Batch(lengths.map { [Int32](repeating: 0, count: $0) }))
    }

    var queries: Sample { .matrix("queries", tokens, heads * keySize) }
    var keys: Sample { .matrix("keys", rows, groups * keySize) }
    var values: Sample { .matrix("values", rows, groups * valueSize) }
    var above: Sample { .matrix("above", tokens, heads * valueSize) }

    /// What a head of a query sees by the definition of each rule.
    func sees(_ head: Int, _ query: Int, _ key: Int) -> Bool {
      let layer = layer
      if key > query { return false }
      if let window = layer.window, query - key >= window { return false }
      if let chunk = layer.chunk, query / chunk != key / chunk { return false }
      guard let sparsity = layer.sparsity else { return true }
      let (q, k) = (query / sparsity.size, key / sparsity.size)
      return q - k < sparsity.local || (k + head * sparsity.step + 1) % sparsity.stride == 0
    }

    /// Σ above · softmax(scores) · values.
    func loss(_ q: [Double], _ k: [Double], _ v: [Double], _ above: [Double]) -> Double {
      let layer = layer
      let (scale, cap) = (layer.scale ?? 1 / Double(keySize).squareRoot(), layer.softCap)
      let perGroup = heads / groups
      var (sum, first) = (0.0, 0)
      for length in lengths {
        for query in 0..<length {
          for head in 0..<heads {
            let (position, group) = (query + earlier, head / perGroup)
            let row = ((first + query) * heads + head) * keySize
            var (total, found) = (sinks.map { exp($0[head]) } ?? 0, 0.0)
            for key in 0...position where sees(head, position, key) {
              let column = (first + key) * groups + group
              var score = 0.0
              for c in 0..<keySize { score += q[row + c] * k[column * keySize + c] }
              score *= scale
              if let cap { score = cap * tanh(score / cap) }
              if layer.alibi != nil {
                score -= exp2(-8 * Double(head + 1) / Double(heads)) * Double(position - key)
              }
              let weight = exp(score)
              total += weight
              var product = 0.0
              for c in 0..<valueSize {
                product +=
                  v[column * valueSize + c]
                  * above[((first + query) * heads + head) * valueSize + c]
              }
              found += weight * product
            }
            sum += found / total
          }
        }
        first += length
      }
      return sum
    }
  }

  static let settings: [Setting] = [
    Setting(name: "one block and one token more", lengths: [97]),
    Setting(name: "one token less than a block", lengths: [95], change: { $0.window = 40 }),
    Setting(name: "blocks of queries and of keys"),
    Setting(
      name: "two blocks of keys exactly", groups: 2, keySize: 4, valueSize: 4, lengths: [384]),
    Setting(name: "sequences of every kind", lengths: [1, 191, 2, 33, 100]),
    Setting(name: "sizes beyond a vector", heads: 1, keySize: 70, valueSize: 33, lengths: [130]),
    Setting(name: "a window beside a block's border", change: { $0.window = 97 }),
    Setting(name: "a window of two blocks", lengths: [300], change: { $0.window = 192 }),
    Setting(name: "chunks of a block", lengths: [250], change: { $0.chunk = 96 }),
    Setting(name: "chunks of an odd size", lengths: [150, 101], change: { $0.chunk = 37 }),
    Setting(name: "a soft cap", change: { $0.softCap = 0.9 }),
    Setting(name: "scores turned round", lengths: [110], change: { $0.scale = -0.3 }),
    Setting(name: "biases", heads: 4, groups: 2, change: { $0.alibi = ALiBi(isScaled: false) }),
    Setting(name: "sinks", lengths: [150, 50], change: { $0.window = 60 }, sinks: [0.5, -1]),
    Setting(
      name: "sparse blocks",
      change: { $0.sparsity = BlockSparsity(size: 16, local: 2, stride: 3, step: 1) }),
    Setting(name: "earlier keys", lengths: [120], earlier: 110),
    Setting(
      name: "few queries of many keys", lengths: [3], earlier: 300, change: { $0.window = 250 }),
    Setting(name: "a cap, a window and earlier keys", lengths: [100], earlier: 150) {
      $0.window = 120
      $0.softCap = 2
    },
  ]

  @Test(arguments: settings) func outputsAndGradientsAreThoseOfTheFormula(_ setting: Setting) {
    let samples = [setting.queries, setting.keys, setting.values]
    let nodes = samples.map { Node($0.matrix(.float64, seed: 1), isTracked: true) }
    let above = setting.above.values(seed: 1)
    let tape = Tape(.float64, isRecording: true)
    let output = tape.attention(
      queries: Heads(nodes[0], count: setting.heads, headSize: setting.keySize),
      keys: Heads(nodes[1], count: setting.groups, headSize: setting.keySize),
      values: Heads(nodes[2], count: setting.groups, headSize: setting.valueSize),
      AttentionRule(setting.layer), setting.spans,
      sinks: setting.sinks.map {
        Sample.vector("sinks", $0.count).parameter($0, .float64)
      })
    let gradient = Matrix(output.rows, output.columns, .float64)
    gradient.set(above)
    output.add(gradient)
    tape.runBackward()

    let values = nodes.map(\.value.values)
    let loss = zip(output.value.values, above).reduce(0) { $0 + $1.0 * $1.1 }
    let expected = setting.loss(values[0], values[1], values[2], above)
    #expect(abs(loss - expected) < 1e-11 * Double(setting.tokens), "\(setting.name)")
    // Along a direction of all inputs together, and along one of each alone.
    for wanted in [0..<3, 0..<1, 1..<2, 2..<3] {
      let directions = samples.enumerated().map { index, sample in
        sample.values(seed: 7 + UInt64(wanted.lowerBound))
          .map { wanted.contains(index) ? $0 : 0 }
      }
      func moved(_ step: Double) -> Double {
        let all = zip(values, directions).map { zip($0, $1).map { $0 + step * $1 } }
        return setting.loss(all[0], all[1], all[2], above)
      }
      let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5
      let ours = zip(nodes, directions).reduce(0.0) { sum, pair in
        sum + zip(pair.0.gradient?.values ?? [], pair.1).reduce(0) { $0 + $1.0 * $1.1 }
      }
      #expect(abs(slope - ours) < 1e-7 * max(1, abs(slope)), "\(setting.name), inputs \(wanted)")
    }
  }
}
