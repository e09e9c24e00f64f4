import Foundation
import Kernels
import Tensors
import Testing

@testable import Blueprint
@testable import Engine

/// The layers that are little more than one operation.
@Suite struct SmallLayerTests {
  @Test func xieluIsTransformers() throws {
    let given = try #require(ExpertsCases.all).xielu
    for (numbers, bound) in [(Numbers.float64, 1e-12), (.float32, 2e-6)] {
      func number(_ value: Double) -> Parameter {
        Parameter(
          Sample.vector("number", 1).parameter(numbers, seed: 1).slot,
          Matrix([value], numbers.accumulated))
      }
      let own = XieluNumbers(
        alphaPositive: number(given.alphaP), alphaNegative: number(given.alphaN),
        beta: number(given.beta), eps: number(given.eps))
      let x = Node(Matrix(given.x, numbers), isTracked: true)
      let tape = Tape(numbers, isRecording: true)
      let y = tape.xielu(x, own)
      func check(_ ours: [Double]?, _ expected: [Double], _ name: String) throws {
        for (one, other) in zip(try #require(ours), expected) {
          #expect(abs(one - other) <= bound * max(1, abs(other)), "\(name) in \(numbers)")
        }
      }
      try check(y.value.values, given.y, "y")
      y.add(Matrix([Double](repeating: 1, count: given.x.count), numbers))
      tape.runBackward()
      try check(x.gradient?.values, given.dx, "dx")
      try check(own.alphaPositive.gradient?.values, [given.dAlphaP], "alpha_p")
      try check(own.alphaNegative.gradient?.values, [given.dAlphaN], "alpha_n")
    }
  }

  @Test func aLayerWithNumbersOfItsOwnLearns() throws {
    var mlp = MLP(SmallModel.width, inner: 6, .xIELU, input: .plain("up"))
    mlp.activationPrefix = "act"
    try SmallModel([mlp]).checkGradients()
    try SmallModel([mlp]).checkGradients(recomputing: true)
  }

  @Test func blocksReadWhatTheyAreToldOfEachToken() throws {
    let layer = LayerInput(SmallModel.width, size: 3, .geluTanh, gate: "gate", output: "out")
    var model = SmallModel([layer, layer])
    model.blueprint.layerInputs = LayerInputs(
      vocabulary: SmallModel.vocabulary, size: 3, table: "table", projection: "projection",
      norm: Norm(3, eps: 1e-3, "projection_norm"))
    try model.checkGradients()
    try model.checkGradients(recomputing: true)
  }

  @Test func aTokenThatBlocksAreToldNothingOfIsNamed() throws {
    let layer = LayerInput(SmallModel.width, size: 3, .geluTanh, gate: "gate", output: "out")
    var small = SmallModel([layer])
    small.blueprint.layerInputs = LayerInputs(
      vocabulary: 9, size: 3, table: "table", projection: "projection",
      norm: Norm(3, eps: 1e-3, "projection_norm"))
    let model = try small.model(.float32)
    let pass = Pass(model, Tape(.float32, isRecording: false), SmallModel.batch)
    #expect(throws: EngineError.tokenOutOfRange(token: 9, index: 3, vocabulary: 9)) {
      _ = try model.hidden(pass)
    }
  }

  @Test func aStoredNumberScalesTheStream() throws {
    var model = SmallModel([Scalar("scalar")])
    model.blueprint.blocks[0].layers = [Scalar("scalar")]
    try model.checkGradients()
  }
}
