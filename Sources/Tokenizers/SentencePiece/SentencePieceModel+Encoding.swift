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
    var output = Output(model: self, text: rewritten, tokens: tokens)
    // So that no copy of all tokens is made.
    tokens = Tokens(keepsRanges: tokens.keepsRanges)
    cut(rewritten.bytes, &output)
    tokens = output.tokens
  }

  private func cut(_ text: [UInt8], _ output: inout Output) {
    switch cutting {
    case .unigram(let search): search.cut(text, 0..<text.count) { output.append($0, $1) }
    case .merges(let merges): cut(text, merges, &output)
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
  }

  @inline(__always)
  private func keptLength(_ text: [UInt8], _ place: Int) -> Int? {
    kept?.longest(text, place, text.count, mostMatches: SentencePieceRewriting.mostKept)
  }

  /// Cuts a text into words, between which nothing is joined, and each of them into pieces.
  private func cut(_ text: [UInt8], _ merges: ScoredMerges, _ output: inout Output) {
    var place = 0
    var start = 0
    var last: UInt32 = 0
    func finish(_ end: Int, _ output: inout Output) {
      guard start < end else { return }
      merges.cut(text, start..<end) { output.append($0, $1) }
    }
    while place < text.count {
      if let length = keptLength(text, place) {
        finish(place, &output)
        output.append(merges.id(text, place..<place + length) ?? -1, place..<place + length)
        place += length
        start = place
        continue
      }
      let length = min(scalarLength(text[place]), text.count - place)
      let character = NeighbourTable.character(text, place, length)
      if place > start, !merges.mayJoin(last, character) {
        finish(place, &output)
        start = place
      }
      last = character
      place += length
    }
    finish(place, &output)
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
    let text: SentencePieceRewriting.Text
    var tokens: Tokens
    private var isBehindUnknown = false

    init(model: SentencePieceModel, text: SentencePieceRewriting.Text, tokens: Tokens) {
      self.model = model
      self.text = text
      self.tokens = tokens
    }

    /// - Parameter id: -1 for what is no piece.
    mutating func append(_ id: Int32, _ range: Range<Int>) {
      let start = tokens.keepsRanges ? Int(text.origins[range.lowerBound]) : 0
      let end = tokens.keepsRanges ? Int(text.origins[range.upperBound]) : 0
      let unknown = model.unknown ?? -1
      guard id < 0 || id == unknown else {
        tokens.append(id, start, end)
        isBehindUnknown = false
        return
      }
      if let ids = model.byteIDs {
        for place in range {
          let isLast = place == range.upperBound - 1
          tokens.append(ids[Int(text.bytes[place])], start, isLast ? end : start)
        }
      } else if isBehindUnknown {
        // Neighbours that are both unknown are one token.
        tokens.mapRanges(from: tokens.count - 1) { $0.lowerBound..<end }
      } else {
        tokens.append(unknown, start, end)
      }
      isBehindUnknown = true
    }
  }
}
