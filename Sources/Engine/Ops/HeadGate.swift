import CKernels
import Kernels

extension Tape {
  /// x · sigmoid(gates), head by head.
  ///
  /// - Parameter x: heads side by side.
  func gated(_ x: Node, by gates: Heads) -> Node {
    let y = node(x.rows, x.columns, from: [x, gates.node])
    let type = numbers.kernel
    let width = gates.perGroup * gates.headSize
    /// Calls `body` with the rows, and for each group the first column in x and that of its gates.
    func forEachGroup(_ body: (Range<Int>, Int, Int) -> Void) {
      Team.split(x.rows, grain: Sums.rows(x.columns)) { rows in
        for group in 0..<gates.count / gates.perGroup {
          body(rows, group * width, gates.column(group * gates.perGroup))
        }
      }
    }
    forward("head gate", y) {
      forEachGroup { rows, column, gate in
        let row = rows.lowerBound
        gated_forward(
          type, ACTIVATION_SIGMOID, gates.node.value.address(row, gate), gates.node.value.stride,
          x.value.address(row, column), x.value.stride, y.value.address(row, column),
          y.value.stride, rows.count, width, 1, .infinity, 0, nil)
      }
    }
    backward("head gate", y) { dy in
      // Both are added to, so that one may be new and the other not.
      let dx = x.isTracked ? x.gradientSum() : Matrix(x.rows, x.columns, x.numbers)
      let ofGates =
        gates.node.isTracked
        ? gates.node.gradientSum() : Matrix(x.rows, gates.node.columns, x.numbers)
      forEachGroup { rows, column, gate in
        let row = rows.lowerBound
        gated_backward(
          type, ACTIVATION_SIGMOID, gates.node.value.address(row, gate), gates.node.value.stride,
          x.value.address(row, column), x.value.stride, dy.address(row, column), dy.stride,
          ofGates.address(row, gate), ofGates.stride, dx.address(row, column), dx.stride,
          rows.count, width, 1, .infinity, 0, nil, nil, true)
      }
    }
    return y
  }
}
