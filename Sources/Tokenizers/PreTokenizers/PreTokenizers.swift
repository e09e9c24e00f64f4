import JSON

extension Pipeline {
  private static let preTokenizerKinds = [
    "BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "FixedLength", "Metaspace",
    "Punctuation", "Sequence", "Split", "UnicodeScripts", "Whitespace", "WhitespaceSplit",
  ]

  /// The pre-tokenizer that a section describes.
  ///
  /// - Parameter leavesBytes: whether the model takes bytes for characters of the byte-level alphabet, so that
  ///   the last cut need not write them.
  static func preTokenizer(
    _ section: Section, leavesBytes: Bool
  ) throws(TokenizerFault) -> any PreTokenizer {
    switch section.kind {
    case "BertPreTokenizer": return BertPreTokenizer()
    case "ByteLevel": return try ByteLevel(section, leavesBytes: leavesBytes)
    case "CharDelimiterSplit", "Delimiter":
      let delimiter = try section.scalar("delimiter")
      return CharacterSplit(delimiter: scalar(delimiter, 0))
    case "Digits":
      return Digits(areIndividual: try section.flag("individual_digits"))
    case "FixedLength":
      return FixedLength(length: try section.integer("length", 1...Int.max, default: 5))
    case "Metaspace": return try Metaspace(section)
    case "Punctuation":
      let isGiven = section["behavior"] != nil
      return Punctuation(behavior: isGiven ? try behavior(section) : .isolated)
    case "Split":
      return Split(
        needle: try Needle(section), behavior: try behavior(section),
        isInverted: try section.flag("invert"))
    case "UnicodeScripts": return UnicodeScripts()
    case "Whitespace": return Whitespace()
    case "WhitespaceSplit": return WhitespaceSplit()
    case "Sequence":
      guard section["pretokenizers"] != nil else {
        throw section.fault("pretokenizers", "an array")
      }
      let sections = try section.elements("pretokenizers")
      var parts: [any PreTokenizer] = []
      for (index, part) in sections.enumerated() {
        let isLast = index == sections.count - 1
        parts.append(try preTokenizer(part, leavesBytes: leavesBytes && isLast))
      }
      return PartSequence(parts: parts)
    default:
      throw .unknownKind(section.kind, at: section.place, known: preTokenizerKinds)
    }
  }

  private static func behavior(_ section: Section) throws(TokenizerFault) -> SplitBehavior {
    try section.choice(
      "behavior",
      [
        "Removed": .removed, "Isolated": .isolated, "MergedWithPrevious": .mergedWithPrevious,
        "MergedWithNext": .mergedWithNext, "Contiguous": .contiguous,
      ])
  }
}

/// Cuts at whitespace, which is dropped, and around every punctuation character.
struct BertPreTokenizer: PreTokenizer {
  func split(_ words: inout Words, _ workspace: inout Workspace) {
    words.split(.removed, at: Scalars.isWhitespace)
    words.split(.isolated, at: Scalars.isPunctuation)
  }
}

/// Cuts at a character, which is dropped.
struct CharacterSplit: PreTokenizer {
  let delimiter: UInt32

  func split(_ words: inout Words, _ workspace: inout Workspace) {
    words.split(.removed) { $0 == delimiter }
  }
}

/// Cuts numbers out, or every digit.
struct Digits: PreTokenizer {
  let areIndividual: Bool

  func split(_ words: inout Words, _ workspace: inout Workspace) {
    words.split(areIndividual ? .isolated : .contiguous, at: Scalars.isNumeric)
  }
}

/// Cuts after so many characters.
struct FixedLength: PreTokenizer {
  let length: Int

  func split(_ words: inout Words, _ workspace: inout Workspace) {
    var ranges: [Range<Int>] = []
    let text = words.passage.bytes
    for word in words.ranges where !word.isEmpty {
      var start = word.lowerBound
      var count = 0
      var place = start
      while place < word.upperBound {
        if count == length {
          ranges.append(start..<place)
          start = place
          count = 0
        }
        count += 1
        place += scalarLength(text[place])
      }
      ranges.append(start..<word.upperBound)
    }
    words.ranges = ranges
  }
}

/// Cuts at punctuation.
struct Punctuation: PreTokenizer {
  let behavior: SplitBehavior

  func split(_ words: inout Words, _ workspace: inout Workspace) {
    words.split(behavior, at: Scalars.isPunctuation)
  }
}

/// Cuts at a text or a pattern.
struct Split: PreTokenizer {
  let needle: Needle
  let behavior: SplitBehavior
  let isInverted: Bool

  func split(_ words: inout Words, _ workspace: inout Workspace) throws(TokenizerError) {
    try words.split(behavior, at: needle, isInverted: isInverted, &workspace)
  }
}

/// Cuts runs of word characters and runs of other characters apart, and drops whitespace.
struct Whitespace: PreTokenizer {
  private enum Kind {
    case space, word, other
  }

  func split(_ words: inout Words, _ workspace: inout Workspace) {
    var ranges: [Range<Int>] = []
    let text = words.passage.bytes
    for word in words.ranges {
      var start = word.lowerBound
      var last = Kind.space
      var place = start
      while place < word.upperBound {
        let code = scalar(text, place)
        let kind: Kind =
          Scalars.isWord(code) ? .word : Scalars.isWhitespace(code) ? .space : .other
        if kind != last {
          if last != .space { ranges.append(start..<place) }
          start = place
          last = kind
        }
        place += scalarLength(text[place])
      }
      if last != .space { ranges.append(start..<word.upperBound) }
    }
    words.ranges = ranges
  }
}

/// Cuts at whitespace, which is dropped.
struct WhitespaceSplit: PreTokenizer {
  func split(_ words: inout Words, _ workspace: inout Workspace) {
    words.split(.removed, at: Scalars.isWhitespace)
  }
}
