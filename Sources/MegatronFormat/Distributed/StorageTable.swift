/// Where items lie, by key and chunk: filled once, then each entry is taken once.
///
/// Entries are flat, because there are tens of thousands. Those of a key form a chain in the order
/// added, which is nearly always the order in which they are asked for; where it is not, a short
/// chain is searched and a long one gets a dictionary.
struct StorageTable {
  struct Entry {
    let key: Int32
    let file: Int32
    let offset: Int
    let length: Int
    /// The chunk's offsets, as a stretch of `numbers`; the rank is -1 for a byte object.
    fileprivate let start: Int
    fileprivate let rank: Int32
    fileprivate var next: Int32 = -1
    fileprivate var isTaken = false
  }

  private struct Chain {
    var first: Int32 = -1
    var last: Int32 = -1
    var count: Int32 = 0
    /// Where to look first.
    var expected: Int32 = -1
  }

  private(set) var entries: [Entry] = []
  private var numbers: [Int] = []
  /// By key.
  private var chains: [Chain] = []
  /// The entries of the key that was asked for last out of order, if it has many.
  private var places: (key: Int, entries: [[Int]: Int]) = (-1, [:])

  private static let longChain = 8

  mutating func reserve(_ count: Int) {
    entries.reserveCapacity(count)
    numbers.reserveCapacity(count * 4)
  }

  /// Adds an entry; `offsets` are `nil` for a byte object.
  mutating func add(_ key: Int, offsets: [Int]?, file: Int, offset: Int, length: Int) {
    let index = Int32(entries.count)
    entries.append(
      Entry(
        key: Int32(key), file: Int32(file), offset: offset, length: length, start: numbers.count,
        rank: offsets.map { Int32($0.count) } ?? -1))
    if let offsets { numbers += offsets }
    while chains.count <= key { chains.append(Chain()) }
    if chains[key].count == 0 {
      chains[key].first = index
      chains[key].expected = index
    } else {
      entries[Int(chains[key].last)].next = index
    }
    chains[key].last = index
    chains[key].count += 1
  }

  /// The entry of a chunk, once.
  mutating func take(_ key: Int, offsets: [Int]?) -> Entry? {
    guard key < chains.count, let index = find(key, offsets) else { return nil }
    entries[index].isTaken = true
    chains[key].expected = entries[index].next
    return entries[index]
  }

  private mutating func find(_ key: Int, _ offsets: [Int]?) -> Int? {
    let chain = chains[key]
    if chain.expected >= 0, isFree(Int(chain.expected), offsets) { return Int(chain.expected) }
    if chain.count > Self.longChain, let offsets {
      if places.key != key { places = (key, index(of: chain)) }
      return places.entries[offsets].flatMap { entries[$0].isTaken ? nil : $0 }
    }
    var next = chain.first
    while next >= 0 {
      if isFree(Int(next), offsets) { return Int(next) }
      next = entries[Int(next)].next
    }
    return nil
  }

  private func isFree(_ index: Int, _ offsets: [Int]?) -> Bool {
    let entry = entries[index]
    guard !entry.isTaken, Int(entry.rank) == offsets?.count ?? -1 else { return false }
    guard let offsets else { return true }
    for axis in offsets.indices where numbers[entry.start + axis] != offsets[axis] { return false }
    return true
  }

  private func index(of chain: Chain) -> [[Int]: Int] {
    var found: [[Int]: Int] = [:]
    found.reserveCapacity(Int(chain.count))
    var next = chain.first
    while next >= 0 {
      // Of several with the same offsets the first counts; the others will be left over.
      if let offsets = offsets(Int(next)), found[offsets] == nil { found[offsets] = Int(next) }
      next = entries[Int(next)].next
    }
    return found
  }

  private func offsets(_ index: Int) -> [Int]? {
    let entry = entries[index]
    return entry.rank < 0
      ? nil : Array(numbers[entry.start..<entry.start + Int(entry.rank)])
  }

  /// The entries that nobody took, in the order added.
  var leftOver: [(key: Int, offsets: [Int]?)] {
    entries.indices.filter { !entries[$0].isTaken }.map { (Int(entries[$0].key), offsets($0)) }
  }
}
