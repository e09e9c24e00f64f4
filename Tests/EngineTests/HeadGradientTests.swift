import Blueprint
import Kernels
import Testing

@testable import Engine

/// The gradients of what works on heads where they lie.
@Suite struct HeadGradientTests {
  typealias Outcome = OperationCheck.Outcome

  /// Four query heads of four numbers in two groups, with keys, values and perhaps gates between them.
  private static func grouped(
    _ node: Node, isGated: Bool = false
  ) -> (queries: Heads, gates: Heads?, keys: Heads, values: Heads) {
    Heads.grouped(node, heads: 4, groups: 2, headSize: 4, isGated: isGated)
  }

  private static let rotaries = [
    Rotary(theta: 100, dimensions: 4), Rotary(theta: 100, dimensions: 2),
    Rotary(theta: 100, dimensions: 4, pairs: 1),
    Rotary(theta: 100, dimensions: 4, isInterleaved: true),
    Rotary(theta: 100, dimensions: 2, isInterleaved: true),
    Rotary(theta: 100, dimensions: 4, pairs: 1, isInterleaved: true),
  ]

  @Test(arguments: rotaries) func turnedHeadsLearn(_ rotary: Rotary) throws {
    let name = [
      "rotation of \(rotary.dimensions)", rotary.pairs.map { "\($0) pair" },
      rotary.isInterleaved ? "neighbours" : "halves",
    ].compactMap(\.self).joined(separator: ", ")
    try OperationCheck(name, [.matrix("x", 5, 32)]) { tape, x, _ in
      let y = tape.scaled(x[0], by: 2)
      let heads = Self.grouped(y)
      let rotation = Rotation(
        table: Rotation.table(
          rotary.frequencies(.any), magnitude: 1.25, positions: 8, tape.numbers.accumulated),
        rows: Indices([0, 1, 2, 7, 3]), distance: rotary.isInterleaved ? 1 : rotary.dimensions / 2,
        isInterleaved: rotary.isInterleaved)
      tape.rotate(heads.queries, rotation)
      tape.rotate(heads.keys, rotation)
      return Outcome(y)
    }.run()
  }

  @Test func scaledHeadsLearn() throws {
    try OperationCheck("head scale by token", [.matrix("x", 3, 32)]) { tape, x, _ in
      let y = tape.scaled(x[0], by: 2)
      let factors = Matrix([0.5, -1.25, 3], tape.numbers.accumulated).reshaped(3, 1)
      tape.scale(Self.grouped(y).queries, by: factors)
      return Outcome(y)
    }.run()
    try OperationCheck("head scale", [.matrix("x", 3, 32)]) { tape, x, _ in
      let y = tape.scaled(x[0], by: 2)
      tape.scale(Self.grouped(y).keys, by: Matrix([1.75], tape.numbers.accumulated))
      return Outcome(y)
    }.run()
  }

  @Test func clippedHeadsLearn() throws {
    // The limit is no number that bfloat16 holds: no sample lies on it.
    try OperationCheck("clip", [.matrix("x", 5, 32)]) { tape, x, _ in
      let heads = Self.grouped(x[0])
      return Outcome(
        tape.clipped(heads.queries, at: 0.7).node, tape.clipped(heads.keys, at: 1.3).node,
        tape.clipped(heads.values, at: 0.3).node)
    }.run()
  }

  @Test func gatedHeadsLearn() throws {
    try OperationCheck("head gate", [.matrix("x", 5, 16), .matrix("packed", 5, 48)]) { tape, x, _ in
      guard let gates = Self.grouped(x[1], isGated: true).gates else { return Outcome() }
      return Outcome(tape.gated(x[0], by: gates))
    }.run()
  }

  @Test func joinedKeysLearn() throws {
    try OperationCheck("join keys", [.matrix("up", 5, 24), .matrix("down", 5, 9)]) { tape, x, _ in
      let plain = Heads(x[0], count: 3, headSize: 8).part(0..<5)
      let shared = Heads(node: x[1], count: 1, headSize: 4, first: 5, groupStep: 0)
      return Outcome(tape.joined(plain, shared).node, x[1])
    }.run()
  }

  /// A kind of norm over heads, with the weights it has.
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var kind: Norm.Kind
    var reach: HeadNorms.Reach

    var testDescription: String { "\(name), \(reach)" }

    static let all: [Case] = [HeadNorms.Reach.head, .ownHead, .allHeads].flatMap { reach in
      [
        Case(name: "rms", kind: .rms, reach: reach),
        Case(name: "rms unit offset", kind: .rmsUnitOffset, reach: reach),
        Case(name: "rms without weight", kind: .rmsWithoutWeight, reach: reach),
        Case(name: "layer", kind: .layer(bias: true), reach: reach),
        Case(name: "layer without bias", kind: .layer(bias: false), reach: reach),
        Case(name: "layer without weight", kind: .layerWithoutWeight, reach: reach),
      ]
    }
  }

  @Test(arguments: Case.all) func normedHeadsLearn(_ item: Case) throws {
    let count = item.reach == .head ? 4 : 16
    var weights: [Sample] = []
    var hasBias = false
    switch item.kind {
    case .rmsWithoutWeight, .layerWithoutWeight: break
    case .layer(bias: true):
      weights = [.vector("weight", count, mean: 0.5), .vector("bias", count)]
      hasBias = true
    default: weights = [.vector("weight", count, mean: 0.5)]
    }
    let hasWeight = !weights.isEmpty
    try OperationCheck(
      "head norm \(item.testDescription)", [.matrix("x", 5, 32, mean: 0.5)], weights
    ) {
      tape, x, w in
      let normed = tape.normalised(
        Self.grouped(x[0]).queries, NormRule(item.kind, eps: 0.01),
        together: item.reach == .allHeads,
        HeadWeights(
          weight: hasWeight ? w[0] : nil, bias: hasBias ? w[1] : nil, hasOwn: item.reach != .head))
      // What is not normed goes on as well.
      return Outcome(normed.node, x[0])
    }.run()
  }

  @Test func rowsOfUnitLengthLearn() throws {
    try OperationCheck("unit rows", [.matrix("x", 5, 6)], [.matrix("weight", 4, 6)]) { tape, x, w in
      Outcome(tape.linear(x[0], tape.unitRows(w[0])))
    }.run()
  }
}
