import CKernels
import Kernels
import Testing

@testable import Engine

/// Recomputing saves memory and changes nothing.
@Suite struct RecomputingTests {
  /// Two layers on a node, and what comes of it: the output and all gradients.
  private func computed(
    _ numbers: Numbers, recomputes: Bool, isTracked: Bool = true, isTrained: Bool = true
  ) -> [[Double]] {
    let x = Node(
      Sample.matrix("x", 6, 5).matrix(numbers, seed: 1), isTracked: isTracked)
    let weights = [
      Sample.matrix("first", 8, 5).parameter(numbers, seed: 1),
      Sample.matrix("second", 5, 4).parameter(numbers, seed: 1),
    ]
    for weight in weights { weight.isTrained = isTrained }
    let tape = Tape(numbers, isRecording: true)
    func block(_ x: Node) -> Node {
      let inner = tape.gated(tape.linear(x, weights[0]), ACTIVATION_SILU)
      return tape.sum(x, tape.linear(inner, weights[1]))
    }
    var y = x
    for _ in 0..<3 {
      y = recomputes ? tape.recomputing(y, isTrained: isTrained, block) : block(y)
    }
    let output = y.value.values
    if y.isTracked {
      y.add(Sample.matrix("dy", 6, 5).matrix(numbers, seed: 2).copied())
      tape.runBackward()
    }
    let gradients = [x.gradient] + weights.map(\.gradient)
    return [output] + gradients.map { $0?.values ?? [] }
  }

  @Test(arguments: Numbers.allCases) func gradientsAreTheSameBitForBit(_ numbers: Numbers) {
    let kept = computed(numbers, recomputes: false)
    #expect(kept.allSatisfy { !$0.isEmpty })
    #expect(computed(numbers, recomputes: true) == kept)
  }

  @Test func whatIsNotWantedIsNotComputed() {
    for (isTracked, isTrained) in [(true, false), (false, true), (false, false)] {
      #expect(
        computed(.float64, recomputes: true, isTracked: isTracked, isTrained: isTrained)
          == computed(.float64, recomputes: false, isTracked: isTracked, isTrained: isTrained))
    }
  }
}
