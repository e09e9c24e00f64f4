import Blueprint
import CKernels
import Kernels
import Testing

@testable import Engine

/// What costs little is made again on the way back, and is the same to the last bit.
@Suite struct RemakingTests {
  @Test(arguments: Numbers.allCases) func whatIsMadeAgainIsTheSame(_ numbers: Numbers) throws {
    let tape = Tape(numbers, isRecording: true)
    let x = Node(Sample.matrix("x", 6, 8).matrix(numbers, seed: 1), isTracked: true)
    let weight = Sample.vector("weight", 8, mean: 1).parameter(numbers, seed: 1)
    let bias = Sample.vector("bias", 8).parameter(numbers, seed: 1)
    let factors = Node(
      Sample.vector("factors", 6).matrix(numbers, seed: 1).copied().reshaped(6, 1),
      isTracked: true)
    let nodes = [
      tape.normalised(
        x, NormRule(.rms, eps: 1e-5), weight: weight, bias: nil, Stretches(width: 8)),
      tape.normalised(
        x, NormRule(.layer(bias: true), eps: 1e-5), weight: weight, bias: bias,
        Stretches(width: 8)),
      tape.gated(x, ACTIVATION_SILU),
      tape.gated(
        x, ACTIVATION_GELU_TANH, Tape.Gate(scale: 1.7, limit: 2, offset: 1), weights: factors),
      tape.activated(x, ACTIVATION_SQUARED_RELU),
      tape.activated(x, ACTIVATION_IDENTITY, weights: factors),
    ]
    for node in nodes {
      let remake = try #require(node.remake)
      let again = remake()
      #expect(again.isSame(as: node.value))
      #expect(node.recalled().isSame(as: node.value))
    }
    // The value itself, where nothing makes it again.
    #expect(x.remake == nil && x.recalled().isSame(as: x.value))
    // What changes in place is no longer what it was made.
    tape.backwardInPlace("turn", nodes[0]) { _ in }
    #expect(nodes[0].remake == nil)
  }

  @Test func nothingIsMadeAgainWithoutAWayBack() {
    let tape = Tape(.float32, isRecording: false)
    let x = Node(Sample.matrix("x", 6, 8).matrix(.float32, seed: 1), isTracked: true)
    #expect(tape.activated(x, ACTIVATION_SILU).remake == nil)
  }

  /// A linear layer behind a gate holds on to what the gate holds on to, and to nothing else.
  @Test func memoryIsFreeInBetween() {
    let tape = Tape(.float32, isRecording: true)
    let x = Node(Sample.matrix("x", 6, 8).matrix(.float32, seed: 1), isTracked: true)
    let weight = Sample.matrix("weight", 3, 4).parameter(.float32, seed: 1)
    weak var memory: Memory?
    func layers() -> Node {
      let gate = tape.gated(x, ACTIVATION_SILU)
      memory = gate.value.memory
      return tape.linear(gate, weight)
    }
    let y = layers()
    #expect(memory == nil)
    y.add(y.value.copied())
    tape.runBackward()
    #expect(weight.gradient != nil && x.gradient != nil)
  }
}
