import CKernels
import Kernels

extension Tape {
  /// x + scale · y.
  public func sum(_ x: Node, _ y: Node, scale: Double = 1) -> Node {
    let result = node(x.rows, x.columns, from: [x, y])
    forward("sum", result) {
      Team.split(x.rows, grain: Sums.rows(x.columns)) { rows in
        let first = rows.lowerBound
        add_scaled(
          result.numbers.kernel, x.value.address(first), x.value.stride, scale,
          y.value.address(first), y.value.stride, result.value.address(first),
          result.value.stride, rows.count, x.columns)
      }
    }
    let (x, y) = (x.returning, y.returning)
    backward("sum", result) { gradient in
      if y.isTracked {
        let (target, accumulates) = y.gradientPlace()
        Sums.add(scale, gradient, to: target, share: accumulates ? 1 : 0)
      }
      if x.isTracked { x.add(gradient) }
    }
    return result
  }

  /// factor · x.
  public func scaled(_ x: Node, by factor: Double) -> Node {
    if factor == 1 { return x }
    let result = node(x.rows, x.columns, from: [x], numbers: x.numbers)
    forward("scale", result) { Sums.add(factor, x.value, to: result.value, share: 0) }
    let x = x.returning
    backward("scale", result) { gradient in
      let (target, accumulates) = x.gradientPlace()
      Sums.add(factor, gradient, to: target, share: accumulates ? 1 : 0)
    }
    return result
  }

  /// x · y, element by element.
  public func product(_ x: Node, _ y: Node) -> Node {
    let result = node(x.rows, x.columns, from: [x, y])
    forward("product", result) { Tape.multiply(x.value, y.value, into: result.value, adds: false) }
    backward("product", result) { gradient in
      for (one, other) in [(x, y), (y, x)] where one.isTracked {
        let (target, accumulates) = one.gradientPlace()
        Tape.multiply(gradient, other.value, into: target, adds: accumulates)
      }
    }
    return result
  }

  static func multiply(_ x: Matrix, _ y: Matrix, into target: Matrix, adds: Bool) {
    Team.split(x.rows, grain: Sums.rows(x.columns)) { rows in
      CKernels.multiply(
        x.numbers.kernel, x.address(rows.lowerBound), x.stride, y.address(rows.lowerBound),
        y.stride,
        target.address(rows.lowerBound), target.stride, rows.count, x.columns, adds)
    }
  }
}
