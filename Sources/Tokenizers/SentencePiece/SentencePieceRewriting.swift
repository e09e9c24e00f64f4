/// What sentencepiece does to a text before cutting it: characters are replaced by a precompiled map, extra
/// spaces go, spaces become U+2581, one is put in front.
///
/// Source: normalizer.cc of sentencepiece 0.2.3.
struct SentencePieceRewriting: Sendable {
  let addsDummyPrefix: Bool
  let removesExtraWhitespace: Bool
  let putsWhitespaceBehind: Bool
  /// What a space becomes.
  let space: [UInt8]
  let map: CharacterMap?
  /// Pieces that a text keeps as they are.
  let kept: PieceTrie?

  /// So many of the pieces that begin at one place are looked at.
  static let mostKept = 64

  static let escapedSpace: [UInt8] = [0xE2, 0x96, 0x81]
  private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

  init(
    _ rules: SentencePieceFile.Rules, _ bytes: [UInt8], putsWhitespaceBehind: Bool, kept: PieceTrie?
  ) throws(TokenizerFault) {
    addsDummyPrefix = rules.addsDummyPrefix
    removesExtraWhitespace = rules.removesExtraWhitespace
    self.putsWhitespaceBehind = putsWhitespaceBehind
    space = rules.escapesWhitespace ? Self.escapedSpace : [0x20]
    let range = rules.characterMap
    map = range.isEmpty ? nil : try CharacterMap(bytes[range], offset: range.lowerBound)
    self.kept = kept
  }

  /// A rewritten text.
  struct Text {
    var bytes: [UInt8] = []
    /// For each byte, and for the end, where it comes from; empty if nobody asks.
    var origins: [Int32] = []
  }

  /// - Parameters:
  ///   - range: the part of the text to rewrite.
  ///   - addsPrefix: whether the space in front may be put there at all.
  func rewrite(
    _ text: [UInt8], _ range: Range<Int>, addsPrefix: Bool = true, keepsOrigins: Bool = false
  ) -> Text {
    var writer = Writer(keepsOrigins: keepsOrigins, space: space)
    guard !range.isEmpty else { return writer.text }
    var place = range.lowerBound
    if removesExtraWhitespace {
      while place < range.upperBound {
        let step = step(text, place, range.upperBound)
        guard bytes(step, text, place).elementsEqual([0x20]) else { break }
        place += step.length
      }
      if place == range.upperBound { return writer.text }
    }
    writer.text.bytes.reserveCapacity(range.count + range.count / 4 + 8)
    let addsPrefix = addsDummyPrefix && addsPrefix
    if addsPrefix, !putsWhitespaceBehind { writer.writeSpace(from: place) }
    var isBehindSpace = removesExtraWhitespace
    while place < range.upperBound {
      // What most texts mostly consist of, in most vocabularies.
      if map == nil, kept == nil, text[place] < 0x80 {
        let byte = text[place]
        if byte != 0x20 {
          writer.write(byte, from: place)
          isBehindSpace = false
        } else if !isBehindSpace {
          writer.writeSpace(from: place)
          isBehindSpace = removesExtraWhitespace
        }
        place += 1
        continue
      }
      let step = step(text, place, range.upperBound)
      write(step, text, place, &writer, &isBehindSpace)
      place += step.length
    }
    var end = place
    if removesExtraWhitespace { writer.removeTrailingSpace(&end) }
    if addsPrefix, putsWhitespaceBehind { writer.writeSpace(from: end) }
    if keepsOrigins { writer.text.origins.append(Int32(truncatingIfNeeded: end)) }
    return writer.text
  }

  // MARK: Steps

  /// The next characters, and what becomes of them.
  private struct Step {
    var length: Int
    var result: Result

    enum Result {
      case same
      case replaced(CharacterMap.Replacement)
      case invalid
    }
  }

  private func step(_ text: [UInt8], _ place: Int, _ end: Int) -> Step {
    if let kept, let length = kept.longest(text, place, end, mostMatches: Self.mostKept) {
      return Step(length: length, result: .same)
    }
    if let map, let replacement = map.longest(text, place, end) {
      return Step(length: replacement.length, result: .replaced(replacement))
    }
    guard let length = characterLength(text, place, end) else {
      return Step(length: 1, result: .invalid)
    }
    return Step(length: length, result: .same)
  }

  private func bytes(_ step: Step, _ text: [UInt8], _ place: Int) -> ArraySlice<UInt8> {
    switch step.result {
    case .same: text[place..<place + step.length]
    case .replaced(let replacement): map?.text(replacement) ?? []
    case .invalid: Self.replacement[...]
    }
  }

  private func write(
    _ step: Step, _ text: [UInt8], _ place: Int, _ writer: inout Writer, _ isBehindSpace: inout Bool
  ) {
    let bytes = bytes(step, text, place)
    let rest = isBehindSpace ? bytes.drop { $0 == 0x20 } : bytes
    for byte in rest {
      if byte == 0x20 { writer.writeSpace(from: place) } else { writer.write(byte, from: place) }
    }
    if let last = rest.last { isBehindSpace = last == 0x20 }
    if !removesExtraWhitespace { isBehindSpace = false }
  }

  /// Writes a rewritten text.
  private struct Writer {
    let keepsOrigins: Bool
    let space: [UInt8]
    var text = Text()

    @inline(__always)
    mutating func write(_ byte: UInt8, from place: Int) {
      text.bytes.append(byte)
      if keepsOrigins { text.origins.append(Int32(truncatingIfNeeded: place)) }
    }

    @inline(__always)
    mutating func writeSpace(from place: Int) {
      for byte in space { write(byte, from: place) }
    }

    /// - Parameter end: becomes where the first space that went came from.
    mutating func removeTrailingSpace(_ end: inout Int) {
      while text.bytes.count >= space.count, text.bytes.suffix(space.count).elementsEqual(space) {
        let length = text.bytes.count - space.count
        text.bytes.removeLast(space.count)
        if keepsOrigins {
          end = Int(text.origins[length])
          text.origins.removeLast(space.count)
        }
      }
    }
  }
}

/// The length of the character at a place; `nil` where there is none: bytes that are no UTF-8.
///
/// What counts is what sentencepiece takes: nothing overlong, no surrogates, nothing beyond U+10FFFF.
func characterLength(_ text: [UInt8], _ place: Int, _ end: Int) -> Int? {
  let lead = text[place]
  if lead < 0x80 { return 1 }
  let length =
    switch lead {
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: 0
    }
  guard length > 0, place + length <= end else { return nil }
  let second: ClosedRange<UInt8> =
    switch lead {
    case 0xE0: 0xA0...0xBF
    case 0xED: 0x80...0x9F
    case 0xF0: 0x90...0xBF
    case 0xF4: 0x80...0x8F
    default: 0x80...0xBF
    }
  guard second.contains(text[place + 1]) else { return nil }
  for offset in 2..<max(2, length) where text[place + offset] & 0xC0 != 0x80 { return nil }
  return length
}
