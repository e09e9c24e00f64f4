import Blueprint
import Kernels
import Testing

@testable import Engine

/// Attention with keys and values of earlier passes, and what must not change what it computes.
@Suite struct AttentionCacheTests {
  private let heads = 4
  private let groups = 2
  private let size = 6

  /// Packed queries, keys and values of so many tokens.
  private func packed(_ tokens: Int, _ numbers: Numbers = .float64, seed: UInt64 = 3) -> Matrix {
    Sample.matrix("packed", tokens, (heads + 2 * groups) * size).matrix(numbers, seed: seed)
  }

  private func attended(
    _ packed: Matrix, _ rule: AttentionRule, _ spans: AttentionSpans, _ tape: Tape
  ) -> (input: Node, output: Node) {
    let input = Node(packed, isTracked: true)
    let (queries, _, keys, values) = Heads.grouped(
      input, heads: heads, groups: groups, headSize: size)
    return (
      input, tape.attention(queries: queries, keys: keys, values: values, rule, spans)
    )
  }

  private func spans(_ lengths: [Int]) -> AttentionSpans {
    AttentionSpans(Batch(lengths.map { [Int32](repeating: 0, count: $0) }))
  }

  private func rule(
    window: Int? = nil, chunk: Int? = nil, sparsity: BlockSparsity? = nil
  ) -> AttentionRule {
    var rule = AttentionRule(scale: 0.4)
    (rule.window, rule.chunk, rule.sparsity) = (window, chunk, sparsity)
    return rule
  }

  /// Attention to the keys of a cache that grows by the given passes.
  private func grown(_ all: Matrix, by passes: [Int], _ rule: AttentionRule) -> [Double] {
    var (first, outputs, state) = (0, [Double](), KeyValueCache?.none)
    for count in passes {
      let node = Node(all.rows(first..<first + count), isTracked: false)
      let (queries, _, keys, values) = Heads.grouped(
        node, heads: heads, groups: groups, headSize: size)
      let cache = state ?? KeyValueCache(keys: keys, values: values, rule)
      state = cache
      cache.append(keys: keys, values: values)
      let tape = Tape(all.numbers, isRecording: false)
      outputs += cache.attended(queries, rule, tape).value.values
      first += count
    }
    return outputs
  }

  private static let rules: [(name: String, window: Int?, chunk: Int?)] = [
    ("all", nil, nil), ("a window", 30, nil), ("a window of one", 1, nil), ("chunks", nil, 25),
    ("a window beyond the tokens", 1000, nil),
  ]

  @Test(
    arguments: rules.indices,
    [[1, 300], [298, 1, 1, 1], [100, 7, 97, 1, 96], Array(repeating: 1, count: 301)])
  func aCacheChangesNothing(_ index: Int, _ passes: [Int]) {
    let (_, window, chunk) = Self.rules[index]
    let rule = rule(window: window, chunk: chunk)
    let all = packed(301)
    let tape = Tape(.float64, isRecording: false)
    let whole = attended(all, rule, spans([301]), tape).output.value.values
    let ours = grown(all, by: passes, rule)
    #expect(zip(whole, ours).map { abs($0 - $1) }.max() ?? 1 < 1e-14)
    #expect(whole.count == ours.count)
  }

  @Test func blockSparsityCountsFromTheSequencesStart() {
    let rule = rule(sparsity: BlockSparsity(size: 8, local: 2, stride: 4, step: 1))
    let all = packed(130)
    let tape = Tape(.float64, isRecording: false)
    let whole = attended(all, rule, spans([130]), tape).output.value.values
    let ours = grown(all, by: [61, 1, 40, 28], rule)
    #expect(zip(whole, ours).map { abs($0 - $1) }.max() ?? 1 < 1e-14)
  }

  @Test func aWindowKeepsNoMoreThanItNeeds() {
    let rows = KeptRows(3, .float32, reach: 10)
    var (written, largest) = (0, 0)
    for pass in 0..<500 {
      let room = rows.grow(by: 1 + pass % 4)
      for row in 0..<room.rows { room[row, 0] = Double(written + row) }
      written += room.rows
      #expect(rows.count >= min(written, 10 + room.rows - 1))
      #expect(rows.origin + rows.count == written)
      #expect(rows.rows[0, 0] == Double(rows.origin))
      #expect(rows.rows[rows.count - 1, 0] == Double(written - 1))
      largest = max(largest, rows.count)
    }
    #expect(largest <= 64)
  }

  /// Numbers, not only values: each row is computed alone.
  @Test(arguments: [Numbers.float64, .float32, .bfloat16])
  func packedSequencesAreThoseApart(_ numbers: Numbers) {
    let lengths = [50, 1, 193, 96]
    let all = packed(lengths.reduce(0, +), numbers)
    func gradients(_ matrix: Matrix, _ spans: AttentionSpans) -> ([Double], [Double]) {
      let tape = Tape(numbers, isRecording: true)
      let (input, output) = attended(matrix, rule(window: 120), spans, tape)
      output.add(output.value.copied())
      tape.runBackward()
      return (output.value.values, input.gradient?.values ?? [])
    }
    let (together, ofTogether) = gradients(all, spans(lengths))
    var (apart, ofApart, first) = ([Double](), [Double](), 0)
    for length in lengths {
      let (one, ofOne) = gradients(all.rows(first..<first + length), spans([length]))
      apart += one
      ofApart += ofOne
      first += length
    }
    #expect(together == apart)
    #expect(ofTogether == ofApart)
  }

  @Test func theSameComesOutEachTime() {
    func run() -> ([Double], [Double]) {
      let tape = Tape(.bfloat16, isRecording: true)
      let (input, output) = attended(
        packed(500, .bfloat16), rule(), spans([300, 200]), tape)
      output.add(output.value.copied())
      tape.runBackward()
      return (output.value.values, input.gradient?.values ?? [])
    }
    let first = run()
    for _ in 0..<5 {
      let next = run()
      #expect(first.0 == next.0 && first.1 == next.1)
    }
  }

  @Test func aQueryThatSeesNothingFindsZero() {
    let tape = Tape(.float64, isRecording: true)
    let input = Node(packed(7), isTracked: true)
    let (queries, _, keys, values) = Heads.grouped(
      input, heads: heads, groups: groups, headSize: size)
    let selection = KeySelection(queries: 7, keys: 7)
    for query in 0..<7 where query != 4 { selection.see(query, query) }
    // What is behind a query stays unseen.
    selection.see(4, 5)
    let output = tape.attention(
      queries: queries, keys: keys, values: values, rule(), spans([7]), selection: selection)
    output.add(output.value.copied())
    tape.runBackward()
    #expect(output.value.rows(4..<5).values.allSatisfy { $0 == 0 })
    #expect(output.value.rows(5..<6).values.allSatisfy { $0 != 0 })
    let gradient = input.gradient?.values ?? []
    #expect(gradient.allSatisfy(\.isFinite) && gradient.contains { $0 != 0 })
  }

  /// Of everything at once, in all number types.
  @Test func attentionLearns() throws {
    var rule = rule(window: 5)
    rule.softCap = 1.2
    rule.slopes = [0.5, 0.25, 0.1, 0]
    try OperationCheck(
      "attention", [.matrix("packed", 9, (heads + 2 * groups) * size)], [.vector("sinks", heads)]
    ) { [heads, groups, size, rule] tape, nodes, weights in
      let (queries, _, keys, values) = Heads.grouped(
        nodes[0], heads: heads, groups: groups, headSize: size)
      return OperationCheck.Outcome(
        tape.attention(
          queries: queries, keys: keys, values: values, rule,
          AttentionSpans(Batch([[0, 0, 0], [0, 0, 0, 0, 0, 0]])), sinks: weights[0]))
    }.run()
  }

  @Test func attentionOfSeparateNodesLearns() throws {
    try OperationCheck(
      "attention of separate nodes",
      [.matrix("queries", 8, 12), .matrix("keys", 8, 6), .matrix("values", 8, 10)]
    ) { tape, nodes, _ in
      OperationCheck.Outcome(
        tape.attention(
          queries: Heads(nodes[0], count: 4, headSize: 3),
          keys: Heads(nodes[1], count: 2, headSize: 3),
          values: Heads(nodes[2], count: 2, headSize: 5), AttentionRule(scale: 0.6),
          AttentionSpans(Batch([[0, 0, 0, 0, 0, 0, 0, 0]]))))
    }.run()
  }
}
