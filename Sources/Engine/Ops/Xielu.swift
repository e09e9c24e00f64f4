import Blueprint
import CKernels
import Glibc
import Kernels

/// xIELU's own numbers (arXiv 2411.13010); those of the first two are learned behind a softplus.
struct XieluNumbers {
  var alphaPositive: Parameter
  var alphaNegative: Parameter
  var beta: Parameter
  var eps: Parameter
}

extension Tape {
  /// p · x² + β · x above 0, n · (e^min(x, ε) − 1 − x) + β · x elsewhere, with p = softplus(alpha_p) and
  /// n = β + softplus(alpha_n).
  func xielu(_ x: Node, _ own: XieluNumbers) -> Node {
    let learned = [own.alphaPositive, own.alphaNegative]
    let y = node(x.rows, x.columns, from: [x], isTrained: learned.contains(where: \.isTrained))
    let (first, second) = (own.alphaPositive.value[0, 0], own.alphaNegative.value[0, 0])
    let (beta, eps) = (own.beta.value[0, 0], own.eps.value[0, 0])
    let (positive, negative) = (Tape.softplus(first), beta + Tape.softplus(second))
    let type = numbers.kernel
    forward("xielu", y) {
      Team.split(x.rows, grain: Sums.rows(x.columns)) { rows in
        let first = rows.lowerBound
        xielu_forward(
          type, x.value.address(first), x.value.stride, y.value.address(first), y.value.stride,
          rows.count, x.columns, positive, negative, beta, eps)
      }
    }
    backward("xielu", y) { dy in
      let (dx, accumulates) =
        x.isTracked ? x.gradientPlace() : (Matrix(x.rows, x.columns, x.numbers), false)
      let slopes = Matrix([0, 0], self.numbers.accumulated)
      Sums.reduce(x.rows, into: slopes) { rows, sums in
        let first = rows.lowerBound
        xielu_backward(
          type, x.value.address(first), x.value.stride, dy.address(first), dy.stride,
          dx.address(first), dx.stride, rows.count, x.columns, positive, negative, beta, eps,
          sums.start, accumulates)
      }
      for (index, (number, value)) in zip(learned, [first, second]).enumerated()
      where number.isTrained {
        // softplus' is the sigmoid.
        number.gradientSum()[0, 0] += slopes[0, index] / (1 + exp(-value))
      }
    }
    return y
  }

  private static func softplus(_ x: Double) -> Double { x > 40 ? x : log1p(exp(x)) }
}
