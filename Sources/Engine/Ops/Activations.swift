import Blueprint
import CKernels
import Kernels

extension Activation {
  /// As the kernels name it; `nil` where they have another way to compute it.
  var kernel: activation_kind? {
    switch self {
    case .silu: ACTIVATION_SILU
    case .gelu: ACTIVATION_GELU
    case .geluTanh: ACTIVATION_GELU_TANH
    case .relu: ACTIVATION_RELU
    case .squaredReLU: ACTIVATION_SQUARED_RELU
    case .quickGelu: ACTIVATION_QUICK_GELU
    case .xIELU: nil
    }
  }
}

extension Tape {
  /// activation(x), element by element.
  ///
  /// - Parameter weights: as of `gated`.
  func activated(_ x: Node, _ kind: activation_kind, weights: Node? = nil) -> Node {
    let y = node(
      x.rows, x.columns, from: [x] + (weights.map { [$0] } ?? []), numbers: x.numbers)
    let type = x.numbers.kernel
    let (input, factors) = (x.value, weights?.value)
    forwardCheaply("activation", y) { y in
      Team.split(y.rows, grain: Sums.rows(y.columns)) { rows in
        let first = rows.lowerBound
        activation_forward(
          type, kind, input.address(first), input.stride, y.address(first), y.stride, rows.count,
          y.columns, factors?.address(first))
      }
    }
    backward("activation", y) { dy in
      let (dx, accumulates) =
        x.isTracked ? x.gradientPlace() : (Matrix(x.rows, x.columns, x.numbers), false)
      let dw = weights.flatMap { $0.isTracked ? $0.gradientSum() : nil }
      Team.split(x.rows, grain: Sums.rows(x.columns)) { rows in
        let first = rows.lowerBound
        activation_backward(
          type, kind, x.value.address(first), x.value.stride, dy.address(first), dy.stride,
          dx.address(first), dx.stride, rows.count, x.columns, weights?.value.address(first),
          dw?.address(first), accumulates)
      }
    }
    return y
  }
}
