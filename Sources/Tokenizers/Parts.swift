// The parts a tokenizer is put together from, as protocols; each kind of part lies in a file of its own.

/// Changes a text before it is cut into words.
protocol Normalizer: Sendable {
  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) throws(TokenizerError)
}

/// Cuts a text into words.
protocol PreTokenizer: Sendable {
  /// Cuts each of the passage's words further; may change the passage's bytes.
  func split(_ words: inout Words, _ workspace: inout Workspace) throws(TokenizerError)
}

/// A passage and the words it is cut into, in order; what lies between words is dropped.
struct Words {
  var passage: Passage
  var ranges: [Range<Int>]
  /// Whether the bytes stand for the characters of the byte-level alphabet; only after the last cut.
  var areBytes = false

  init(_ passage: Passage) {
    self.passage = passage
    ranges = passage.bytes.isEmpty ? [] : [0..<passage.bytes.count]
  }
}

/// Adds tokens around a text and trims ranges.
protocol PostProcessor: Sendable {
  func process(_ encoding: inout Encoding, _ context: PostProcessing)
}

/// What post-processors look at.
struct PostProcessing {
  var addsSpecialTokens: Bool
  /// Whether ranges are asked for.
  var keepsRanges: Bool
  var text: [UInt8]
  /// The bytes of a token.
  var token: (Int32) -> ArraySlice<UInt8>?
}

/// Turns the pieces of tokens back into text.
protocol Decoder: Sendable {
  /// Changes a list of pieces, each of them UTF-8.
  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) throws(TokenizerError)
}

/// Turns tokens into text where their pieces alone do not say enough, in place of a `Decoder`.
protocol TokenDecoder: Sendable {
  /// - Parameters:
  ///   - added: tokens that are not the model's.
  ///   - skipsSpecialTokens: leaves out tokens that are special.
  func decode(
    _ ids: [Int32], _ added: AddedTokens, skipsSpecialTokens: Bool
  ) throws(TokenizerError) -> [UInt8]
}

/// How many bytes decoders may make of pieces.
func mostDecoded(_ pieces: [[UInt8]]) -> Int {
  (1 << 20) + 64 * pieces.reduce(0) { $0 + $1.count }
}

/// Several parts, one after the other.
struct PartSequence<Part: Sendable>: Sendable {
  var parts: [Part]
}

extension PartSequence: Normalizer where Part == any Normalizer {
  func normalize(_ passage: inout Passage, _ workspace: inout Workspace) throws(TokenizerError) {
    for part in parts {
      try part.normalize(&passage, &workspace)
      guard passage.bytes.count <= passage.limit else { throw .textGrows(limit: passage.limit) }
    }
  }
}

extension PartSequence: PreTokenizer where Part == any PreTokenizer {
  func split(_ words: inout Words, _ workspace: inout Workspace) throws(TokenizerError) {
    for part in parts { try part.split(&words, &workspace) }
  }
}

extension PartSequence: PostProcessor where Part == any PostProcessor {
  func process(_ encoding: inout Encoding, _ context: PostProcessing) {
    for part in parts { part.process(&encoding, context) }
  }
}

extension PartSequence: Decoder where Part == any Decoder {
  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) throws(TokenizerError) {
    let limit = mostDecoded(pieces)
    for part in parts {
      try part.decode(&pieces, &workspace)
      guard pieces.reduce(0, { $0 + $1.count }) <= limit else { throw .textGrows(limit: limit) }
    }
  }
}
