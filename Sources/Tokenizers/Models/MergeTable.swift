/// Which two neighbouring symbols become which one, and in what order.
struct MergeTable: Sendable {
  /// What a pair becomes.
  struct Merge: Sendable, Equatable {
    /// Lower ranks are merged first.
    var rank: UInt32
    var id: Int32
  }

  /// A pair and, beside it, its rank and id, open addressing; the pair of two ids of -1 is free.
  private var slots: [UInt64]
  /// One bit for every 16 or so that could be set by a pair's number: most pairs that do not merge are told
  /// by it, and it is small enough to stay near the processor.
  private var filter: [UInt64]
  private(set) var count = 0

  private static let free = UInt64.max

  /// - Parameter capacity: how many merges will be added at most, or more.
  init(capacity: Int) {
    var size = 16
    while size * 3 < capacity * 4 { size *= 2 }
    slots = [UInt64](repeating: Self.free, count: size * 2)
    filter = [UInt64](repeating: 0, count: max(1, size / 8))
  }

  /// Adds a merge; one of the same pair that is there already is replaced.
  mutating func add(_ left: Int32, _ right: Int32, _ merge: Merge) {
    let pair = Self.pair(left, right)
    let mixed = Self.mixed(pair)
    let slot = slot(pair, mixed)
    filter[word(mixed)] |= Self.bit(mixed)
    if slots[slot] == Self.free {
      count += 1
      precondition(count * 8 <= slots.count * 3 + 8, "more merges than said")
    }
    slots[slot] = pair
    slots[slot + 1] = UInt64(merge.rank) << 32 | UInt64(UInt32(bitPattern: merge.id))
  }

  /// What two symbols become, as `rank << 32 | id`; `UInt64.max` if they stay apart.
  @inline(__always)
  func packed(_ left: Int32, _ right: Int32) -> UInt64 {
    let pair = Self.pair(left, right)
    let mixed = Self.mixed(pair)
    if filter[word(mixed)] & Self.bit(mixed) == 0 { return Self.free }
    let slot = slot(pair, mixed)
    return slots[slot] == pair ? slots[slot + 1] : Self.free
  }

  subscript(left: Int32, right: Int32) -> Merge? {
    let found = packed(left, right)
    guard found != Self.free else { return nil }
    return Merge(rank: UInt32(found >> 32), id: Int32(truncatingIfNeeded: found))
  }

  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// A number whose high bits depend on all bits of the pair.
  @inline(__always)
  private static func mixed(_ pair: UInt64) -> UInt64 {
    (pair ^ pair >> 29) &* 0x9E37_79B9_7F4A_7C15
  }

  @inline(__always)
  private func word(_ mixed: UInt64) -> Int {
    Int(truncatingIfNeeded: mixed >> 38) & (filter.count - 1)
  }

  @inline(__always)
  private static func bit(_ mixed: UInt64) -> UInt64 { 1 << (mixed >> 32 & 63) }

  @inline(__always)
  private func slot(_ pair: UInt64, _ mixed: UInt64) -> Int {
    let mask = slots.count - 2
    var slot = Int(truncatingIfNeeded: mixed >> 31) & mask
    while slots[slot] != pair, slots[slot] != Self.free { slot = (slot + 2) & mask }
    return slot
  }
}
