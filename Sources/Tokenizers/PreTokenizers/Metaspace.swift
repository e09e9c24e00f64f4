import JSON

/// Writes a character in place of every space, and before a text, and cuts before it, as sentencepiece does.
struct Metaspace: PreTokenizer, Decoder {
  private enum Prepending {
    case always
    /// Only where the text itself begins.
    case first
    case never
  }

  private let replacement: [UInt8]
  private let prepending: Prepending
  private let splits: Bool

  init(_ section: Section) throws(TokenizerFault) {
    replacement = try section.scalar("replacement")
    splits = try Self.splits(section)
    var prepending = Prepending.always
    if section["prepend_scheme"] != nil {
      prepending = try section.choice(
        "prepend_scheme", ["always": .always, "first": .first, "never": .never])
    }
    if section["add_prefix_space"]?.bool == false {
      // The older way to say never; both at once have to agree.
      if section["prepend_scheme"] != nil, prepending != .never {
        throw section.fault("prepend_scheme", "“never”, as add_prefix_space is false")
      }
      prepending = .never
    }
    self.prepending = prepending
  }

  private static func splits(_ section: Section) throws(TokenizerFault) -> Bool {
    if section["split"]?.isNull == true { return true }
    return try section.flag("split", default: true)
  }

  func split(_ words: inout Words, _ workspace: inout Workspace) throws(TokenizerError) {
    words.ranges.removeAll(where: \.isEmpty)
    var starts: [Bool] = []
    if prepending == .first {
      starts = words.ranges.map { words.passage.originStart($0.lowerBound) == 0 }
    }
    var index = 0
    let space = UInt8(ascii: " ")
    words.rewrite { word, text, new in
      let isFirst = starts.isEmpty || starts[index]
      index += 1
      let begins =
        text[word.lowerBound] == space
        || word.count >= replacement.count
          && isEqual(replacement, 0, text, word.lowerBound..<word.lowerBound + replacement.count)
      if prepending != .never, isFirst, !begins { new.add(replacement, from: word.lowerBound) }
      var done = word.lowerBound
      for place in word where text[place] == space {
        new.keep(done..<place)
        new.add(replacement, from: place)
        done = place + 1
      }
      new.keep(done..<word.upperBound)
    }
    if splits {
      try words.split(.mergedWithNext, at: .text(replacement), isInverted: false, &workspace)
    }
  }

  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) {
    let dropsFirst = prepending != .never
    for index in pieces.indices {
      let piece = pieces[index]
      guard firstPlace(of: replacement, in: piece, 0..<piece.count) != nil else { continue }
      // All of them are dropped in the first piece.
      let new: [UInt8] = index == 0 && dropsFirst ? [] : [UInt8(ascii: " ")]
      pieces[index] = replaced(piece, replacement, by: new)
    }
  }
}
