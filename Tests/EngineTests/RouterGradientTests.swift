import CKernels
import Kernels
import Testing

@testable import Engine

/// The gradients of every kind of router, held against central differences.
@Suite struct RouterGradientTests {
  typealias Outcome = OperationCheck.Outcome

  /// What sets a router apart from a softmax over all experts.
  struct Kind: Sendable, CustomTestStringConvertible {
    var name: String
    var score = ROUTER_SOFTMAX
    var normalises = false
    var minimum = 1e-20
    var scale = 1.0
    var groups = (count: 1, kept: 1, ranked: 1)
    var jitter = 0.0
    var isCorrected = false
    var hasExpertScale = false
    var perToken = 3

    var testDescription: String { name }

    func rule(experts: Int) -> router_rule {
      router_rule(
        score: score, experts: experts, per_token: perToken, normalises: normalises,
        minimum: minimum, scale: scale, groups: groups.count, kept: groups.kept,
        ranked: groups.ranked, jitter: jitter)
    }

    static let all: [Kind] = [
      Kind(name: "softmax"),
      Kind(name: "softmax of one", perToken: 1),
      Kind(name: "softmax normalised", normalises: true),
      Kind(name: "softmax with scale", scale: 2.5),
      Kind(name: "softmax in groups", scale: 16, groups: (4, 2, 1)),
      Kind(
        name: "softmax corrected, with expert scales", normalises: true, isCorrected: true,
        hasExpertScale: true),
      // A sum below the minimum: the weights are divided by a constant.
      Kind(name: "softmax below the minimum", normalises: true, minimum: 2),
      Kind(name: "sigmoid", score: ROUTER_SIGMOID),
      Kind(
        name: "sigmoid normalised, corrected, in groups", score: ROUTER_SIGMOID, normalises: true,
        scale: 1.75, groups: (4, 2, 2), isCorrected: true),
      Kind(
        name: "sigmoid with expert scales", score: ROUTER_SIGMOID, hasExpertScale: true),
      Kind(name: "sparse mixer", score: ROUTER_SPARSE_MIXER, jitter: 0.3, perToken: 2),
      Kind(
        name: "sparse mixer with expert scales", score: ROUTER_SPARSE_MIXER, jitter: 0.3,
        hasExpertScale: true, perToken: 2),
    ]
  }

  /// Numbers of the type of sums, in several rows.
  static func precise(_ name: String, _ rows: Int, _ columns: Int, mean: Double = 0) -> Sample {
    Sample(name: name, rows: rows, columns: columns, isVector: true, mean: mean)
  }

  @Test(arguments: Kind.all) func routersLearn(_ kind: Kind) throws {
    let correction = Sample.vector("correction", 8, deviation: 0.5).parameter(.float64, seed: 3)
    try OperationCheck(
      "router \(kind.name)", [Self.precise("logits", 9, 8, mean: 1)],
      kind.hasExpertScale ? [.vector("expert scale", 8, mean: 1)] : []
    ) { tape, x, w in
      Outcome(
        tape.routed(
          x[0], kind.rule(experts: 8),
          correction: kind.isCorrected ? converted(correction, tape) : nil,
          expertScale: w.first
        ).weights)
    }.run()
  }

  private func converted(_ parameter: Parameter, _ tape: Tape) -> Parameter {
    Parameter(parameter.slot, parameter.value.copied(as: tape.numbers.accumulated))
  }

  @Test(arguments: [ROUTER_SOFTMAX, ROUTER_SIGMOID].map(\.rawValue))
  func penaltiesLearn(_ score: UInt32) throws {
    let name = score == ROUTER_SOFTMAX.rawValue ? "softmax" : "sigmoid"
    let rule = Kind(name: name, score: router_score(score), perToken: 2).rule(experts: 6)
    for stretches in [[0..<11], [0..<4, 4..<11]] {
      try OperationCheck(
        "router penalty \(name) over \(stretches.count)", [Self.precise("logits", 11, 6)]
      ) { tape, x, _ in
        let penalty = RouterPenalty(balance: 0.75, level: 0.5, stretches: stretches)
        return Outcome(loss: tape.routerPenalty(x[0], rule, penalty))
      }.run()
    }
  }

  @Test func routersReadModelsOfAnyPrecision() throws {
    try OperationCheck(
      "precise linear", [.matrix("x", 6, 7)], [.matrix("weight", 4, 7), .vector("bias", 4)]
    ) { tape, x, w in
      Outcome(tape.preciseLinear(x[0], w[0], bias: w[1]))
    }.run()
  }
}
