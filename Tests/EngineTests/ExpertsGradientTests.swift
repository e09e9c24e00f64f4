import Blueprint
import CKernels
import Kernels
import Testing

@testable import Engine

/// The gradients of experts, and of what surrounds them, held against central differences.
@Suite struct ExpertsGradientTests {
  typealias Outcome = OperationCheck.Outcome

  /// Six tokens, each with two of five experts; nobody chooses the last but one.
  private static let dispatch = Dispatch(
    Indices([0, 1, 2, 0, 0, 4, 1, 0, 0, 2, 4, 0]), experts: 5, perToken: 2)

  @Test func expertsLearnFromTokens() throws {
    let dispatch = Self.dispatch
    let samples: [Sample] = [.matrix("weight", 15, 4), .vector("bias", 15)]
    try OperationCheck("experts in", [.matrix("x", 6, 4)], samples) { tape, x, w in
      let bank = Bank(weight: w[0], bias: w[1], experts: 5)
      return Outcome(tape.dispatched(x[0], bank, dispatch))
    }.run()
  }

  @Test func expertsLearnFromWeightedTokens() throws {
    let dispatch = Self.dispatch
    let inputs: [Sample] = [.matrix("x", 6, 4), RouterGradientTests.precise("weights", 6, 2)]
    try OperationCheck("experts in, weighted", inputs, [.matrix("weight", 15, 4)]) { tape, x, w in
      let bank = Bank(weight: w[0], experts: 5)
      let weights = tape.rowWeights(tape.scaled(x[1], by: 0.5), dispatch)
      return Outcome(tape.dispatched(x[0], bank, dispatch, weights: weights))
    }.run()
  }

  @Test func expertsGiveToTokens() throws {
    let dispatch = Self.dispatch
    let samples: [Sample] = [.matrix("weight", 15, 4), .vector("bias", 15)]
    try OperationCheck("experts out", [.matrix("x", dispatch.rows, 4)], samples) { tape, x, w in
      Outcome(tape.combined(x[0], Bank(weight: w[0], bias: w[1], experts: 5), dispatch))
    }.run()
    let inputs: [Sample] = [
      .matrix("x", dispatch.rows, 4), RouterGradientTests.precise("weights", 6, 2),
    ]
    try OperationCheck("experts out, weighted biases", inputs, samples) { tape, x, w in
      let weights = tape.rowWeights(tape.scaled(x[1], by: 0.5), dispatch)
      let bank = Bank(weight: w[0], bias: w[1], experts: 5)
      return Outcome(tape.combined(x[0], bank, dispatch, weights: weights))
    }.run()
  }

  @Test func weightedActivationsLearn() throws {
    let weights = RouterGradientTests.precise("weights", 5, 1)
    try OperationCheck("weighted activation", [.matrix("x", 5, 6), weights]) { tape, x, _ in
      Outcome(tape.activated(x[0], ACTIVATION_SQUARED_RELU, weights: dense(x[1], tape)))
    }.run()
    try OperationCheck("weighted gate", [.matrix("x", 5, 8), weights]) { tape, x, _ in
      let gate = Tape.Gate(limit: 1.7, offset: 1)
      return Outcome(tape.gated(x[0], ACTIVATION_QUICK_GELU, gate, weights: dense(x[1], tape)))
    }.run()
  }

  /// Weights lie one behind the other, which the samples' rows do not.
  private func dense(_ x: Node, _ tape: Tape) -> Node { tape.scaled(x, by: 0.5) }

  @Test func columnsOfAnotherNodeAreGated() throws {
    try OperationCheck("gate of columns", [.matrix("gate", 5, 3), .matrix("other", 5, 9)]) {
      tape, x, _ in Outcome(tape.gated(x[0], ACTIVATION_GELU_TANH, x[1], columns: 3..<6))
    }.run()
  }

  @Test func xieluLearns() throws {
    let numbers: [Sample] = [.vector("alpha_p", 1), .vector("alpha_n", 1, mean: -0.5)]
    try OperationCheck("xielu", [.matrix("x", 9, 7)], numbers) { tape, x, w in
      func constant(_ value: Double) -> Parameter {
        Parameter(w[0].slot, Matrix([value], tape.numbers.accumulated), isTrained: false)
      }
      let own = XieluNumbers(
        alphaPositive: w[0], alphaNegative: w[1], beta: constant(0.5), eps: constant(-1e-6))
      return Outcome(tape.xielu(x[0], own))
    }
    // The two numbers' gradients are sums over all 63 of x.
    .run(.init(float32: 63))
  }
}
