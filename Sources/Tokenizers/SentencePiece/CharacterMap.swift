/// A precompiled character map: which runs of characters a text's normaliser replaces, and by what.
///
/// It is a darts-clone double-array trie over UTF-8 bytes whose values are places in a block of
/// NUL-terminated strings. A unit of the trie is 32 bits: bits 0 to 7 and 31 are the label (bit 31 marks the
/// value of a finished key, in the other 31 bits), bit 8 says that a key ends here, bits 10 to 30 are the
/// offset to the children, in units of 256 if bit 9 is set. All of it is checked once, so that following it
/// never leads outside.
///
/// Source: sentencepiece 0.2.3 (normalizer.cc, third_party/darts_clone/darts.h).
struct CharacterMap: Sendable {
  private let units: [UInt32]
  private let strings: [UInt8]

  /// More matches than these are not looked at, as in the library.
  private static let mostMatches = 32

  /// No replacement is longer; the longest of Unicode's own has 33 bytes.
  ///
  /// Without a limit a short text could be told to grow beyond all memory.
  private static let longestReplacement = 1024

  /// - Parameters:
  ///   - blob: the trie's size in bytes (four bytes, little-endian), the trie, the strings.
  ///   - offset: where the blob begins in its file, for errors.
  init(_ blob: ArraySlice<UInt8>, offset: Int) throws(TokenizerFault) {
    let start = blob.startIndex
    guard blob.count > 4 else {
      throw .malformed(offset: offset, expected: "a character map of more than 4 bytes")
    }
    let size = (0..<4).reversed().reduce(0) { $0 << 8 | Int(blob[start + $1]) }
    guard size < blob.count - 4 else {
      throw .malformed(
        offset: offset,
        expected: "the size of a character map's trie, below \(blob.count - 4), not \(size)")
    }
    guard size >= 1024, size % 1024 == 0 else {
      throw .malformed(
        offset: offset, expected: "a character map's trie of a multiple of 1024 bytes, not \(size)")
    }
    let trie = start + 4
    units = (0..<size / 4).map { index in
      let place = trie + index * 4
      return UInt32(blob[place]) | UInt32(blob[place + 1]) << 8 | UInt32(blob[place + 2]) << 16
        | UInt32(blob[place + 3]) << 24
    }
    strings = Array(blob[(trie + size)...])
    guard strings.last == 0 else {
      throw .malformed(
        offset: offset + blob.count - 1, expected: "a NUL at the end of the character map's strings"
      )
    }
    let longest = strings.split(separator: 0).map(\.count).max() ?? 0
    guard longest <= Self.longestReplacement else {
      throw .tooLarge(
        what: "the length of a replacement in the character map", found: longest,
        limit: Self.longestReplacement)
    }
    if let wrong = wrongUnit() {
      throw .malformed(
        offset: offset + 4 + wrong * 4,
        expected: "a unit of the character map's trie that leads neither outside nor astray")
    }
  }

  /// The first unit that leads outside the trie or the strings.
  private func wrongUnit() -> Int? {
    let root = units[0]
    if label(root) != 0 || isEnd(root) || childOffset(root) == 0 || leadsOutside(0) { return 0 }
    return units.indices.dropFirst().first { index in
      let unit = units[index]
      if label(unit) > 0xFF { return Int(unit & 0x7FFF_FFFF) >= strings.count }
      return leadsOutside(index)
        || (isEnd(unit) && label(units[index ^ childOffset(unit)]) <= 0xFF)
    }
  }

  private func leadsOutside(_ index: Int) -> Bool {
    (index ^ childOffset(units[index])) | 0xFF >= units.count
  }

  private func label(_ unit: UInt32) -> UInt32 { unit & 0x8000_00FF }
  private func isEnd(_ unit: UInt32) -> Bool { unit & 0x100 != 0 }
  private func childOffset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 0x200) >> 6)) }

  /// A replacement: how many bytes go, and what comes, NUL excluded.
  struct Replacement {
    var length: Int
    var bytes: Range<Int>
  }

  /// The replacement of the longest key that begins at `start`, as sentencepiece has it.
  func longest(_ text: [UInt8], _ start: Int, _ end: Int) -> Replacement? {
    match(text, start, end, mostMatches: Self.mostMatches)
  }

  /// The replacement of the shortest key that begins at `start`, as the package `tokenizers` has it.
  func shortest(_ text: [UInt8], _ start: Int, _ end: Int) -> Replacement? {
    match(text, start, end, mostMatches: 1)
  }

  /// The bytes of a replacement.
  func text(_ replacement: Replacement) -> ArraySlice<UInt8> { strings[replacement.bytes] }

  private func match(
    _ text: [UInt8], _ start: Int, _ end: Int, mostMatches: Int
  ) -> Replacement? {
    var found: (length: Int, value: Int)?
    var matches = 0
    var node = childOffset(units[0])
    var place = start
    while place < end, matches < mostMatches {
      let byte = text[place]
      node ^= Int(byte)
      let unit = units[node]
      guard label(unit) == UInt32(byte) else { break }
      node ^= childOffset(unit)
      place += 1
      if isEnd(unit) {
        matches += 1
        found = (place - start, Int(units[node] & 0x7FFF_FFFF))
      }
    }
    guard let found else { return nil }
    var stop = found.value
    while strings[stop] != 0 { stop += 1 }
    return Replacement(length: found.length, bytes: found.value..<stop)
  }
}
