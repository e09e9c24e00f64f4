/// NumPy's `default_rng`, as far as data sets are shuffled and split with it.
///
/// The generator is PCG64, seeded through `SeedSequence`. Sources: O'Neill, "PCG" (2014); numpy/random, which
/// `datasets` draws `shuffle` and `train_test_split` from.
public struct NumPyGenerator: Sendable {
  private var state: UInt128 = 0
  private let increment: UInt128
  /// The upper half of the last 64 bits, where only the lower was used.
  private var spare: UInt32?

  /// `numpy.random.default_rng(seed)`.
  public init(seed: UInt64) {
    let words = SeedSequence(seed).words(8)
    /// Four 32-bit words, of which each two stand with the lower one first.
    func joined(_ place: Int) -> UInt128 {
      let high = UInt64(words[place + 1]) << 32 | UInt64(words[place])
      let low = UInt64(words[place + 3]) << 32 | UInt64(words[place + 2])
      return UInt128(high) << 64 | UInt128(low)
    }
    increment = joined(4) << 1 | 1
    step()
    state &+= joined(0)
    step()
  }

  private mutating func step() {
    let factor = UInt128(0x2360_ED05_1FC6_5DA4) << 64 | 0x4385_DF64_9FCC_F645
    state = state &* factor &+ increment
  }

  /// The next 64 random bits.
  public mutating func next64() -> UInt64 {
    step()
    let mixed = UInt64(truncatingIfNeeded: state >> 64) ^ UInt64(truncatingIfNeeded: state)
    let turn = UInt64(truncatingIfNeeded: state >> 122)
    return turn == 0 ? mixed : mixed >> turn | mixed << (64 - turn)
  }

  /// The next 32 random bits: the lower half first.
  public mutating func next() -> UInt32 {
    if let word = spare {
      spare = nil
      return word
    }
    let both = next64()
    spare = UInt32(truncatingIfNeeded: both >> 32)
    return UInt32(truncatingIfNeeded: both)
  }

  /// A number in 0…limit (`random_interval`).
  private mutating func number(upTo limit: UInt64) -> UInt64 {
    if limit == 0 { return 0 }
    let mask = UInt64.max >> UInt64(limit.leadingZeroBitCount)
    while true {
      let drawn = (limit <= UInt64(UInt32.max) ? UInt64(next()) : next64()) & mask
      if drawn <= limit { return drawn }
    }
  }

  /// `integers(0, limit, dtype=int32)`: a number below a limit, by Lemire's multiplication.
  mutating func number(below limit: UInt32) -> UInt32 {
    precondition(limit > 0)
    if limit == 1 { return 0 }
    let threshold = (UInt32.max - limit + 1) % limit
    while true {
      let product = UInt64(next()) * UInt64(limit)
      if UInt32(truncatingIfNeeded: product) >= threshold { return UInt32(product >> 32) }
    }
  }

  /// `permutation(count)`.
  public mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for index in stride(from: count - 1, to: 0, by: -1) {
      order.swapAt(index, Int(number(upTo: UInt64(index))))
    }
    return order
  }
}

/// NumPy's `SeedSequence`: a seed spread over as many bits as are wanted.
private struct SeedSequence {
  private var pool: [UInt32] = []

  init(_ seed: UInt64) {
    var entropy = [UInt32(truncatingIfNeeded: seed)]
    if seed >> 32 != 0 { entropy.append(UInt32(truncatingIfNeeded: seed >> 32)) }
    var factor: UInt32 = 0x43b0_d7e5
    func hashed(_ value: UInt32) -> UInt32 {
      var value = value ^ factor
      factor = factor &* 0x931e_8875
      value = value &* factor
      return value ^ value >> 16
    }
    for index in 0..<4 { pool.append(hashed(index < entropy.count ? entropy[index] : 0)) }
    for from in 0..<4 {
      for to in 0..<4 where from != to {
        let mixed = 0xca01_f9dd &* pool[to] &- 0x4973_f715 &* hashed(pool[from])
        pool[to] = mixed ^ mixed >> 16
      }
    }
  }

  func words(_ count: Int) -> [UInt32] {
    var factor: UInt32 = 0x8b51_f9dd
    return (0..<count).map { index in
      var word = pool[index % 4] ^ factor
      factor = factor &* 0x58f3_8ded
      word = word &* factor
      return word ^ word >> 16
    }
  }
}
