import CKernels

/// Random numbers that depend on a seed, a name and their index, and on nothing else: neither on the
/// number of threads nor on what was drawn before.
public struct RandomStream: Sendable {
  private let seed: UInt64
  private let stream: UInt64

  public enum Spread: Hashable, Sendable {
    case uniform(from: Double, to: Double)
    case normal(mean: Double = 0, deviation: Double)
  }

  /// - Parameter name: tells the streams of one seed apart.
  public init(seed: UInt64, _ name: String) {
    self.seed = seed
    // FNV-1a.
    stream = name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  /// Fills a matrix, row by row, with the stream's first numbers.
  public func fill(_ matrix: Matrix, _ spread: Spread) {
    precondition(matrix.isDense)
    let (kind, a, b) =
      switch spread {
      case .uniform(let from, let to): (RANDOM_UNIFORM, from, to)
      case .normal(let mean, let deviation): (RANDOM_NORMAL, mean, deviation)
      }
    let piece = 1 << 12
    Team.split((matrix.count + piece - 1) / piece) { pieces in
      let first = pieces.lowerBound * piece
      let end = min(matrix.count, pieces.upperBound * piece)
      random_numbers(
        matrix.numbers.kernel, kind, seed, stream, UInt64(first), matrix.address(0, first),
        end - first, a, b)
    }
  }

  /// Leaves out a share of a matrix' numbers, and divides the others by what is left: dropout.
  ///
  /// Which numbers are left out hangs on the stream, their row and their column alone.
  ///
  /// - Parameters:
  ///   - target: of the same shape and type; the matrix itself will do.
  ///   - firstRow: the number of the first row, where these are some of many.
  ///   - adds: whether the result is added to the target.
  public func drop(
    _ share: Double, of matrix: Matrix, into target: Matrix, firstRow: Int = 0, adds: Bool = false
  ) {
    precondition(
      matrix.numbers == target.numbers && matrix.rows == target.rows
        && matrix.columns == target.columns)
    Team.split(matrix.rows, grain: Sums.rows(4 * matrix.columns)) { rows in
      let first = rows.lowerBound
      drop_elements(
        matrix.numbers.kernel, seed, stream, firstRow + first, share, matrix.address(first),
        matrix.stride, target.address(first), target.stride, rows.count, matrix.columns,
        adds ? 1 : 0)
    }
  }
}
