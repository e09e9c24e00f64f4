import CKernels
import Kernels

extension Tape {
  /// scale · table[index] for each index.
  ///
  /// - Parameter indices: rows of the table, all inside it.
  public func embedding(_ indices: [Int32], _ table: Parameter, scale: Double = 1) -> Node {
    let width = table.value.columns
    let y = node(indices.count, width, from: [], isTrained: table.isTrained)
    let type = numbers.kernel
    let indices = Indices(indices)
    forward("embedding", y) {
      Team.split(indices.count, grain: Sums.rows(width)) { rows in
        gather_rows(
          type, table.value.start, table.value.stride, indices.address(rows.lowerBound), scale,
          y.value.address(rows.lowerBound), y.value.stride, rows.count, width)
      }
    }
    backward("embedding", y) { dy in
      guard table.isTrained else { return }
      let gradient = table.gradientSum()
      let source = gradient.numbers == dy.numbers ? dy : dy.copied(as: gradient.numbers)
      // By columns, because two tokens may be the same row.
      Team.split(width, grain: 64) { columns in
        scatter_add_rows(
          gradient.numbers.kernel, source.address(0, columns.lowerBound), source.stride,
          indices.address(), scale, gradient.address(0, columns.lowerBound), gradient.stride,
          indices.count, columns.count)
      }
    }
    return y
  }
}
