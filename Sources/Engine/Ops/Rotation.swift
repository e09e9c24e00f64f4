import CKernels
import Kernels

/// How far each token's heads turn.
struct Rotation {
  /// [positions, 2 · pairs]: cosines and then sines.
  let table: Matrix
  /// The table's row for each token.
  let rows: Indices
  /// How far the two numbers of a pair are apart; 1 where neighbours turn together.
  let distance: Int
  let isInterleaved: Bool

  fileprivate var turning: turning {
    CKernels.turning(
      table: .init(table.start), table_row: table.stride, rows: .init(rows.address()),
      pairs: table.columns / 2, step: isInterleaved ? 2 : 1, distance: distance)
  }

  /// A table for positions from 0 on.
  static func table(
    _ frequencies: [Double], magnitude: Double, positions: Int, _ numbers: Numbers
  ) -> Matrix {
    let table = Matrix(positions, 2 * frequencies.count, numbers)
    Team.split(positions, grain: Sums.rows(16 * table.columns)) { rows in
      turning_table(
        numbers.kernel, frequencies, frequencies.count, magnitude, table.start, table.stride,
        rows.lowerBound, rows.count)
    }
    return table
  }
}

extension Tape {
  /// Turns the leading pairs of heads where they lie: (a, b) ↦ (a · cos − b · sin, b · cos + a · sin).
  func rotate(_ heads: Heads, _ rotation: Rotation) {
    let type = numbers.kernel
    func turn(_ matrix: Matrix, backward: Bool) {
      Team.split(matrix.rows, grain: Sums.rows(heads.count * heads.headSize)) { rows in
        var place = heads.place(matrix)
        var turning = rotation.turning
        turn_heads(
          type, &place, heads.count, &turning, rows.lowerBound, rows.count, backward)
      }
    }
    forward("rotation", heads.node) { turn(heads.node.value, backward: false) }
    backwardInPlace("rotation", heads.node) { turn($0, backward: true) }
  }

  /// Multiplies heads where they lie.
  ///
  /// - Parameter factors: [tokens, 1], or one for all.
  func scale(_ heads: Heads, by factors: Matrix) {
    let type = numbers.kernel
    func scale(_ matrix: Matrix) {
      Team.split(matrix.rows, grain: Sums.rows(heads.count * heads.headSize)) { rows in
        var place = heads.place(matrix)
        scale_heads(
          type, &place, heads.count, heads.headSize, factors.start, factors.rows == 1 ? 0 : 1,
          rows.lowerBound, rows.count)
      }
    }
    forward("head scale", heads.node) { scale(heads.node.value) }
    backwardInPlace("head scale", heads.node, scale)
  }

  /// Heads cut to ± limit, side by side.
  func clipped(_ heads: Heads, at limit: Double) -> Heads {
    let source = heads.node
    let (count, size) = (heads.count, heads.headSize)
    let y = node(source.rows, count * size, from: [source])
    let type = numbers.kernel
    forward("clip", y) {
      Team.split(y.rows, grain: Sums.rows(y.columns)) { rows in
        var place = heads.place(source.value)
        clip_heads(
          type, &place, count, size, limit, y.value.start, y.value.stride, rows.lowerBound,
          rows.count)
      }
    }
    backward("clip", y) { dy in
      let gradient = source.gradientSum()
      Team.split(dy.rows, grain: Sums.rows(dy.columns)) { rows in
        var (place, target) = (heads.place(source.value), heads.place(gradient))
        clip_heads_backward(
          type, &place, count, size, limit, dy.start, dy.stride, &target, rows.lowerBound,
          rows.count)
      }
    }
    return Heads(y, count: count, headSize: size)
  }
}
