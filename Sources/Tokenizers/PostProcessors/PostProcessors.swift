import JSON

extension Pipeline {
  private static let postProcessorKinds = [
    "BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing",
  ]

  /// The post-processor that a section describes.
  static func postProcessor(_ section: Section) throws(TokenizerFault) -> any PostProcessor {
    switch section.kind {
    case "BertProcessing":
      return Frame(cls: try token(section, "cls"), sep: try token(section, "sep"))
    case "ByteLevel": return try RangeTrimming(section)
    case "RobertaProcessing":
      return PartSequence<any PostProcessor>(parts: [
        try RangeTrimming(section),
        Frame(cls: try token(section, "cls"), sep: try token(section, "sep")),
      ])
    case "TemplateProcessing": return try TemplateProcessing(section)
    case "Sequence":
      guard section["processors"] != nil else { throw section.fault("processors", "an array") }
      var parts: [any PostProcessor] = []
      for part in try section.elements("processors") { parts.append(try postProcessor(part)) }
      return PartSequence(parts: parts)
    default:
      throw .unknownKind(section.kind, at: section.place, known: postProcessorKinds)
    }
  }

  /// The id of a token given as its text and its id.
  private static func token(_ section: Section, _ key: String) throws(TokenizerFault) -> Int32 {
    guard let pair = section[key]?.array, pair.count == 2, pair[0].string != nil,
      let id = pair[1].integer.flatMap({ Int32(exactly: $0) }), id >= 0
    else { throw section.fault(key, "a token and its id") }
    return id
  }
}

/// Puts one token before a text and one behind it.
struct Frame: PostProcessor {
  let cls: Int32
  let sep: Int32

  func process(_ encoding: inout Encoding, _ context: PostProcessing) {
    guard context.addsSpecialTokens else { return }
    encoding.ids = [cls] + encoding.ids + [sep]
    if context.keepsRanges { encoding.ranges = [0..<0] + encoding.ranges + [0..<0] }
  }
}

/// Tokens put around a text by a list.
struct TemplateProcessing: PostProcessor {
  private enum Piece {
    case text
    case tokens([Int32])
  }

  private let pieces: [Piece]

  init(_ section: Section) throws(TokenizerFault) {
    guard section["single"]?.array != nil else { throw section.fault("single", "an array") }
    guard let tokens = section.part("special_tokens") else {
      throw section.fault("special_tokens", "an object")
    }
    var pieces: [Piece] = []
    for element in try section.elements("single") {
      if let sequence = element.part("Sequence") {
        guard sequence["id"] == .string("A") else {
          throw sequence.fault("id", "“A”, as there is one text")
        }
        pieces.append(.text)
      } else {
        let special = try element.requiredPart("SpecialToken")
        let name = try special.string("id")
        guard let token = tokens.part(name) else { throw .missing(name, in: tokens.place) }
        pieces.append(.tokens(try Self.ids(token)))
      }
    }
    self.pieces = pieces
  }

  private static func ids(_ token: Section) throws(TokenizerFault) -> [Int32] {
    guard let values = token["ids"]?.array else { throw token.fault("ids", "an array of ids") }
    var ids: [Int32] = []
    for value in values {
      guard let id = value.integer.flatMap({ Int32(exactly: $0) }), id >= 0 else {
        throw token.fault("ids", "an array of ids")
      }
      ids.append(id)
    }
    return ids
  }

  func process(_ encoding: inout Encoding, _ context: PostProcessing) {
    var result = Encoding()
    for piece in pieces {
      switch piece {
      case .text:
        result.ids += encoding.ids
        result.ranges += encoding.ranges
      case .tokens(let ids) where context.addsSpecialTokens:
        result.ids += ids
        if context.keepsRanges { result.ranges += ids.map { _ in 0..<0 } }
      case .tokens: break
      }
    }
    encoding = result
  }
}

/// Takes whitespace at its ends out of each token's range.
struct RangeTrimming: PostProcessor {
  private let trims: Bool
  private let addsPrefixSpace: Bool

  init(_ section: Section) throws(TokenizerFault) {
    trims = try section.flag("trim_offsets")
    addsPrefixSpace = try section.flag("add_prefix_space")
  }

  func process(_ encoding: inout Encoding, _ context: PostProcessing) {
    guard trims, context.keepsRanges else { return }
    for index in encoding.ids.indices {
      guard let token = context.token(encoding.ids[index]).map(Array.init) else { continue }
      var leading = Self.spaces(token, fromEnd: false)
      let trailing = Self.spaces(token, fromEnd: true)
      if leading == 0, trailing == 0 { continue }
      let range = encoding.ranges[index]
      var (start, end) = (range.lowerBound, range.upperBound)
      // A single space at the very start may be the one that was put there.
      if index == 0 || start == 0, addsPrefixSpace, leading == 1 { leading = 0 }
      for _ in 0..<leading where start < end {
        start = min(start + scalarLength(context.text[start]), end)
      }
      for _ in 0..<trailing where end > start { end = scalarStart(context.text, before: end) }
      encoding.ranges[index] = start..<max(start, end)
    }
  }

  /// How many whitespace characters a token begins or ends with; “Ġ” is the byte-level alphabet's space.
  private static func spaces(_ token: [UInt8], fromEnd: Bool) -> Int {
    var count = 0
    var (start, end) = (0, token.count)
    while start < end {
      let place = fromEnd ? scalarStart(token, before: end) : start
      let code = scalar(token, place)
      guard code == 0x120 || Scalars.isWhitespace(code) else { break }
      count += 1
      if fromEnd { end = place } else { start += scalarLength(token[start]) }
    }
    return count
  }
}
