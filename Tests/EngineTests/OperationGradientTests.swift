import Blueprint
import CKernels
import Kernels
import Testing

@testable import Engine

/// Each operation's gradients against central differences, and its numbers in all types.
@Suite struct OperationGradientTests {
  typealias Outcome = OperationCheck.Outcome

  @Test func linearLearns() throws {
    try OperationCheck("linear", [.matrix("x", 5, 7)], [.matrix("weight", 4, 7)]) {
      tape, x, w in Outcome(tape.linear(x[0], w[0]))
    }.run()
    // The bias is added to what has been stored already.
    try OperationCheck(
      "linear with bias", [.matrix("x", 5, 7)], [.matrix("weight", 4, 7), .vector("bias", 4)]
    ) { tape, x, w in
      Outcome(tape.linear(x[0], w[0], bias: w[1]))
    }.run()
  }

  @Test func linearOfOneTokenLearns() throws {
    try OperationCheck(
      "linear of one token", [.matrix("x", 1, 6)], [.matrix("weight", 3, 6), .vector("bias", 3)]
    ) { tape, x, w in
      Outcome(tape.linear(x[0], w[0], bias: w[1]))
    }.run()
  }

  @Test func sumsAndProductsLearn() throws {
    let two: [Sample] = [.matrix("x", 4, 6), .matrix("y", 4, 6)]
    try OperationCheck("sum", two) { tape, x, _ in
      Outcome(tape.sum(x[0], x[1]))
    }.run()
    try OperationCheck("sum with scale", two) { tape, x, _ in
      Outcome(tape.sum(x[0], x[1], scale: -0.375))
    }.run()
    try OperationCheck("sum of one node with itself", [.matrix("x", 4, 6)]) { tape, x, _ in
      Outcome(tape.sum(x[0], x[0], scale: 0.5))
    }.run()
    try OperationCheck("scale", [.matrix("x", 4, 6)]) { tape, x, _ in
      Outcome(tape.scaled(x[0], by: 2.625))
    }.run()
    try OperationCheck("product", two) { tape, x, _ in
      Outcome(tape.product(x[0], x[1]))
    }.run()
    try OperationCheck("product of one node with itself", [.matrix("x", 4, 6)]) { tape, x, _ in
      Outcome(tape.product(x[0], x[0]))
    }.run()
  }

  @Test func embeddingLearnsTokensThatRepeat() throws {
    let tokens: [Int32] = [3, 0, 3, 5, 3, 0]
    try OperationCheck("embedding", [], [.matrix("table", 6, 5)]) { tape, _, w in
      Outcome(tape.embedding(tokens, w[0], scale: 2.25))
    }.run()
  }

  @Test(arguments: NormCase.all) func normsLearn(_ norm: NormCase) throws {
    try norm.check().run()
  }

  static let kinds: [(name: String, kind: activation_kind)] = [
    ("identity", ACTIVATION_IDENTITY), ("silu", ACTIVATION_SILU), ("gelu", ACTIVATION_GELU),
    ("gelu (tanh)", ACTIVATION_GELU_TANH), ("relu", ACTIVATION_RELU),
    ("squared relu", ACTIVATION_SQUARED_RELU), ("quick gelu", ACTIVATION_QUICK_GELU),
    ("sigmoid", ACTIVATION_SIGMOID),
  ]

  @Test(arguments: kinds.indices) func activationsLearn(_ index: Int) throws {
    let (name, kind) = Self.kinds[index]
    try OperationCheck("activation \(name)", [.matrix("x", 4, 6, deviation: 2)]) { tape, x, _ in
      Outcome(tape.activated(x[0], kind))
    }.run()
    try OperationCheck("gate \(name)", [.matrix("x", 4, 12, deviation: 2)]) { tape, x, _ in
      Outcome(tape.gated(x[0], kind))
    }.run()
    // Neither limit nor slope is a number that bfloat16 holds: no sample lies on it.
    try OperationCheck(
      "gate \(name) with limit, offset and scale", [.matrix("x", 4, 12, deviation: 2)]
    ) { tape, x, _ in
      Outcome(tape.gated(x[0], kind, Tape.Gate(scale: 1.3, limit: 1.7, offset: 1)))
    }.run()
  }
}

/// A kind of norm on one way of cutting rows into stretches.
struct NormCase: CustomTestStringConvertible, Sendable {
  var name: String
  var kind: Norm.Kind
  var hasWeight = true
  var hasBias = false
  var stretches: String

  var testDescription: String { "\(name), \(stretches)" }

  static let all: [NormCase] = [
    "whole rows", "heads", "own weights", "wider rows", "one of wider rows",
  ]
  .flatMap { stretches in
    [
      NormCase(name: "rms", kind: .rms, stretches: stretches),
      NormCase(name: "rms unit offset", kind: .rmsUnitOffset, stretches: stretches),
      NormCase(
        name: "rms without weight", kind: .rmsWithoutWeight, hasWeight: false,
        stretches: stretches),
      NormCase(name: "layer", kind: .layer(bias: true), hasBias: true, stretches: stretches),
      NormCase(name: "layer without bias", kind: .layer(bias: false), stretches: stretches),
      NormCase(
        name: "layer unit offset", kind: .layerUnitOffset, hasBias: true, stretches: stretches),
      NormCase(
        name: "layer without weight", kind: .layerWithoutWeight, hasWeight: false,
        stretches: stretches),
    ]
  }

  /// The columns of the input, and the stretches in them.
  private var cut: (columns: Int, stretches: Stretches) {
    switch stretches {
    case "heads": (12, Stretches(perRow: 3, step: 4, width: 4))
    case "own weights": (12, Stretches(perRow: 3, step: 4, width: 4, hasOwnWeights: true))
    case "wider rows": (19, Stretches(first: 2, perRow: 3, step: 6, width: 4))
    case "one of wider rows": (11, Stretches(first: 3, width: 6))
    default: (6, Stretches(width: 6))
    }
  }

  func check() -> OperationCheck {
    let (columns, stretches) = cut
    let count = stretches.hasOwnWeights ? stretches.perRow * stretches.width : stretches.width
    var weights: [Sample] = []
    if hasWeight { weights.append(.vector("weight", count, mean: 0.5)) }
    if hasBias { weights.append(.vector("bias", count)) }
    let (hasWeight, hasBias) = (hasWeight, hasBias)
    let rule = NormRule(kind, eps: 0.01)
    return OperationCheck(
      "norm \(name), \(self.stretches)", [.matrix("x", 5, columns, mean: 0.5)], weights
    ) { tape, x, w in
      .init(
        tape.normalised(
          x[0], rule, weight: hasWeight ? w[0] : nil, bias: hasBias ? w[1] : nil, stretches))
    }
  }
}
