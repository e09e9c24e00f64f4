import Kernels
import Testing

@testable import Engine

/// The gated delta rule in chunks.
@Suite struct DeltaNetTests {
  typealias Outcome = OperationCheck.Outcome

  private func shape(chunk: Int, keyHeads: Int = 2) -> DeltaRuleShape {
    DeltaRuleShape(
      keyHeads: keyHeads, valueHeads: 4, keySize: 5, valueSize: 3, eps: 1e-3, chunk: chunk)
  }

  private func inputs(_ tokens: Int, keyHeads: Int = 2) -> [Sample] {
    [.matrix("channels", tokens, 10 * keyHeads + 12), .matrix("gates", tokens, 8)]
  }

  private let weights: [Sample] = [
    .vector("decay", 4, mean: -1, deviation: 0.7), .vector("step bias", 4, deviation: 0.5),
  ]

  /// Sums go over tokens and heads.
  private let bounds = OperationCheck.Bounds(float32: 32)

  @Test(arguments: [1, 3, 4, 64]) func deltaRuleLearns(_ chunk: Int) throws {
    let shape = shape(chunk: chunk)
    try OperationCheck("delta rule, chunks of \(chunk)", inputs(11), weights) { tape, x, w in
      Outcome(
        tape.deltaRule(
          x[0], gates: Columns(x[1]), decay: w[0], stepBias: w[1], shape,
          [0..<6, 6..<7, 7..<11]))
    }.run(bounds)
  }

  @Test func deltaRuleWithAKeyForEachValueLearns() throws {
    let shape = shape(chunk: 16, keyHeads: 4)
    try OperationCheck(
      "delta rule, a key for each value", inputs(21, keyHeads: 4), weights
    ) { tape, x, w in
      Outcome(
        tape.deltaRule(x[0], gates: Columns(x[1]), decay: w[0], stepBias: w[1], shape, [0..<21]),
        tape.scaled(x[1], by: 2))
    }.run(bounds)
  }

  @Test func deltaRuleIsThatOfTransformers() throws {
    let shape = DeltaRuleShape(keyHeads: 2, valueHeads: 4, keySize: 6, valueSize: 5)
    try PeerNumbers("delta_rule").check(
      ["channels", "gates"], ["decay", "step_bias"], float32: 3e-5
    ) { tape, x, w in
      tape.deltaRule(x[0], gates: Columns(x[1]), decay: w[0], stepBias: w[1], shape, [0..<70])
    }
  }

  /// The result and the gradients of channels, gates, decay and step bias.
  private func computed(_ shape: DeltaRuleShape, tokens: Int) -> [Matrix] {
    let nodes = inputs(tokens).map { Node($0.matrix(.float64, seed: 1), isTracked: true) }
    let parameters = weights.map { $0.parameter(.float64, seed: 1) }
    let tape = Tape(.float64, isRecording: true)
    let y = tape.deltaRule(
      nodes[0], gates: Columns(nodes[1]), decay: parameters[0], stepBias: parameters[1], shape,
      [0..<tokens])
    let value = y.value.copied()
    y.add(Sample.matrix("factors", tokens, 12).matrix(.float64, seed: 2))
    tape.runBackward()
    return [value] + nodes.compactMap(\.gradient) + parameters.compactMap(\.gradient)
  }

  /// Chunks of one and of two keep some of the states only, and compute the others again.
  @Test func chunkSizeChangesNothing() {
    let whole = computed(shape(chunk: 128), tokens: 90)
    #expect(whole.count == 5)
    for chunk in [1, 2, 16, 33, 64] {
      let ours = computed(shape(chunk: chunk), tokens: 90)
      for (one, other) in zip(ours, whole) {
        let most = other.values.reduce(0) { max($0, abs($1)) }
        let worst = zip(one.values, other.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(worst <= 1e-11 * most)
      }
    }
  }

  /// The states that earlier tokens leave make later ones go on as if nothing had happened.
  @Test(arguments: [[23], [1, 22], [9, 1, 1, 12]]) func deltaRuleGoesOn(_ lengths: [Int]) {
    let nodes = inputs(23).map { $0.matrix(.float64, seed: 1) }
    let parameters = weights.map { $0.parameter(.float64, seed: 1) }
    let shape = shape(chunk: 4)
    let tape = Tape(.float64, isRecording: false)
    func computed(_ rows: Range<Int>, _ states: Matrix?) -> Matrix {
      let part = nodes.map { Node($0.rows(rows), isTracked: false) }
      return tape.deltaRule(
        part[0], gates: Columns(part[1]), decay: parameters[0], stepBias: parameters[1], shape,
        [0..<rows.count], states: states
      ).value
    }
    let whole = computed(0..<23, nil).values
    let memory = MixerMemory(rows: 0, channels: 1, .float64)
    var found: [Double] = []
    var first = 0
    for length in lengths {
      found += computed(first..<first + length, memory.states(4, shape.stateSize)).values
      first += length
    }
    #expect(zip(found, whole).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(found.count == whole.count)
  }
}
