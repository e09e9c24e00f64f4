import CKernels

/// Sums over whole matrices, spread over the team.
public enum Sums {
  /// How many elements are worth a thread.
  public static let grain = 1 << 14

  /// target = factor · matrix + share · target; the target is not read where the share is 0.
  public static func add(_ factor: Double, _ matrix: Matrix, to target: Matrix, share: Double = 1) {
    precondition(matrix.numbers == target.numbers && matrix.columns == target.columns)
    Team.split(target.rows, grain: rows(target.columns)) { rows in
      axpby(
        target.numbers.kernel, factor, matrix.address(rows.lowerBound), matrix.stride, share,
        target.address(rows.lowerBound), target.stride, rows.count, target.columns)
    }
  }

  /// How many rows of so many columns are worth a thread.
  public static func rows(_ columns: Int) -> Int { max(1, grain / max(1, columns)) }

  /// Runs `body` on ranges of rows, each with a row of sums of its own, and adds those to `sums`, one
  /// after the other, so that the result depends on the number of threads only.
  public static func reduce(
    _ count: Int, into sums: Matrix, _ body: (Range<Int>, Matrix) -> Void
  ) {
    let parts = max(1, min(Team.size, count / 8))
    let partial = Matrix(parts, sums.columns, sums.numbers)
    partial.clear()
    Team.forEach(parts) { part in
      body(count * part / parts..<count * (part + 1) / parts, partial.rows(part..<part + 1))
    }
    sum_rows(
      sums.numbers.kernel, partial.start, partial.stride, parts, sums.columns, sums.start)
  }

  /// Whether all elements are numbers, and no infinite ones.
  public static func areFinite(_ matrix: Matrix) -> Bool {
    let parts = max(1, min(Team.size, matrix.rows))
    let faults = Matrix(1, parts, .float64)
    faults.clear()
    Team.forEach(parts) { part in
      let rows = matrix.rows * part / parts..<matrix.rows * (part + 1) / parts
      let isFinite = all_finite(
        matrix.numbers.kernel, matrix.address(rows.lowerBound), matrix.stride, rows.count,
        matrix.columns)
      if !isFinite { faults[0, part] = 1 }
    }
    return faults.values.allSatisfy { $0 == 0 }
  }
}
