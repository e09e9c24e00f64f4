import Glibc

/// Numbers different runs of bytes in the order in which they are first seen.
///
/// It looks at the bytes where they lie, so that tens of thousands of names can be told apart without
/// a `String` for each mention of one. Like Swift's own tables it is seeded, so that nobody can write
/// a file whose names all collide.
public struct ByteTable {
  /// By number.
  private var hashes: [Int] = []
  /// Numbers by hash, -1 where there is none; a power of two of them, at most half used.
  private var slots: [Int32]

  public var count: Int { hashes.count }

  /// - Parameter capacity: how many different runs are expected.
  public init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = Array(repeating: -1, count: size)
    hashes.reserveCapacity(capacity)
  }

  /// The number of a run of bytes.
  ///
  /// - Parameter known: gives the run that first had a number.
  public mutating func number(
    of run: ArraySlice<UInt8>, _ known: (Int) -> ArraySlice<UInt8>
  ) -> Int {
    var hasher = Hasher()
    run.withUnsafeBytes { hasher.combine(bytes: $0) }
    let hash = hasher.finalize()
    var slot = hash & (slots.count - 1)
    while slots[slot] >= 0 {
      let number = Int(slots[slot])
      if hashes[number] == hash, Self.areEqual(run, known(number)) { return number }
      slot = (slot + 1) & (slots.count - 1)
    }
    hashes.append(hash)
    slots[slot] = Int32(hashes.count - 1)
    if hashes.count * 2 > slots.count { grow() }
    return hashes.count - 1
  }

  private static func areEqual(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Bool {
    a.withUnsafeBytes { a in
      b.withUnsafeBytes { b in
        guard a.count == b.count else { return false }
        guard let first = a.baseAddress, let second = b.baseAddress else { return true }
        return memcmp(first, second, a.count) == 0
      }
    }
  }

  private mutating func grow() {
    slots = Array(repeating: -1, count: slots.count * 2)
    for (number, hash) in hashes.enumerated() {
      var slot = hash & (slots.count - 1)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(number)
    }
  }
}
