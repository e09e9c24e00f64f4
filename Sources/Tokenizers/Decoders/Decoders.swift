import JSON

extension Pipeline {
  private static let decoderKinds = [
    "BPEDecoder", "ByteFallback", "ByteLevel", "CTC", "Fuse", "Metaspace", "Replace", "Sequence",
    "Strip", "WordPiece",
  ]

  /// The decoder that a section describes.
  static func decoder(_ section: Section) throws(TokenizerFault) -> any Decoder {
    switch section.kind {
    case "BPEDecoder": return SuffixDecoder(suffix: Array(try section.string("suffix").utf8))
    case "ByteFallback": return ByteFallback()
    case "ByteLevel": return ByteLevel()
    case "CTC":
      return CTCDecoder(
        pad: Array(try section.string("pad_token").utf8),
        delimiter: Array(try section.string("word_delimiter_token").utf8),
        cleans: try section.flag("cleanup"))
    case "Fuse": return Fuse()
    case "Metaspace": return try Metaspace(section)
    case "Replace": return try Replace(section)
    case "Strip":
      return StripDecoder(
        content: scalar(try section.scalar("content"), 0),
        start: try section.integer("start", 0...Int.max),
        stop: try section.integer("stop", 0...Int.max))
    case "WordPiece":
      return WordPieceDecoder(
        prefix: Array(try section.string("prefix").utf8), cleans: try section.flag("cleanup"))
    case "Sequence":
      guard section["decoders"] != nil else { throw section.fault("decoders", "an array") }
      var parts: [any Decoder] = []
      for part in try section.elements("decoders") { parts.append(try decoder(part)) }
      return PartSequence(parts: parts)
    default:
      throw .unknownKind(section.kind, at: section.place, known: decoderKinds)
    }
  }
}

/// A text with every occurrence of another replaced.
func replaced(_ text: [UInt8], _ old: [UInt8], by new: [UInt8]) -> [UInt8] {
  var result: [UInt8] = []
  var done = 0
  if old.isEmpty {
    // Found before every character and at the end.
    while done < text.count {
      let end = done + scalarLength(text[done])
      result += new
      result += text[done..<end]
      done = end
    }
    return result + new
  }
  while let place = firstPlace(of: old, in: text, done..<text.count) {
    result += text[done..<place]
    result += new
    done = place + old.count
  }
  return done == 0 ? text : result + text[done...]
}

/// Makes the end-of-word suffix a space, but for the last piece's.
struct SuffixDecoder: Decoder {
  let suffix: [UInt8]

  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) {
    for index in pieces.indices {
      let isLast = index == pieces.count - 1
      pieces[index] = replaced(pieces[index], suffix, by: isLast ? [] : [UInt8(ascii: " ")])
    }
  }
}

/// Makes pieces like `<0xE2>` bytes; where a run of them is not UTF-8, each becomes U+FFFD.
struct ByteFallback: Decoder {
  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) {
    var result: [[UInt8]] = []
    var run: [UInt8] = []
    func end() {
      if firstInvalidByte(run) == nil {
        if !run.isEmpty { result.append(run) }
      } else {
        for _ in run { result.append([0xEF, 0xBF, 0xBD]) }
      }
      run.removeAll()
    }
    for piece in pieces {
      if let byte = Self.byte(piece) {
        run.append(byte)
      } else {
        end()
        result.append(piece)
      }
    }
    end()
    pieces = result
  }

  private static func byte(_ piece: [UInt8]) -> UInt8? {
    guard piece.count == 6, piece.starts(with: "<0x".utf8), piece[5] == UInt8(ascii: ">") else {
      return nil
    }
    // Rust's parser, like Swift's, takes a sign before the digit.
    return UInt8(String(decoding: piece[3..<5], as: UTF8.self), radix: 16)
  }
}

/// Joins all pieces.
struct Fuse: Decoder {
  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) {
    pieces = [Array(pieces.joined())]
  }
}

/// Takes so many of a character off each end of every piece.
struct StripDecoder: Decoder {
  let content: UInt32
  let start: Int
  let stop: Int

  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) {
    for index in pieces.indices {
      let piece = pieces[index]
      var first = 0
      var left = start
      while left > 0, first < piece.count, scalar(piece, first) == content {
        first += scalarLength(piece[first])
        left -= 1
      }
      var last = piece.count
      left = stop
      while left > 0, last > first {
        let place = scalarStart(piece, before: last)
        guard scalar(piece, place) == content else { break }
        last = place
        left -= 1
      }
      pieces[index] = Array(piece[first..<last])
    }
  }
}

/// Joins WordPiece's parts, with a space before every word but the first.
struct WordPieceDecoder: Decoder {
  let prefix: [UInt8]
  let cleans: Bool

  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) {
    for index in pieces.indices {
      var piece = pieces[index]
      if index > 0 {
        if piece.starts(with: prefix) {
          piece.removeFirst(prefix.count)
        } else {
          piece.insert(UInt8(ascii: " "), at: 0)
        }
      }
      pieces[index] = cleans ? Self.cleaned(piece) : piece
    }
  }

  private static let changes: [([UInt8], [UInt8])] = [
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
    (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
  ].map { (Array($0.utf8), Array($1.utf8)) }

  /// English with its spaces before punctuation and contractions taken out.
  static func cleaned(_ text: [UInt8]) -> [UInt8] {
    guard text.contains(UInt8(ascii: " ")) else { return text }
    return changes.reduce(text) { replaced($0, $1.0, by: $1.1) }
  }
}

/// Drops what connectionist temporal classification repeats, and its padding.
struct CTCDecoder: Decoder {
  let pad: [UInt8]
  let delimiter: [UInt8]
  let cleans: Bool

  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) {
    var result: [[UInt8]] = []
    var last: [UInt8]?
    for piece in pieces where piece != last {
      last = piece
      var new = replaced(piece, pad, by: [])
      if cleans {
        new = replaced(WordPieceDecoder.cleaned(new), delimiter, by: [UInt8(ascii: " ")])
      }
      if !new.isEmpty { result.append(new) }
    }
    pieces = result
  }
}
