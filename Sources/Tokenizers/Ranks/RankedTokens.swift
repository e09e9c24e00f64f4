/// Byte-pair encoding of tokens that have ranks instead of merges: of two neighbours that together are a
/// token the one with the lowest rank is made first.
///
/// It is the encoding of merges that each token's every pair of halves gives, with the token's rank; a word
/// that is a token is taken whole.
///
/// Source: src/lib.rs of tiktoken 0.14.
struct RankedTokens {
  struct Token {
    var bytes: [UInt8]
    var id: Int32
  }

  /// No token is longer; the splits of one grow with its length.
  private static let longestToken = 4096

  /// - Parameters:
  ///   - tokens: ranks are in the order of ids.
  ///   - names: spellings of other ids, which no text becomes.
  static func model(
    _ tokens: [Token], names: [(id: Int32, text: String)] = []
  ) throws(TokenizerFault) -> BPE {
    var vocabulary = Vocabulary(capacity: tokens.count)
    for token in tokens {
      guard token.bytes.count <= longestToken else {
        throw .tooLarge(
          what: "the length of a token", found: token.bytes.count, limit: longestToken)
      }
      let piece = alphabet(token.bytes)
      switch vocabulary.add(piece, id: token.id) {
      case .added: continue
      case .pieceTaken(let first):
        throw .repeatedPiece(String(decoding: token.bytes, as: UTF8.self), first, token.id)
      case .idTaken:
        throw .repeatedID(
          token.id, vocabulary.text(of: token.id) ?? "", String(decoding: piece, as: UTF8.self))
      }
    }
    for byte in UInt8.min ... .max where vocabulary.id(of: alphabet([byte])) == nil {
      throw .missing("a token for the byte \(byte)", in: "vocabulary")
    }
    let merges = merges(tokens, vocabulary)
    for name in names { vocabulary.addAlias(alphabet(Array(name.text.utf8)), id: name.id) }
    return BPE(
      vocabulary, merges.table, mergeResults: merges.results, BPE.Options(ignoresMerges: true))
  }

  private static func alphabet(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count * 2)
    for byte in bytes { ByteAlphabet.append(byte, to: &result) }
    return result
  }

  private static func merges(
    _ tokens: [Token], _ vocabulary: Vocabulary
  ) -> (table: MergeTable, results: [Int32]) {
    var found: [(left: Int32, right: Int32, id: Int32)] = []
    found.reserveCapacity(tokens.count * 3)
    var results: [Int32] = []
    var ends: [Int] = []
    for token in tokens where token.bytes.count > 1 {
      let piece = alphabet(token.bytes)
      // Where each of the token's bytes ends in its spelling.
      ends.removeAll(keepingCapacity: true)
      var end = 0
      for byte in token.bytes {
        end += ByteAlphabet.utf8[Int(byte)].count
        ends.append(end)
      }
      for cut in ends.dropLast() {
        guard let left = vocabulary.id(of: piece, 0..<cut),
          let right = vocabulary.id(of: piece, cut..<piece.count)
        else { continue }
        found.append((left, right, token.id))
      }
      results.append(token.id)
    }
    var table = MergeTable(capacity: found.count)
    for merge in found {
      table.add(merge.left, merge.right, MergeTable.Merge(rank: UInt32(merge.id), id: merge.id))
    }
    return (table, results)
  }
}

extension RankedTokens {
  /// A tokenizer whose texts are cut into what a pattern finds, and only that.
  static func pipeline(
    _ tokens: [Token], names: [(id: Int32, text: String)] = [], pattern: String
  ) throws(TokenizerFault) -> Pipeline {
    var pipeline = Pipeline(model: try model(tokens, names: names))
    pipeline.preTokenizer = PatternWords(pattern: try Regex(pattern, .rust, at: "pattern"))
    pipeline.decoder = ByteCharacters()
    return pipeline
  }
}

/// Cuts a text into what a pattern finds; its bytes stand for themselves.
struct PatternWords: PreTokenizer {
  let pattern: Regex

  func split(_ words: inout Words, _ workspace: inout Workspace) throws(TokenizerError) {
    try words.split(.removed, at: .pattern(pattern), isInverted: true, &workspace)
    words.areBytes = true
  }
}

/// Turns characters that stand for bytes into those.
struct ByteCharacters: Decoder {
  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) throws(TokenizerError) {
    // What is no such character is an added token's.
    for index in pieces.indices {
      pieces[index] = ByteAlphabet.bytes(pieces[index]) ?? pieces[index]
    }
  }
}
