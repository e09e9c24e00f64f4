/// What many samples are like: how many, how long, how much of them is learnt.
public struct DataCounts: Sendable, Equatable {
  public private(set) var samples = 0
  public private(set) var tokens = 0
  public private(set) var trained = 0
  public private(set) var longest = 0
  public private(set) var shortest = Int.max
  /// Samples of which nothing is learnt.
  public private(set) var untrained = 0
  /// Samples that learn the token that ends sequences, as one of their last four: templates put a newline behind it.
  public private(set) var ended = 0
  /// Samples that were cut.
  public private(set) var cut = 0
  /// The length of each sample, in their order.
  public private(set) var lengths: [Int] = []

  public init() {}

  /// - Parameters:
  ///   - whole: how long it would be if it were not cut.
  ///   - end: the token that ends sequences.
  public mutating func add(_ sample: Sample, whole: Int, end: Int32?) {
    samples += 1
    tokens += sample.count
    let learnt = sample.trainedCount
    trained += learnt
    longest = max(longest, sample.count)
    shortest = min(shortest, sample.count)
    if learnt == 0 { untrained += 1 }
    if let end {
      let last = max(1, sample.count - 4)..<max(1, sample.count)
      if last.contains(where: { sample.tokens[$0] == end && sample.trained[$0] }) { ended += 1 }
    }
    if whole > sample.count { cut += 1 }
    lengths.append(sample.count)
  }

  /// Both together, the other's samples behind one's own.
  public mutating func add(_ other: DataCounts) {
    samples += other.samples
    tokens += other.tokens
    trained += other.trained
    longest = max(longest, other.longest)
    shortest = min(shortest, other.shortest)
    untrained += other.untrained
    ended += other.ended
    cut += other.cut
    lengths += other.lengths
  }

  public var mean: Double { samples == 0 ? 0 : Double(tokens) / Double(samples) }

  /// The length that half of the samples do not exceed.
  public var median: Int {
    let sorted = lengths.sorted()
    return sorted.isEmpty ? 0 : sorted[(sorted.count - 1) / 2]
  }

  /// How many samples are of which length, in so many equal steps from 0 to the longest.
  public func histogram(_ steps: Int) -> [Int] {
    precondition(steps > 0)
    var counts = [Int](repeating: 0, count: steps)
    guard longest > 0 else { return counts }
    for length in lengths { counts[min(steps - 1, length * steps / (longest + 1))] += 1 }
    return counts
  }
}
