/// All parts of a tokenizer, and the way of a text through them.
struct Pipeline: Sendable {
  var normalizer: (any Normalizer)?
  var preTokenizer: (any PreTokenizer)?
  var model: any TokenModel
  var postProcessor: (any PostProcessor)?
  var decoder: (any Decoder)?
  /// Decodes in place of `decoder`.
  var tokenDecoder: (any TokenDecoder)?
  var added = AddedTokens()
  /// Whether a part asks where bytes came from even if nobody asks for ranges.
  var needsOrigins = false

  /// Appends the tokens of a text without those that a post-processor adds.
  ///
  /// - Parameter text: UTF-8.
  func tokenize(
    _ text: [UInt8], into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    try added.forEachSection(of: text, .raw) { (range, token) throws(TokenizerError) in
      if let token {
        tokens.append(token.id, range.lowerBound, range.upperBound)
        return
      }
      var passage = Passage(text, range, keepsOrigins: tokens.keepsRanges || needsOrigins)
      try normalizer?.normalize(&passage, &workspace)
      try tokenize(passage, into: &tokens, &workspace)
    }
  }

  /// Appends the tokens of a normalised stretch between two raw added tokens.
  private func tokenize(
    _ passage: Passage, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    try added.forEachSection(of: passage.bytes, .normalized) {
      (range, token) throws(TokenizerError) in
      if let token {
        let origin = passage.origin(range)
        tokens.append(token.id, origin.lowerBound, origin.upperBound)
        return
      }
      try tokenizePlain(Words(passage.part(range)), into: &tokens, &workspace)
    }
  }

  private func tokenizePlain(
    _ given: consuming Words, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    var words = given
    try preTokenizer?.split(&words, &workspace)
    let first = tokens.count
    let text = words.passage.bytes
    if words.areBytes {
      for word in words.ranges where !word.isEmpty {
        try model.tokenizeBytes(text, word, into: &tokens, &workspace)
      }
    } else {
      for word in words.ranges where !word.isEmpty {
        try model.tokenize(text, word, into: &tokens, &workspace)
      }
    }
    if tokens.keepsRanges { tokens.mapRanges(from: first) { words.passage.origin($0) } }
  }

  /// The text of tokens.
  ///
  /// - Parameter skipsSpecialTokens: leaves out added tokens that are special.
  func decode(
    _ ids: [Int32], skipsSpecialTokens: Bool, _ workspace: inout Workspace
  ) throws(TokenizerError) -> [UInt8] {
    if let tokenDecoder {
      return try tokenDecoder.decode(ids, added, skipsSpecialTokens: skipsSpecialTokens)
    }
    var pieces: [[UInt8]] = []
    pieces.reserveCapacity(ids.count)
    for id in ids {
      if let content = added.decoded(id) {
        if skipsSpecialTokens, added[id: id]?.isSpecial == true { continue }
        pieces.append(content)
      } else if let bytes = model.vocabulary.bytes(of: id) {
        pieces.append(Array(bytes))
      } else {
        throw .unknownID(id, size: size)
      }
    }
    guard let decoder else { return Array(pieces.joined(separator: [UInt8(ascii: " ")])) }
    try decoder.decode(&pieces, &workspace)
    return Array(pieces.joined())
  }

  /// The normalised form of a token.
  func normalized(_ content: [UInt8]) throws(TokenizerError) -> [UInt8] {
    guard let normalizer else { return content }
    var workspace = Workspace()
    var passage = Passage(content, 0..<content.count, keepsOrigins: false)
    try normalizer.normalize(&passage, &workspace)
    return passage.bytes
  }

  /// The largest id + 1.
  var size: Int {
    Int(added.tokens.reduce(model.vocabulary.idLimit) { max($0, $1.id + 1) })
  }

  func id(of token: [UInt8]) -> Int32? {
    // Of added tokens with one content the last one counts.
    added.tokens.last { $0.content == token }?.id ?? model.vocabulary.id(of: token)
  }

  func bytes(of id: Int32) -> ArraySlice<UInt8>? {
    added[id: id].map { $0.content[...] } ?? model.vocabulary.bytes(of: id)
  }
}
