/// The tokens of words met before: one thread's, bounded, forgetting.
struct WordCache {
  private struct Entry {
    var hash: UInt64 = 0
    var key: UInt32 = 0
    var value: UInt32 = 0
    var keyCount: UInt16 = 0
    /// 0 if the entry is free.
    var count: UInt16 = 0
  }

  /// The longest word that is kept, in bytes.
  static let longestWord = 128
  private static let slotCount = 1 << 16
  private static let keyLimit = 4 << 20
  private static let seed = UInt64.random(in: .min ... .max)

  private var entries: [Entry] = []
  /// The words' bytes.
  private var keys: [UInt8] = []
  /// For each token its id and where it ends in its word.
  private var values: [Int32] = []
  private let seed = WordCache.seed

  /// Appends the tokens of a word, if they are known; else gives the word's number, for `keep`.
  mutating func append(
    _ text: [UInt8], _ word: Range<Int>, to tokens: inout Tokens
  ) -> UInt64? {
    if entries.isEmpty { entries = [Entry](repeating: Entry(), count: Self.slotCount) }
    let hash = hash(text, word, seed)
    let entry = entries[Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)]
    guard entry.hash == hash, entry.count > 0, Int(entry.keyCount) == word.count,
      isEqual(keys, Int(entry.key), text, word)
    else { return hash }
    tokens.append(
      values, from: Int(entry.value), count: Int(entry.count), wordStart: word.lowerBound)
    return nil
  }

  /// Keeps the tokens of a word: those from `first` on.
  mutating func keep(
    _ text: [UInt8], _ word: Range<Int>, _ hash: UInt64, _ ids: [Int32], _ ends: [Int32]
  ) {
    guard ids.count > 0, ids.count < 256 else { return }
    if keys.count + word.count > Self.keyLimit || values.count > Self.keyLimit {
      keys.removeAll(keepingCapacity: true)
      values.removeAll(keepingCapacity: true)
      for index in entries.indices { entries[index].count = 0 }
    }
    entries[Int(truncatingIfNeeded: hash) & (Self.slotCount - 1)] = Entry(
      hash: hash, key: UInt32(keys.count), value: UInt32(values.count),
      keyCount: UInt16(word.count), count: UInt16(ids.count))
    keys.append(contentsOf: text[word])
    for index in ids.indices {
      values.append(ids[index])
      values.append(ends[index])
    }
  }
}

/// Whether a run of bytes equals that of the same length at another place.
func isEqual(_ keys: [UInt8], _ start: Int, _ text: [UInt8], _ range: Range<Int>) -> Bool {
  let left = keys.span.bytes
  let right = text.span.bytes
  var offset = 0
  while offset + 8 <= range.count {
    if left.unsafeLoadUnaligned(fromByteOffset: start + offset, as: UInt64.self)
      != right.unsafeLoadUnaligned(fromByteOffset: range.lowerBound + offset, as: UInt64.self)
    {
      return false
    }
    offset += 8
  }
  while offset < range.count {
    if keys[start + offset] != text[range.lowerBound + offset] { return false }
    offset += 1
  }
  return true
}
