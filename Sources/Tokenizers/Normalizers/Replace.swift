import JSON

/// What is looked for: a text, or a pattern.
enum Needle: Sendable {
  case text([UInt8])
  case pattern(Regex)

  /// A `pattern` member: `{"String": …}` or `{"Regex": …}`.
  init(_ section: Section) throws(TokenizerFault) {
    let pattern = try section.requiredPart("pattern")
    if pattern["String"] != nil {
      let text = Array(try pattern.string("String").utf8)
      // An empty text is found everywhere, like an empty pattern.
      self =
        text.isEmpty ? .pattern(try Regex("", .oniguruma, at: pattern.place)) : .text(text)
    } else if pattern["Regex"] != nil {
      self = .pattern(
        try Regex(try pattern.string("Regex"), .oniguruma, at: pattern.place(of: "Regex")))
    } else {
      throw section.fault("pattern", "an object with String or Regex")
    }
  }

  /// Finds all places in a range of a text, in order.
  func forEachMatch(
    in text: [UInt8], _ range: Range<Int>, _ workspace: inout Workspace,
    _ body: (Range<Int>) -> Void
  ) throws(TokenizerError) {
    switch self {
    case .text(let needle):
      var place = range.lowerBound
      while let found = firstPlace(of: needle, in: text, place..<range.upperBound) {
        body(found..<found + needle.count)
        place = found + needle.count
      }
    case .pattern(let pattern):
      guard !range.isEmpty else { return }
      workspace.search.begin()
      while try pattern.find(in: text, range, &workspace.search, workspace.matcher) {
        for index in 0..<workspace.search.count {
          body(
            Int(workspace.search.bounds[2 * index])..<Int(workspace.search.bounds[2 * index + 1]))
        }
      }
    }
  }
}

/// Where a text first occurs in a range of another.
func firstPlace(of needle: [UInt8], in text: [UInt8], _ range: Range<Int>) -> Int? {
  guard let first = needle.first, range.count >= needle.count else { return nil }
  var place = range.lowerBound
  let last = range.upperBound - needle.count
  while place <= last {
    if text[place] == first, isEqual(needle, 0, text, place..<place + needle.count) {
      return place
    }
    place += 1
  }
  return nil
}

/// Puts a text in place of whatever is found; as a decoder, in every piece.
struct Replace: Normalizer, Decoder {
  private let needle: Needle
  private let content: [UInt8]

  init(_ section: Section) throws(TokenizerFault) {
    needle = try Needle(section)
    content = Array(try section.string("content").utf8)
  }

  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) throws(TokenizerError) {
    var new = Passage.Rewriting(passage)
    var done = 0
    try needle.forEachMatch(in: passage.bytes, 0..<passage.bytes.count, &workspace) { match in
      if new.bytes.count > passage.limit { return }
      new.keep(done..<match.lowerBound)
      new.add(content, from: match.upperBound - 1)
      done = match.upperBound
    }
    guard new.bytes.count <= passage.limit else { throw .textGrows(limit: passage.limit) }
    new.keep(done..<passage.bytes.count)
    passage.take(new)
  }

  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) throws(TokenizerError) {
    let limit = mostDecoded(pieces)
    var made = 0
    for index in pieces.indices {
      let piece = pieces[index]
      var new: [UInt8] = []
      var done = 0
      try needle.forEachMatch(in: piece, 0..<piece.count, &workspace) { match in
        if made + new.count > limit { return }
        new += piece[done..<match.lowerBound]
        new += content
        done = match.upperBound
      }
      pieces[index] = new + piece[done...]
      made += pieces[index].count
      guard made <= limit else { throw .textGrows(limit: limit) }
    }
  }
}
