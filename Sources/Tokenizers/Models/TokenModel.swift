/// What turns words into tokens: BPE, Unigram, WordPiece or WordLevel.
protocol TokenModel: Sendable {
  var vocabulary: Vocabulary { get }

  /// Appends the tokens of one word.
  ///
  /// - Parameters:
  ///   - text: UTF-8, normalised.
  ///   - word: the word's bytes in it, at least one; whole characters.
  ///   - tokens: each token is given the bytes of `text` that it stands for.
  func tokenize(
    _ text: [UInt8], _ word: Range<Int>, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError)

  /// Whether `tokenizeBytes` may be used.
  var takesBytes: Bool { get }

  /// Appends the tokens of one word whose bytes stand for the characters of the byte-level alphabet, as
  /// if each had been replaced by its character. Ranges are those of the bytes.
  func tokenizeBytes(
    _ text: [UInt8], _ word: Range<Int>, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError)
}

extension TokenModel {
  var takesBytes: Bool { false }

  func tokenizeBytes(
    _ text: [UInt8], _ word: Range<Int>, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    preconditionFailure("asked only where takesBytes")
  }
}

/// Tokens as they are found.
struct Tokens {
  private(set) var ids: [Int32] = []
  /// For each token the bytes that it stands for, in the text the model was given; only if `keepsRanges`.
  private(set) var ranges: [Range<Int>] = []
  let keepsRanges: Bool

  init(keepsRanges: Bool) { self.keepsRanges = keepsRanges }

  var count: Int { ids.count }

  mutating func append(_ id: Int32, _ start: Int, _ end: Int) {
    ids.append(id)
    if keepsRanges { ranges.append(start..<end) }
  }

  /// Adds tokens out of pairs of an id and where the token ends in its word.
  mutating func append(_ values: [Int32], from first: Int, count: Int, wordStart: Int) {
    var place = first
    var start = wordStart
    for _ in 0..<count {
      ids.append(values[place])
      if keepsRanges {
        let end = wordStart + Int(values[place + 1])
        ranges.append(start..<end)
        start = end
      }
      place += 2
    }
  }

  /// Replaces the ranges of all tokens from `first` on.
  mutating func mapRanges(from first: Int, _ change: (Range<Int>) -> Range<Int>) {
    guard keepsRanges else { return }
    for index in first..<ranges.count { ranges[index] = change(ranges[index]) }
  }
}

/// What is kept from word to word by one thread, so that no word allocates.
///
/// A model that needs room of its own adds a member.
struct Workspace {
  let matcher = Matcher()
  var search = Regex.Search()
  /// The tokens of words met before.
  var words = WordCache()
  /// The word that BPE is at.
  var symbols = Symbols()
  /// A word in the byte-level alphabet.
  var mapped: [UInt8] = []

  /// Keeps the tokens that were just made of a word.
  mutating func keep(_ text: [UInt8], _ word: Range<Int>, _ hash: UInt64) {
    words.keep(text, word, hash, symbols.ids, symbols.ends)
  }
}
