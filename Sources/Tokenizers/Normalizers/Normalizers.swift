import JSON

extension Pipeline {
  private static let normalizerKinds = [
    "BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled",
    "Prepend", "Replace", "Sequence", "Strip", "StripAccents",
  ]

  /// The normaliser that a section describes.
  static func normalizer(_ section: Section) throws(TokenizerFault) -> any Normalizer {
    switch section.kind {
    case "BertNormalizer", "Bert": return try BertNormalizer(section)
    case "ByteLevel": return ByteLevelNormalizer()
    case "Lowercase": return Lowercase()
    case "NFC": return UnicodeForm(isCompatible: false, isComposed: true)
    case "NFD": return UnicodeForm(isCompatible: false, isComposed: false)
    case "NFKC": return UnicodeForm(isCompatible: true, isComposed: true)
    case "NFKD": return UnicodeForm(isCompatible: true, isComposed: false)
    case "Nmt": return NmtNormalizer()
    case "Precompiled": return try precompiled(section)
    case "Prepend": return Prepend(text: Array(try section.string("prepend").utf8))
    case "Replace": return try Replace(section)
    case "Strip":
      return Strip(
        left: try section.flag("strip_left"), right: try section.flag("strip_right"))
    case "StripAccents": return StripAccents()
    case "Sequence":
      guard section["normalizers"] != nil else { throw section.fault("normalizers", "an array") }
      var parts: [any Normalizer] = []
      for part in try section.elements("normalizers") { parts.append(try normalizer(part)) }
      return PartSequence(parts: parts)
    default:
      throw .unknownKind(section.kind, at: section.place, known: normalizerKinds)
    }
  }
}

extension Passage {
  /// Rewrites the passage character by character.
  ///
  /// - Parameter body: is given each code point and its bytes, and writes what stands for it.
  mutating func rewriteScalars(_ body: (UInt32, Range<Int>, inout Rewriting) -> Void) {
    var rewriting = Rewriting(self)
    var place = 0
    while place < bytes.count {
      let end = place + scalarLength(bytes[place])
      body(scalar(bytes, place), place..<end, &rewriting)
      place = end
    }
    take(rewriting)
  }

  /// Leaves out the characters that a test picks.
  mutating func remove(where isUnwanted: (UInt32) -> Bool) {
    rewriteScalars { scalar, range, new in
      if !isUnwanted(scalar) { new.keep(range) }
    }
  }

  /// Whether all characters are ASCII.
  var isASCII: Bool { bytes.allSatisfy { $0 < 0x80 } }
}

/// Puts a text before any text that is not empty.
struct Prepend: Normalizer {
  let text: [UInt8]

  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) {
    guard !passage.bytes.isEmpty else { return }
    var new = Passage.Rewriting(passage)
    new.add(text, from: 0)
    new.keep(0..<passage.bytes.count)
    passage.take(new)
  }
}

/// Cuts whitespace off the ends.
struct Strip: Normalizer {
  let left: Bool
  let right: Bool

  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) {
    let bytes = passage.bytes
    var start = 0
    var end = bytes.count
    while left, start < end, Scalars.isWhitespace(scalar(bytes, start)) {
      start += scalarLength(bytes[start])
    }
    while right, end > start {
      let last = scalarStart(bytes, before: end)
      guard Scalars.isWhitespace(scalar(bytes, last)) else { break }
      end = last
    }
    guard start > 0 || end < bytes.count else { return }
    var new = Passage.Rewriting(passage)
    new.keep(start..<end)
    passage.take(new)
  }
}

/// Leaves out marks.
struct StripAccents: Normalizer {
  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) {
    if passage.isASCII { return }
    passage.remove(where: Scalars.isMark)
  }
}

/// Lower case, each character by itself (so that a final sigma is like any other).
struct Lowercase: Normalizer {
  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) {
    passage.rewriteScalars { scalar, range, new in
      if scalar < 0x80 {
        let isUpper = scalar >= 0x41 && scalar <= 0x5A
        new.add(UInt8(isUpper ? scalar + 0x20 : scalar), from: range.lowerBound)
      } else if let properties = Unicode.Scalar(scalar)?.properties,
        properties.changesWhenLowercased
      {
        new.add(properties.lowercaseMapping.utf8, from: range.lowerBound)
      } else {
        new.keep(range)
      }
    }
  }
}

/// Writes every byte as its character of the byte-level alphabet.
struct ByteLevelNormalizer: Normalizer {
  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) {
    var new = Passage.Rewriting(passage)
    for index in passage.bytes.indices {
      new.add(ByteAlphabet.utf8[Int(passage.bytes[index])], from: index)
    }
    passage.take(new)
  }
}

/// Drops control characters and makes unusual spaces plain, as the NMT preparation of sentencepiece does.
struct NmtNormalizer: Normalizer {
  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) {
    passage.rewriteScalars { scalar, range, new in
      switch scalar {
      case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: break
      case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
        new.add(UInt8(ascii: " "), from: range.lowerBound)
      default: new.keep(range)
      }
    }
  }
}
