import Kernels

/// Columns of a node that an operation reads by themselves, as the parts of a fused projection.
struct Columns {
  var node: Node
  var range: Range<Int>

  init(_ node: Node, _ range: Range<Int>) {
    self.node = node
    self.range = range
  }

  /// All columns.
  init(_ node: Node) { self.init(node, 0..<node.columns) }

  var count: Int { range.count }
  var value: Matrix { node.value.columns(range) }

  /// The gradient so far of these columns, to be added to.
  func gradientSum() -> Matrix { node.gradientSum().columns(range) }
}

extension Tape {
  /// Where a gradient goes that covers all elements: the node's, or memory that nobody reads if none is
  /// wanted.
  static func place(_ x: Node) -> (target: Matrix, accumulates: Bool) {
    x.isTracked ? x.gradientPlace() : (Matrix(x.rows, x.columns, x.numbers), false)
  }

  /// The gradient so far of columns, or memory that nobody reads if none is wanted.
  static func sum(_ x: Columns) -> Matrix {
    x.node.isTracked ? x.gradientSum() : Matrix(x.node.rows, x.count, x.node.numbers)
  }

  /// Multiplies columns by a number, where they lie.
  func scale(_ x: Columns, by factor: Double) {
    if factor == 1 { return }
    forward("scale", x.node) { Sums.add(factor, x.value, to: x.value, share: 0) }
    backwardInPlace("scale", x.node) { gradient in
      let part = gradient.columns(x.range)
      Sums.add(factor, part, to: part, share: 0)
    }
  }

  /// x · y of columns, element by element.
  func product(_ x: Columns, _ y: Columns) -> Node {
    let result = node(x.node.rows, x.count, from: [x.node, y.node])
    forward("product", result) { Tape.multiply(x.value, y.value, into: result.value, adds: false) }
    backward("product", result) { gradient in
      for (one, other) in [(x, y), (y, x)] where one.node.isTracked {
        Tape.multiply(gradient, other.value, into: one.gradientSum(), adds: true)
      }
    }
    return result
  }
}
