/// NumPy's `RandomState`, as far as datasets are drawn with it: the same numbers for the same seed.
///
/// `numpy.random.seed(n)` with `numpy.random.shuffle` is the same state. NumPy promises that this
/// stream never changes (NEP 19).
public struct NumPyRandom: Sendable {
  private var generator: MersenneTwister

  /// `RandomState(seed)`.
  public init(seed: UInt32) { generator = MersenneTwister(seed: seed) }

  /// `RandomState([seed, …])`; there must be a seed.
  public init(seeds: [UInt32]) { generator = MersenneTwister(seeds: seeds) }

  /// A number in 0…limit, each as likely: bits are drawn until they are small enough (`random_interval`).
  @inline(__always)
  public mutating func number(upTo limit: UInt64) -> UInt64 {
    if limit == 0 { return 0 }
    let mask = UInt64.max >> UInt64(limit.leadingZeroBitCount)
    while true {
      let drawn = limit <= UInt64(UInt32.max) ? UInt64(generator.next()) : generator.next64()
      if drawn & mask <= limit { return drawn & mask }
    }
  }

  /// `randint(low, high)` for 64-bit integers: a number in low..<high, which must not be empty.
  public mutating func integer(in range: Range<Int>) -> Int {
    precondition(!range.isEmpty)
    let width = UInt64(bitPattern: Int64(range.upperBound &- 1 &- range.lowerBound))
    return range.lowerBound &+ Int(truncatingIfNeeded: number(upTo: width))
  }

  /// `random_sample()`: a number in 0..<1 with 53 random bits.
  public mutating func fraction() -> Double {
    let high = Double(generator.next() >> 5)
    let low = Double(generator.next() >> 6)
    return (high * 67_108_864 + low) / 9_007_199_254_740_992
  }

  /// `shuffle(x)` of a list or an array of one dimension.
  public mutating func shuffle<Element>(_ elements: inout [Element]) {
    shuffle(&elements, in: 0..<elements.count)
  }

  /// `shuffle(x[range])`.
  public mutating func shuffle<Element>(_ elements: inout [Element], in range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= elements.count)
    guard range.count > 1 else { return }
    var state = self
    var span = elements.mutableSpan
    for offset in stride(from: range.count - 1, to: 0, by: -1) {
      let other = Int(state.number(upTo: UInt64(offset)))
      if other != offset { span.swapAt(range.lowerBound + offset, range.lowerBound + other) }
    }
    self = state
  }

  /// `permutation(count)`.
  public mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    shuffle(&order)
    return order
  }

  /// Indices below `count` that may repeat, as `choice(count, size)` draws them; `count` must not be 0.
  public mutating func choice(_ count: Int, size: Int) -> [Int] {
    (0..<size).map { _ in integer(in: 0..<count) }
  }

  /// Indices that do not repeat, at most `count` of them, as `choice(count, size, replace=False)` draws them.
  public mutating func distinctChoice(_ count: Int, size: Int) -> [Int] {
    precondition(size <= count)
    return Array(permutation(count).prefix(size))
  }

  /// Indices that may repeat, as `choice(n, size, p=weights)` draws them with n weights that sum to one.
  public mutating func choice(weights: [Double], size: Int) -> [Int] {
    var sums: [Double] = []
    var sum = 0.0
    for weight in weights {
      sum += weight
      sums.append(sum)
    }
    precondition(sum > 0)
    for index in sums.indices { sums[index] /= sum }
    return (0..<size).map { _ in
      let fraction = fraction()
      var low = 0
      var high = sums.count
      while low < high {
        let middle = (low + high) / 2
        if sums[middle] <= fraction { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }
}
