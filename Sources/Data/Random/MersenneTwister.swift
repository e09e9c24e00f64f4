/// The generator MT19937, bit for bit as NumPy and PyTorch step it.
///
/// Source: Matsumoto and Nishimura, "Mersenne Twister" (1998), with the seeding of 2002.
public struct MersenneTwister: Sendable {
  private static let size = 624
  private static let middle = 397

  /// The state, and how many of its words have been given away.
  public private(set) var words = [UInt32](repeating: 0, count: Self.size)
  public private(set) var position = Self.size

  /// `init_genrand`: the state that follows from one number.
  public init(seed: UInt32) {
    var word = seed
    for index in 0..<Self.size {
      words[index] = word
      word = 1_812_433_253 &* (word ^ (word >> 30)) &+ UInt32(index + 1)
    }
  }

  /// `init_by_array`: the state that follows from several numbers, of which there must be one.
  public init(seeds: [UInt32]) {
    precondition(!seeds.isEmpty)
    self.init(seed: 19_650_218)
    var index = 1
    var seedIndex = 0
    func before(_ words: [UInt32], _ index: Int) -> UInt32 {
      words[index - 1] ^ (words[index - 1] >> 30)
    }
    func step(_ words: inout [UInt32], _ index: inout Int) {
      index += 1
      guard index >= Self.size else { return }
      words[0] = words[Self.size - 1]
      index = 1
    }
    for _ in 0..<max(Self.size, seeds.count) {
      words[index] =
        (words[index] ^ (before(words, index) &* 1_664_525)) &+ seeds[seedIndex]
        &+ UInt32(truncatingIfNeeded: seedIndex)
      step(&words, &index)
      seedIndex = seedIndex + 1 == seeds.count ? 0 : seedIndex + 1
    }
    for _ in 1..<Self.size {
      words[index] = (words[index] ^ (before(words, index) &* 1_566_083_941)) &- UInt32(index)
      step(&words, &index)
    }
    words[0] = 0x8000_0000
  }

  /// The next 32 random bits.
  @inline(__always)
  public mutating func next() -> UInt32 {
    if position >= Self.size { refill() }
    var word = words[position]
    position += 1
    word ^= word >> 11
    word ^= (word << 7) & 0x9d2c_5680
    word ^= (word << 15) & 0xefc6_0000
    return word ^ (word >> 18)
  }

  /// The next 64 random bits: the first draw is the high half.
  public mutating func next64() -> UInt64 {
    let high = UInt64(next())
    return high << 32 | UInt64(next())
  }

  @inline(never)
  private mutating func refill() {
    func mixed(_ high: UInt32, _ low: UInt32) -> UInt32 {
      let joined = (high & 0x8000_0000) | (low & 0x7fff_ffff)
      return (joined >> 1) ^ (low & 1 == 0 ? 0 : 0x9908_b0df)
    }
    position = 0
    let split = Self.size - Self.middle
    var words = words.mutableSpan
    for index in 0..<split {
      words[index] = words[index + Self.middle] ^ mixed(words[index], words[index + 1])
    }
    for index in split..<Self.size - 1 {
      words[index] = words[index - split] ^ mixed(words[index], words[index + 1])
    }
    words[Self.size - 1] = words[Self.middle - 1] ^ mixed(words[Self.size - 1], words[0])
  }
}
