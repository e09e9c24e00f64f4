extension SentencePieceModel: TokenModel {
  func tokenize(
    _ text: [UInt8], _ word: Range<Int>, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    let rewritten = rewriting.rewrite(
      text, word, addsPrefix: prefixesEveryStretch || tokens.count == 0,
      keepsOrigins: tokens.keepsRanges)
    guard rewritten.bytes.count < Int32.max else {
      throw .textTooLong(bytes: rewritten.bytes.count, limit: Int(Int32.max))
    }
    let first = tokens.count
    try cut(rewritten.bytes, into: &tokens, &workspace)
    tokens.mapRanges(from: first) { range in
      Int(rewritten.origins[range.lowerBound])..<Int(rewritten.origins[range.upperBound])
    }
  }

  /// Cuts a rewritten text; tokens are given bytes of that.
  private func cut(
    _ text: [UInt8], into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    var output = Output(model: self, text: text, tokens: tokens)
    // So that no copy of all tokens is made.
    tokens = Tokens(keepsRanges: tokens.keepsRanges)
    switch cutting {
    case .unigram(let search): search.cut(text, 0..<text.count) { output.append($0, $1) }
    case .merges(let merges): cut(text, merges, &output, &workspace)
    case .words(let vocabulary):
      for word in words(of: text) { output.append(vocabulary.id(of: text, word) ?? -1, word) }
    case .characters(let vocabulary):
      var place = 0
      while place < text.count {
        let length = keptLength(text, place) ?? min(scalarLength(text[place]), text.count - place)
        let range = place..<place + length
        output.append(vocabulary.id(of: text, range) ?? -1, range)
        place += length
      }
    }
    tokens = output.tokens
  }

  @inline(__always)
  private func keptLength(_ text: [UInt8], _ place: Int) -> Int? {
    kept?.longest(text, place, text.count, mostMatches: SentencePieceRewriting.mostKept)
  }

  /// Cuts a text into words, between which nothing is joined, and each of them into pieces.
  private func cut(
    _ text: [UInt8], _ merges: ScoredMerges, _ output: inout Output, _ workspace: inout Workspace
  ) {
    var place = 0
    var start = 0
    var last: UInt32 = 0
    while place < text.count {
      if let length = keptLength(text, place) {
        cut(text, start..<place, merges, &output, &workspace)
        output.append(merges.id(text, place..<place + length) ?? -1, place..<place + length)
        place += length
        start = place
        continue
      }
      let length = min(scalarLength(text[place]), text.count - place)
      let character = NeighbourTable.character(text, place, length)
      if place > start, !merges.mayJoin(last, character) {
        cut(text, start..<place, merges, &output, &workspace)
        start = place
      }
      last = character
      place += length
    }
    cut(text, start..<place, merges, &output, &workspace)
  }

  /// Cuts one word, or remembers how it was cut before.
  private func cut(
    _ text: [UInt8], _ word: Range<Int>, _ merges: ScoredMerges, _ output: inout Output,
    _ workspace: inout Workspace
  ) {
    guard !word.isEmpty else { return }
    guard word.count <= WordCache.longestWord else {
      merges.cut(text, word) { output.append($0, $1) }
      return
    }
    guard let hash = workspace.words.append(text, word, to: &output.tokens) else {
      output.isBehindUnknown = false
      return
    }
    var ids: [Int32] = []
    var ends: [Int32] = []
    var isKept = true
    merges.cut(text, word) { id, range in
      output.append(id, range)
      if id >= 0 && id != unknown {
        ids.append(id)
        ends.append(Int32(range.upperBound - word.lowerBound))
      } else if let byteIDs {
        for place in range {
          ids.append(byteIDs[Int(text[place])])
          ends.append(Int32(place + 1 - word.lowerBound))
        }
      } else {
        // What is unknown is joined with what is before it.
        isKept = false
      }
    }
    if isKept { workspace.words.keep(text, word, hash, ids, ends) }
  }

  /// The words of a rewritten text: each space begins one, or ends one.
  private func words(of text: [UInt8]) -> [Range<Int>] {
    let space = SentencePieceRewriting.escapedSpace
    var words: [Range<Int>] = []
    var start = 0
    var place = 0
    while place < text.count {
      let length = min(scalarLength(text[place]), text.count - place)
      let isSpace = length == 3 && text[place..<place + 3].elementsEqual(space)
      // The library always cuts so; that spaces stand behind words matters only to its trainer.
      if isSpace, place > start {
        words.append(start..<place)
        start = place
      }
      place += length
    }
    if start < place { words.append(start..<place) }
    return words
  }

  /// Takes pieces, and makes tokens of them and of what is no piece.
  private struct Output {
    let model: SentencePieceModel
    let text: [UInt8]
    var tokens: Tokens
    var isBehindUnknown = false

    init(model: SentencePieceModel, text: [UInt8], tokens: Tokens) {
      self.model = model
      self.text = text
      self.tokens = tokens
    }

    /// - Parameter id: -1 for what is no piece.
    mutating func append(_ id: Int32, _ range: Range<Int>) {
      let unknown = model.unknown ?? -1
      guard id < 0 || id == unknown else {
        tokens.append(id, range.lowerBound, range.upperBound)
        isBehindUnknown = false
        return
      }
      if let ids = model.byteIDs {
        for place in range { tokens.append(ids[Int(text[place])], place, place + 1) }
      } else if isBehindUnknown {
        // Neighbours that are both unknown are one token.
        tokens.mapRanges(from: tokens.count - 1) { $0.lowerBound..<range.upperBound }
      } else {
        tokens.append(unknown, range.lowerBound, range.upperBound)
      }
      isBehindUnknown = true
    }
  }
}
