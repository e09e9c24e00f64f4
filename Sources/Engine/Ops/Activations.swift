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
  /// How a gate is shaped: activation(scale · min(gate, limit)) · (clip(up, ±limit) + offset).
  public struct Gate {
    public var scale = 1.0
    public var limit = Double.infinity
    public var offset = 0.0

    public init(scale: Double = 1, limit: Double? = nil, offset: Double = 0) {
      self.scale = scale
      self.limit = limit ?? .infinity
      self.offset = offset
    }
  }

  /// activation(gate) · up, where the rows of x are [gate; up].
  func gated(_ x: Node, _ kind: activation_kind, _ gate: Gate = Gate()) -> Node {
    let width = x.columns / 2
    let y = node(x.rows, width, from: [x])
    let type = numbers.kernel
    forward("gate", y) {
      Team.split(x.rows, grain: Sums.rows(width)) { rows in
        let first = rows.lowerBound
        gated_forward(
          type, kind, x.value.address(first), x.value.stride, x.value.address(first, width),
          x.value.stride, y.value.address(first), y.value.stride, rows.count, width, gate.scale,
          gate.limit, gate.offset)
      }
    }
    backward("gate", y) { dy in
      let (dx, accumulates) = x.gradientPlace()
      Team.split(x.rows, grain: Sums.rows(width)) { rows in
        let first = rows.lowerBound
        gated_backward(
          type, kind, x.value.address(first), x.value.stride, x.value.address(first, width),
          x.value.stride, dy.address(first), dy.stride, dx.address(first), dx.stride,
          dx.address(first, width), dx.stride, rows.count, width, gate.scale, gate.limit,
          gate.offset, accumulates)
      }
    }
    return y
  }

  /// activation(x), element by element.
  func activated(_ x: Node, _ kind: activation_kind) -> Node {
    let y = node(x.rows, x.columns, from: [x])
    let type = numbers.kernel
    forward("activation", y) {
      Team.split(x.rows, grain: Sums.rows(x.columns)) { rows in
        let first = rows.lowerBound
        activation_forward(
          type, kind, x.value.address(first), x.value.stride, y.value.address(first),
          y.value.stride,
          rows.count, x.columns)
      }
    }
    backward("activation", y) { dy in
      let (dx, accumulates) = x.gradientPlace()
      Team.split(x.rows, grain: Sums.rows(x.columns)) { rows in
        let first = rows.lowerBound
        activation_backward(
          type, kind, x.value.address(first), x.value.stride, dy.address(first), dy.stride,
          dx.address(first), dx.stride, rows.count, x.columns, accumulates)
      }
    }
    return y
  }
}
