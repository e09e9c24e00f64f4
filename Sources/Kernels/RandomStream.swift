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
}
