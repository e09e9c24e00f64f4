/// Pieces and their ids, found by the bytes of a piece and by its id.
///
/// The bytes of all pieces lie in one array, and pieces are equal only if all bytes are: Swift's strings
/// would hold canonically equivalent spellings for one piece.
struct Vocabulary: Sendable {
  /// What became of a piece that was added.
  enum Addition: Equatable {
    case added
    /// The piece is there already, under this id.
    case pieceTaken(Int32)
    /// The id is another piece's.
    case idTaken
  }

  private var bytes: [UInt8] = []
  /// Where the bytes of each entry end, after a leading 0.
  private var ends: [Int] = [0]
  private var ids: [Int32] = []
  /// By hash its upper half and the entry + 1, open addressing; 0 is free.
  ///
  /// The count of slots is a power of two. The half spares a look at the bytes of nearly every other piece.
  private var slots: [UInt64]
  /// Entry + 1 by id.
  private var entries: [Int32] = []
  /// Entries of ids that lie too far out for a table.
  private var farEntries: [Int32: Int32] = [:]
  private let seed = UInt64.random(in: .min ... .max)

  init(capacity: Int = 0) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = [UInt64](repeating: 0, count: size)
  }

  /// How many pieces there are.
  var count: Int { ids.count }

  /// The largest id + 1.
  private(set) var idLimit: Int32 = 0

  /// The length in bytes of the longest piece.
  private(set) var longest = 0

  /// Adds a piece, unless the piece or the id is taken.
  ///
  /// - Parameter id: from 0 to `Int32.max - 1`.
  mutating func add(_ piece: some Collection<UInt8>, id: Int32) -> Addition {
    let start = bytes.count
    bytes.append(contentsOf: piece)
    let hash = hash(bytes, start..<bytes.count, seed)
    let slot = slot(of: bytes, start..<bytes.count, hash)
    if slots[slot] != 0 {
      bytes.removeSubrange(start...)
      return .pieceTaken(ids[Self.entry(slots[slot])])
    }
    guard entry(of: id) == nil else {
      bytes.removeSubrange(start...)
      return .idTaken
    }
    longest = max(longest, bytes.count - start)
    ids.append(id)
    ends.append(bytes.count)
    slots[slot] = Self.slot(hash, ids.count)
    place(id, Int32(ids.count))
    if ids.count * 2 > slots.count { grow() }
    return .added
  }

  /// Gives an id to a piece that has one already, or that another piece's entry spells: the id leads to the
  /// piece, but the piece goes on leading to its first id.
  mutating func addAlias(_ piece: some Collection<UInt8>, id: Int32) {
    bytes.append(contentsOf: piece)
    ids.append(id)
    ends.append(bytes.count)
    place(id, Int32(ids.count))
  }

  /// The id of the piece that has these bytes.
  func id(of text: [UInt8], _ range: Range<Int>) -> Int32? {
    let found = slots[slot(of: text, range, hash(text, range, seed))]
    return found == 0 ? nil : ids[Self.entry(found)]
  }

  func id(of text: [UInt8]) -> Int32? { id(of: text, 0..<text.count) }

  func id(of text: String) -> Int32? { id(of: Array(text.utf8)) }

  /// The bytes of the piece with this id.
  func bytes(of id: Int32) -> ArraySlice<UInt8>? {
    guard let entry = entry(of: id) else { return nil }
    return bytes[ends[entry]..<ends[entry + 1]]
  }

  /// The piece with this id as text; what is not UTF-8 becomes U+FFFD.
  func text(of id: Int32) -> String? { bytes(of: id).map { String(decoding: $0, as: UTF8.self) } }

  /// All ids, in the order in which they were added.
  var allIDs: [Int32] { ids }

  private func entry(of id: Int32) -> Int? {
    guard id >= 0 else { return nil }
    if Int(id) < entries.count {
      let entry = entries[Int(id)]
      return entry == 0 ? nil : Int(entry) - 1
    }
    return farEntries[id].map { Int($0) - 1 }
  }

  private mutating func place(_ id: Int32, _ entry: Int32) {
    idLimit = max(idLimit, id + 1)
    // A table as large as the ids reach, unless a few of them lie far out.
    if Int(id) < entries.count {
      entries[Int(id)] = entry
    } else if Int(id) < ids.count * 4 + 65536 {
      // Twice as far each time, so that what lies far out is gone through seldom.
      let size = max(Int(id) + 1, entries.count * 2)
      entries.append(contentsOf: repeatElement(0, count: size - entries.count))
      for (far, value) in farEntries where Int(far) < size {
        entries[Int(far)] = value
        farEntries[far] = nil
      }
      entries[Int(id)] = entry
    } else {
      farEntries[id] = entry
    }
  }

  private mutating func grow() {
    slots = [UInt64](repeating: 0, count: slots.count * 2)
    for entry in ids.indices {
      let range = ends[entry]..<ends[entry + 1]
      let hash = hash(bytes, range, seed)
      let slot = slot(of: bytes, range, hash)
      if slots[slot] == 0 { slots[slot] = Self.slot(hash, entry + 1) }
    }
  }

  private static func slot(_ hash: UInt64, _ number: Int) -> UInt64 {
    hash & 0xFFFF_FFFF_0000_0000 | UInt64(number)
  }

  private static func entry(_ slot: UInt64) -> Int { Int(slot & 0xFFFF_FFFF) - 1 }

  /// The slot of the piece, or the free one where it would go.
  private func slot(of text: [UInt8], _ range: Range<Int>, _ hash: UInt64) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while true {
      let found = slots[slot]
      if found == 0 { return slot }
      if found >> 32 == hash >> 32, isEqual(Self.entry(found), text, range) { return slot }
      slot = (slot + 1) & mask
    }
  }

  private func isEqual(_ entry: Int, _ text: [UInt8], _ range: Range<Int>) -> Bool {
    let start = ends[entry]
    guard ends[entry + 1] - start == range.count else { return false }
    return Tokenizers.isEqual(bytes, start, text, range)
  }
}

/// A number for a run of bytes: eight at a time through a folded 128-bit product.
///
/// - Parameter seed: secret, so that nobody can prepare many pieces with one number.
func hash(_ text: [UInt8], _ range: Range<Int>, _ seed: UInt64) -> UInt64 {
  let bytes = text.span.bytes
  var state = seed ^ UInt64(truncatingIfNeeded: range.count) &* 0x9E37_79B9_7F4A_7C15
  var offset = range.lowerBound
  while offset + 8 <= range.upperBound {
    let word = bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    state = folded(state ^ word, 0xA076_1D64_78BD_642F)
    offset += 8
  }
  var rest: UInt64 = 0
  while offset < range.upperBound {
    rest = rest << 8 | UInt64(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    offset += 1
  }
  return folded(state ^ rest, 0xE703_7ED1_A0B4_28DB)
}

private func folded(_ left: UInt64, _ right: UInt64) -> UInt64 {
  let product = left.multipliedFullWidth(by: right)
  return product.high ^ product.low
}
