import Kernels
import Testing

@testable import Engine

/// Mamba-2's recurrence in chunks.
@Suite struct MambaTests {
  typealias Outcome = OperationCheck.Outcome

  private func shape(
    groups: Int = 2, limit: (Double, Double) = (0, .infinity), chunk: Int
  ) -> StateSpaceShape {
    StateSpaceShape(
      heads: 4, headSize: 3, groups: groups, state: 5, stepLimit: limit, chunk: chunk)
  }

  private func inputs(_ tokens: Int, groups: Int = 2) -> [Sample] {
    [.matrix("channels", tokens, 12 + 10 * groups), .matrix("steps", tokens, 4, mean: -1)]
  }

  private let weights: [Sample] = [
    .vector("decay", 4, deviation: 0.7), .vector("skip", 4),
    .vector("step bias", 4, deviation: 0.5),
  ]

  private func own(_ w: [Parameter]) -> StateSpaceParameters {
    StateSpaceParameters(decay: w[0], skip: w[1], stepBias: w[2])
  }

  /// Sums go over tokens and heads.
  private let bounds = OperationCheck.Bounds(float32: 32)

  @Test(arguments: [1, 3, 4, 64]) func stateSpaceLearns(_ chunk: Int) throws {
    let shape = shape(chunk: chunk)
    try OperationCheck("state space, chunks of \(chunk)", inputs(11), weights) { tape, x, w in
      Outcome(
        tape.stateSpace(x[0], steps: Columns(x[1]), own(w), shape, [0..<6, 6..<7, 7..<11]))
    }.run(bounds)
  }

  @Test func stateSpaceOfOneGroupLearns() throws {
    let shape = shape(groups: 1, chunk: 4)
    try OperationCheck("state space of one group", inputs(9, groups: 1), weights) { tape, x, w in
      Outcome(tape.stateSpace(x[0], steps: Columns(x[1]), own(w), shape, [0..<9]))
    }.run(bounds)
  }

  /// Sums of 53 tokens, in blocks of enough rows for products of rounded factors.
  @Test func stateSpaceOfLongChunksLearns() throws {
    let shape = shape(chunk: 32)
    try OperationCheck("state space of long chunks", inputs(53), weights) { tape, x, w in
      Outcome(tape.stateSpace(x[0], steps: Columns(x[1]), own(w), shape, [0..<53]))
    }.run(.init(float32: 64, bfloat16: 3))
  }

  @Test func stepsStayWithinTheirBounds() throws {
    let shape = shape(limit: (0.25, 0.75), chunk: 4)
    try OperationCheck("state space with bounds", inputs(9), weights) { tape, x, w in
      Outcome(
        tape.stateSpace(x[0], steps: Columns(x[1]), own(w), shape, [0..<9]),
        tape.scaled(x[1], by: 2))
    }.run(bounds)
  }

  @Test func stateSpaceIsThatOfTransformers() throws {
    for (name, tokens, limit) in [("state_space", 70, (0, .infinity)), ("bounded", 19, (0.2, 0.9))]
    {
      let shape = StateSpaceShape(
        heads: 4, headSize: 6, groups: 2, state: 5, stepLimit: limit)
      try PeerNumbers(name).check(
        ["channels", "steps"], ["decay", "skip", "step_bias"], float32: 3e-5
      ) { tape, x, w in
        tape.stateSpace(x[0], steps: Columns(x[1]), own(w), shape, [0..<tokens])
      }
    }
  }

  /// The result and the gradients of channels, steps, decay, skip and step bias.
  private func computed(
    _ shape: StateSpaceShape, _ sequences: [Range<Int>], tokens: Int, numbers: Numbers = .float64
  ) -> [Matrix] {
    let nodes = inputs(tokens).map { Node($0.matrix(numbers, seed: 1), isTracked: true) }
    let parameters = weights.map { $0.parameter(numbers, seed: 1) }
    let tape = Tape(numbers, isRecording: true)
    let y = tape.stateSpace(
      nodes[0], steps: Columns(nodes[1]), own(parameters), shape, sequences)
    let value = y.value.copied()
    y.add(Sample.matrix("factors", tokens, 12).matrix(numbers, seed: 2))
    tape.runBackward()
    return [value] + nodes.compactMap(\.gradient) + parameters.compactMap(\.gradient)
  }

  private func expectSame(_ ours: [Matrix], _ theirs: [Matrix], _ bound: Double = 1e-11) {
    #expect(ours.count == 6 && theirs.count == 6)
    for (one, other) in zip(ours, theirs) {
      let most = other.values.reduce(0) { max($0, abs($1)) }
      let worst = zip(one.values, other.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(worst <= bound * most)
    }
  }

  /// Chunks of one and of two keep some of the states only, and compute the others again.
  @Test func chunkSizeChangesNothing() {
    let whole = computed(shape(chunk: 128), [0..<90], tokens: 90)
    for chunk in [1, 2, 16, 33, 64] {
      expectSame(computed(shape(chunk: chunk), [0..<90], tokens: 90), whole)
    }
  }

  @Test func theWorkIsSharedWhole() {
    for threads in [1, 2, 3, 8, 64] {
      for sequences in [[0..<100], [0..<7, 7..<100], [0..<1, 1..<1, 1..<50, 50..<100]] {
        let shape = StateSpaceShape(
          heads: 12, headSize: 4, groups: 2, state: 4, stepLimit: (0, .infinity))
        var met = [[Int]](
          repeating: [Int](repeating: 0, count: 12), count: sequences.count)
        for unit in shape.units(sequences, threads: threads) {
          #expect(unit.unit.first_row == sequences[unit.sequence].lowerBound)
          #expect(unit.unit.rows == sequences[unit.sequence].count)
          for head in unit.unit.first_head..<unit.unit.first_head + unit.unit.heads {
            #expect(head / 6 == unit.group)
            met[unit.sequence][head] += 1
          }
        }
        for (heads, rows) in zip(met, sequences) {
          #expect(heads.allSatisfy { $0 == (rows.isEmpty ? 0 : 1) })
        }
      }
    }
  }

  /// The states that earlier tokens leave make later ones go on as if nothing had happened.
  @Test(arguments: [[23], [1, 22], [9, 1, 1, 12]]) func stateSpaceGoesOn(_ lengths: [Int]) {
    let nodes = inputs(23).map { $0.matrix(.float64, seed: 1) }
    let parameters = weights.map { $0.parameter(.float64, seed: 1) }
    let shape = shape(chunk: 4)
    let tape = Tape(.float64, isRecording: false)
    func computed(_ rows: Range<Int>, _ states: Matrix?) -> Matrix {
      let part = nodes.map { Node($0.rows(rows), isTracked: false) }
      return tape.stateSpace(
        part[0], steps: Columns(part[1]), own(parameters), shape, [0..<rows.count],
        states: states
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
