extension ModelSection {
  /// The Unigram model of tokenizer.json.
  func unigram() throws(TokenizerFault) -> any TokenModel {
    guard scores.count > 0 else { throw small.fault("vocab", "an array with pieces") }
    var unknown: Int32?
    if let value = small["unk_id"], !value.isNull {
      unknown = Int32(try small.integer("unk_id", 0...scores.count - 1))
    }
    var fallsBackToBytes = false
    if let value = small["byte_fallback"], !value.isNull {
      fallsBackToBytes = try small.flag("byte_fallback")
    }
    for index in scores.indices {
      guard !scores[index].isNaN else {
        throw .value(at: "model.vocab[\(index)][1]", expected: "a number", found: "NaN")
      }
    }
    return Unigram(pieces, scores, unknown: unknown, fallsBackToBytes: fallsBackToBytes)
  }
}

/// Unigram: a word's most likely pieces (Kudo 2018), as the package `tokenizers` finds them.
///
/// Source: src/models/unigram/model.rs of tokenizers 0.23.
struct Unigram: TokenModel {
  let vocabulary: Vocabulary
  private let search: UnigramSearch<Double>
  private let unknown: Int32?
  /// By byte the id of its piece, or -1; empty if unknown characters do not become bytes.
  private let byteTokens: [Int32]

  init(_ pieces: PieceList, _ scores: [Double], unknown: Int32?, fallsBackToBytes: Bool) {
    var vocabulary = Vocabulary(capacity: pieces.count)
    var keys: [(run: Range<Int>, value: Int32)] = []
    // Of equal pieces the last one counts.
    for index in (0..<pieces.count).reversed() {
      let run = pieces.range(index)
      if case .added = vocabulary.add(pieces.bytes[run], id: Int32(index)) {
        if !run.isEmpty { keys.append((run, Int32(index))) }
      } else {
        vocabulary.addAlias(pieces.bytes[run], id: Int32(index))
      }
    }
    self.vocabulary = vocabulary
    self.unknown = unknown
    search = UnigramSearch(
      trie: PieceTrie(pieces.bytes, keys), scores: scores,
      unknownScore: (scores.min() ?? 0) - 10, reset: nil)
    byteTokens =
      fallsBackToBytes ? (0..<256).map { vocabulary.id(of: BPE.byteToken(UInt8($0))) ?? -1 } : []
  }

  func tokenize(
    _ text: [UInt8], _ word: Range<Int>, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    // Pieces of one unknown run of bytes all have its range, which is more than is kept with a word.
    guard word.count <= WordCache.longestWord, byteTokens.isEmpty || !tokens.keepsRanges else {
      return try cut(text, word, into: &tokens)
    }
    guard let hash = workspace.words.append(text, word, to: &tokens) else { return }
    var found = Tokens(keepsRanges: true)
    try cut(text, word, into: &found)
    workspace.words.keep(
      text, word, hash, found.ids,
      found.ranges.map { Int32(truncatingIfNeeded: $0.upperBound - word.lowerBound) })
    for (id, range) in zip(found.ids, found.ranges) {
      tokens.append(id, range.lowerBound, range.upperBound)
    }
  }

  private func cut(
    _ text: [UInt8], _ word: Range<Int>, into tokens: inout Tokens
  ) throws(TokenizerError) {
    // Neighbours that are both unknown are one piece.
    var run: Range<Int>?
    var fault: TokenizerError?
    func finish(_ tokens: inout Tokens) {
      guard let range = run else { return }
      run = nil
      do throws(TokenizerError) { try appendUnknown(text, range, to: &tokens) } catch {
        fault = fault ?? error
      }
    }
    search.cut(text, word) { value, range in
      if value == UnigramSearch<Double>.unknown || value == unknown {
        run = (run?.lowerBound ?? range.lowerBound)..<range.upperBound
      } else {
        finish(&tokens)
        tokens.append(value, range.lowerBound, range.upperBound)
      }
    }
    finish(&tokens)
    if let fault { throw fault }
  }

  private func appendUnknown(
    _ text: [UInt8], _ range: Range<Int>, to tokens: inout Tokens
  ) throws(TokenizerError) {
    if let id = vocabulary.id(of: text, range) {
      tokens.append(id, range.lowerBound, range.upperBound)
    } else if !byteTokens.isEmpty, text[range].allSatisfy({ byteTokens[Int($0)] >= 0 }) {
      for byte in text[range] {
        tokens.append(byteTokens[Int(byte)], range.lowerBound, range.upperBound)
      }
    } else if let unknown {
      tokens.append(unknown, range.lowerBound, range.upperBound)
    } else {
      throw .noTokenFor(word: String(decoding: text[range], as: UTF8.self), unknown: nil)
    }
  }
}
