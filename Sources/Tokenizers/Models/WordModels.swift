// The two models that look whole words, or their longest parts, up in the vocabulary.

/// WordPiece: a word's longest piece that is in the vocabulary, then the longest of the rest, and so on
/// (Schuster and Nakajima 2012).
struct WordPiece: TokenModel {
  let vocabulary: Vocabulary
  private let unknown: String
  private let unknownID: Int32?
  /// What is put before every piece but a word's first.
  private let continuingPrefix: [UInt8]
  /// Longer words, in characters, are unknown.
  private let longestWord: Int

  init(_ section: Section, _ vocabulary: Vocabulary) throws(TokenizerFault) {
    self.vocabulary = vocabulary
    unknown = try section.string("unk_token")
    unknownID = vocabulary.id(of: unknown)
    continuingPrefix = Array(try section.string("continuing_subword_prefix").utf8)
    longestWord = try section.integer("max_input_chars_per_word", 0...Int.max)
  }

  func tokenize(
    _ text: [UInt8], _ word: Range<Int>, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    let characters = text[word].count { $0 & 0xC0 != 0x80 }
    var pieces: [(id: Int32, end: Int)] = []
    var start = word.lowerBound
    while characters <= longestWord, start < word.upperBound {
      guard let piece = longestPiece(text, start..<word.upperBound, start > word.lowerBound) else {
        break
      }
      pieces.append(piece)
      start = piece.end
    }
    guard start == word.upperBound else {
      guard let unknownID else {
        throw .noTokenFor(word: String(decoding: text[word], as: UTF8.self), unknown: unknown)
      }
      tokens.append(unknownID, word.lowerBound, word.upperBound)
      return
    }
    start = word.lowerBound
    for piece in pieces {
      tokens.append(piece.id, start, piece.end)
      start = piece.end
    }
  }

  private func longestPiece(
    _ text: [UInt8], _ rest: Range<Int>, _ continues: Bool
  ) -> (id: Int32, end: Int)? {
    let prefix = continues ? continuingPrefix : []
    // What is longer than every piece need not be looked up.
    var end = min(rest.upperBound, rest.lowerBound + max(0, vocabulary.longest - prefix.count))
    while end < rest.upperBound, text[end] & 0xC0 == 0x80 { end -= 1 }
    var key = prefix + text[rest.lowerBound..<max(rest.lowerBound, end)]
    while end > rest.lowerBound {
      if let id = vocabulary.id(of: key, 0..<key.count) { return (id, end) }
      let last = scalarStart(text, before: end)
      key.removeLast(end - last)
      end = last
    }
    return nil
  }
}

/// WordLevel: every word is a token, or unknown.
struct WordLevel: TokenModel {
  let vocabulary: Vocabulary
  private let unknown: String
  private let unknownID: Int32?

  init(_ section: Section, _ vocabulary: Vocabulary) throws(TokenizerFault) {
    self.vocabulary = vocabulary
    unknown = try section.string("unk_token")
    unknownID = vocabulary.id(of: unknown)
  }

  func tokenize(
    _ text: [UInt8], _ word: Range<Int>, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    guard let id = vocabulary.id(of: text, word) ?? unknownID else {
      throw .noTokenFor(word: String(decoding: text[word], as: UTF8.self), unknown: unknown)
    }
    tokens.append(id, word.lowerBound, word.upperBound)
  }
}
