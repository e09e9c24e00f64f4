/// A part of the data: to learn from, to watch while learning, to judge by at the end.
public enum Split: Int, CaseIterable, Sendable {
  case train
  case valid
  case test

  public var name: String { "\(self)" }
}

/// Which share of each data set goes to which split, as Megatron's `--split 969,30,1` says it.
public struct SplitShares: Sendable, Equatable {
  /// The text it was read from; part of the name of cached indices.
  public let text: String
  /// For each split where it begins and ends in 0...1; `nil` where it is empty.
  public let matrix: [(start: Double, end: Double)?]

  /// Reads up to three numbers; whatever stands between them separates them.
  ///
  /// - Throws: `IndexedError.malformedSplit`.
  public init(_ text: String) throws(IndexedError) {
    let words = text.split { !"0123456789.".contains($0) }
    var shares: [Double] = []
    for word in words {
      guard let share = Double(word), share.isFinite else { throw .malformedSplit(text) }
      shares.append(share)
    }
    guard (1...3).contains(shares.count), shares.contains(where: { $0 > 0 }) else {
      throw .malformedSplit(text)
    }
    shares += Array(repeating: 0, count: 3 - shares.count)
    shares = normalized(shares)
    var start = 0.0
    var matrix: [(start: Double, end: Double)?] = []
    for share in shares {
      matrix.append(start + share <= start ? nil : (start, start + share))
      start += share
    }
    self.text = text
    self.matrix = matrix
  }

  /// The sequences of a split, out of so many.
  public func range(of split: Split, in count: Int) -> Range<Int>? {
    matrix[split.rawValue].map { Self.range($0, in: count) }
  }

  /// Python's rounding: halves go to the even number.
  static func range(_ share: (start: Double, end: Double), in count: Int) -> Range<Int> {
    func place(_ part: Double) -> Int {
      min(count, Int((part * Double(count)).rounded(.toNearestOrEven)))
    }
    return place(share.start)..<max(place(share.start), place(share.end))
  }

  public static func == (left: SplitShares, right: SplitShares) -> Bool { left.text == right.text }
}

/// Weights divided by their sum, which is taken as NumPy does.
func normalized(_ weights: [Double]) -> [Double] {
  let sum = pairwiseSum(weights[...])
  return weights.map { $0 / sum }
}

/// NumPy's sum of doubles: eight running sums in blocks of up to 128, halves beyond.
///
/// Source: `pairwise_sum` in numpy/_core/src/umath/loops_utils.h.src. The order decides the last bit.
private func pairwiseSum(_ numbers: ArraySlice<Double>) -> Double {
  let count = numbers.count
  if count < 8 { return numbers.reduce(0, +) }
  if count > 128 {
    let half = count / 2 - count / 2 % 8
    return pairwiseSum(numbers.prefix(half)) + pairwiseSum(numbers.dropFirst(half))
  }
  var sums = Array(numbers.prefix(8))
  let whole = count - count % 8
  for index in 8..<max(8, whole) { sums[index % 8] += numbers[numbers.startIndex + index] }
  var sum =
    ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))
  for number in numbers.dropFirst(whole) { sum += number }
  return sum
}
