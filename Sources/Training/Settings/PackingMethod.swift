import Data

/// How samples are put into packs.
public enum PackingMethod: String, CaseIterable, Sendable {
  /// In the order they come, as Automodel does.
  case sequential
  case firstFitDecreasing = "first_fit_decreasing"
  /// As Megatron-Bridge does unless told otherwise.
  case firstFitShuffle = "first_fit_shuffle"
  case bestFit = "best_fit"
}

extension PackingMethod {
  /// Which samples make each pack, the random ones as after `numpy.random.seed(0)`.
  ///
  /// - Parameter counts: the tokens of each sample, of which the last takes no room, being only predicted; none has more
  ///   than fit into a pack.
  /// - Throws: `PackingError`.
  public func packs(_ counts: [Int], size: Int) throws -> [[Int]] {
    let method: Packing.Method
    switch self {
    case .sequential: return Self.sequential(counts, size)
    case .firstFitDecreasing: method = .firstFitDecreasing
    case .firstFitShuffle: method = .firstFitShuffle
    case .bestFit: method = .bestFit
    }
    var random = NumPyRandom(seed: 0)
    return try Packing(counts: counts, size: size, method: method, random: &random).packs
  }

  /// A pack is closed when the next sample does not fit, as `SequentialPacking` has it, which needs the tokens.
  private static func sequential(_ counts: [Int], _ size: Int) -> [[Int]] {
    var packs: [[Int]] = [[]]
    var filled = 0
    for (sample, count) in counts.enumerated() {
      if filled + count - 1 > size {
        packs.append([])
        filled = 0
      }
      packs[packs.count - 1].append(sample)
      filled += count - 1
    }
    return packs
  }
}
