/// Where items lie, by key and chunk: filled once, then each entry is taken once.
///
/// Most keys have few chunks and some have thousands, so entries of a key form a chain, and long
/// chains get a dictionary.
struct StorageTable {
  private struct Entry {
    let key: String
    let offsets: [Int]?
    let storage: DistributedMetadata.Storage
    /// The entry of the same key that was added before.
    let previous: Int?
    var isTaken = false
  }

  private struct Chain {
    var last: Int
    var count: Int
  }

  private var entries: [Entry] = []
  private var chains: [String: Chain] = [:]
  /// The entries of the key that was asked for last, if it has many.
  private var places: (key: String?, entries: [[Int]: Int]) = (nil, [:])

  private static let longChain = 8

  mutating func reserve(_ count: Int) {
    entries.reserveCapacity(count)
    chains.reserveCapacity(count)
  }

  /// Adds an entry; `offsets` are `nil` for a byte object.
  mutating func add(_ key: String, offsets: [Int]?, _ storage: DistributedMetadata.Storage) {
    let index = entries.count
    let known = chains[key]
    entries.append(Entry(key: key, offsets: offsets, storage: storage, previous: known?.last))
    chains[key] = Chain(last: index, count: (known?.count ?? 0) + 1)
  }

  /// The storage of a chunk, once.
  mutating func take(_ key: String, offsets: [Int]?) -> DistributedMetadata.Storage? {
    guard let chain = chains[key], let index = find(chain, key, offsets) else { return nil }
    entries[index].isTaken = true
    return entries[index].storage
  }

  private mutating func find(_ chain: Chain, _ key: String, _ offsets: [Int]?) -> Int? {
    if chain.count > Self.longChain, let offsets {
      if places.key != key {
        var found: [[Int]: Int] = [:]
        found.reserveCapacity(chain.count)
        walk(chain) { index in
          if let offsets = entries[index].offsets { found[offsets] = index }
          return false
        }
        places = (key, found)
      }
      return places.entries[offsets].flatMap { entries[$0].isTaken ? nil : $0 }
    }
    var found: Int?
    walk(chain) { index in
      guard !entries[index].isTaken, entries[index].offsets == offsets else { return false }
      found = index
      return true
    }
    return found
  }

  /// Visits the entries of a key, the last first, until `body` says that it has seen enough.
  private func walk(_ chain: Chain, _ body: (Int) -> Bool) {
    var next: Int? = chain.last
    while let index = next {
      if body(index) { return }
      next = entries[index].previous
    }
  }

  /// The entries that nobody took, in the order added.
  var leftOver: [(key: String, offsets: [Int]?)] {
    entries.filter { !$0.isTaken }.map { ($0.key, $0.offsets) }
  }
}
