import CKernels
import Kernels

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
  ///
  /// - Parameter weights: factors on the rows of the result, [rows, 1], of the type of sums.
  func gated(
    _ x: Node, _ kind: activation_kind, _ gate: Gate = Gate(), weights: Node? = nil
  ) -> Node {
    let width = x.columns / 2
    let y = node(x.rows, width, from: [x] + (weights.map { [$0] } ?? []))
    let type = numbers.kernel
    let (input, factors) = (x.value, weights?.value)
    forwardCheaply("gate", y) { y in
      Team.split(y.rows, grain: Sums.rows(width)) { rows in
        let first = rows.lowerBound
        gated_forward(
          type, kind, input.address(first), input.stride, input.address(first, width),
          input.stride, y.address(first), y.stride, rows.count, width, gate.scale, gate.limit,
          gate.offset, factors?.address(first))
      }
    }
    backward("gate", y) { dy in
      // Who does not want a gradient of x wants one of the weights.
      let (dx, accumulates) =
        x.isTracked ? x.gradientPlace() : (Matrix(x.rows, x.columns, x.numbers), false)
      let dw = weights.flatMap { $0.isTracked ? $0.gradientSum() : nil }
      Team.split(x.rows, grain: Sums.rows(width)) { rows in
        let first = rows.lowerBound
        gated_backward(
          type, kind, x.value.address(first), x.value.stride, x.value.address(first, width),
          x.value.stride, dy.address(first), dy.stride, dx.address(first), dx.stride,
          dx.address(first, width), dx.stride, rows.count, width, gate.scale, gate.limit,
          gate.offset, weights?.value.address(first), dw?.address(first), accumulates)
      }
    }
    return y
  }

  /// activation(gate) · up, with up some columns of another node.
  func gated(_ gate: Node, _ kind: activation_kind, _ other: Node, columns: Range<Int>) -> Node {
    let y = node(gate.rows, gate.columns, from: [gate, other])
    let type = numbers.kernel
    let up = other.value.columns(columns)
    forward("gate", y) {
      gated_forward(
        type, kind, gate.value.start, gate.value.stride, up.start, up.stride, y.value.start,
        y.value.stride, gate.rows, gate.columns, 1, .infinity, 0, nil)
    }
    backward("gate", y) { dy in
      let dx = gate.isTracked ? gate.gradientSum() : Matrix(y.rows, y.columns, y.numbers)
      let dup =
        other.isTracked
        ? other.gradientSum().columns(columns) : Matrix(y.rows, y.columns, y.numbers)
      gated_backward(
        type, kind, gate.value.start, gate.value.stride, up.start, up.stride, dy.start, dy.stride,
        dx.start, dx.stride, dup.start, dup.stride, gate.rows, gate.columns, 1, .infinity, 0, nil,
        nil, true)
    }
    return y
  }
}
