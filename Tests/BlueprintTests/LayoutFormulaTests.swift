import Blueprint
import Tensors
import Testing

/// The fused layouts against the index formulas of TRANSFORMS.md §1, which were checked there element by
/// element against the merge functions of Megatron-Bridge.
struct LayoutFormulaTests {
  struct Sizes: CustomTestStringConvertible, Sendable {
    var heads: Int
    var groups: Int
    var headSize: Int
    var testDescription: String { "\(heads) heads, \(groups) groups of \(headSize)" }
  }

  static let sizes = [
    Sizes(heads: 4, groups: 4, headSize: 3), Sizes(heads: 6, groups: 2, headSize: 4),
    Sizes(heads: 5, groups: 1, headSize: 2), Sizes(heads: 8, groups: 4, headSize: 6),
  ]

  /// Where each Megatron row comes from: part and row.
  private func sources(_ slot: Slot) throws -> [Source] {
    guard case .rows(let segments) = slot.layout else {
      Issue.record("no list of rows")
      return []
    }
    return segments.flatMap { segment in
      (0..<segment.count).map {
        Source(part: segment.part, row: segment.first + $0 * segment.stride)
      }
    }
  }

  struct Source: Equatable {
    var part: Int
    var row: Int
  }

  private func queryKeyValue(
    _ sizes: Sizes, _ projection: Attention.Projection, _ kind: Role.Kind
  ) throws -> Slot {
    let attention = Attention(
      12, heads: sizes.heads, groups: sizes.groups, headSize: sizes.headSize, rotary: nil,
      inputBias: true, projection: projection)
    return try #require(attention.slots.first { $0.role == .queryKeyValue(kind) })
  }

  /// Calls `body` with each row's place in Megatron and its place among [queries; keys; values].
  private func eachRow(_ sizes: Sizes, _ body: (Int, Int, Int) -> Void) {
    let (d, g) = (sizes.headSize, sizes.groups)
    let n = sizes.heads / g
    for x in 0..<sizes.heads {
      for e in 0..<d { body(((x / n) * (n + 2) + x % n) * d + e, 0, x * d + e) }
    }
    for group in 0..<g {
      for e in 0..<d {
        body((group * (n + 2) + n) * d + e, 1, group * d + e)
        body((group * (n + 2) + n + 1) * d + e, 2, group * d + e)
      }
    }
  }

  @Test(arguments: sizes, [Role.Kind.weight, .bias])
  func separateQueriesKeysAndValuesInterleaveByGroup(_ sizes: Sizes, _ kind: Role.Kind) throws {
    let slot = try queryKeyValue(sizes, .separate(query: "q", key: "k", value: "v"), kind)
    let sources = try sources(slot)
    #expect(sources.count == (sizes.heads + 2 * sizes.groups) * sizes.headSize)
    eachRow(sizes) { row, part, source in
      #expect(sources[row] == Source(part: part, row: source))
    }
  }

  @Test(arguments: sizes, [Role.Kind.weight, .bias])
  func stackedQueriesKeysAndValuesInterleaveByGroup(_ sizes: Sizes, _ kind: Role.Kind) throws {
    // Phi-3: rows [Q; K; V].
    let sources = try sources(queryKeyValue(sizes, .stacked("qkv_proj"), kind))
    let queries = sizes.heads * sizes.headSize
    let keys = sizes.groups * sizes.headSize
    eachRow(sizes) { row, part, source in
      let start = [0, queries, queries + keys][part]
      #expect(sources[row] == Source(part: 0, row: start + source))
    }
  }

  @Test(arguments: sizes, [Role.Kind.weight, .bias])
  func groupedQueriesKeysAndValuesStayWhereTheyAre(_ sizes: Sizes, _ kind: Role.Kind) throws {
    // transformers views Falcon's rows as [groups, n + 2, d] and GPT-NeoX's as [heads, 3, d].
    let sources = try sources(queryKeyValue(sizes, .grouped("query_key_value"), kind))
    let (d, n) = (sizes.headSize, sizes.heads / sizes.groups)
    eachRow(sizes) { row, part, source in
      let (head, e) = (source / d, source % d)
      let group = part == 0 ? head / n : head
      let slotInGroup = [head % n, n, n + 1][part]
      #expect(sources[row] == Source(part: 0, row: (group * (n + 2) + slotInGroup) * d + e))
    }
  }

  @Test func gateComesBeforeUpWhetherTheyAreOneTensorOrTwo() throws {
    let separate = try #require(MLP(6, inner: 5, .silu).slots.first)
    let stacked = try #require(MLP(6, inner: 5, .silu, input: .stacked("gate_up")).slots.first)
    for row in 0..<5 {
      #expect(try sources(separate)[row] == Source(part: 0, row: row))
      #expect(try sources(separate)[5 + row] == Source(part: 1, row: row))
    }
    #expect(try sources(stacked) == (0..<10).map { Source(part: 0, row: $0) })
    #expect(separate.shape == [10, 6] && stacked.shape == [10, 6])
    #expect(separate.parts.map(\.shape) == [[5, 6], [5, 6]])
  }

  @Test func expertsLieOneAfterTheOtherEachWithItsGateBeforeItsUp() throws {
    let router = Router("gate", .softmax, perToken: 1, isNormalized: true)
    let experts = Experts(4, count: 3, inner: 2, .silu, router: router)
    let bank = try #require(experts.slots.first { $0.role == .expertFC1(.weight) })
    #expect(bank.shape == [3, 4, 4])
    let sources = try sources(bank)
    for expert in 0..<3 {
      for row in 0..<2 {
        #expect(sources[expert * 4 + row] == Source(part: expert * 2, row: row))
        #expect(sources[expert * 4 + 2 + row] == Source(part: expert * 2 + 1, row: row))
      }
      #expect(bank.parts[expert * 2].name == "mlp.experts.\(expert).gate_proj.weight")
    }
  }
}
