/// A sentencepiece model: rewrites a text, cuts it into pieces, and puts pieces together again, exactly as
/// the library does.
///
/// Source: model_interface.cc, sentencepiece_processor.cc, word_model.cc, char_model.cc of sentencepiece 0.2.3.
struct SentencePieceModel: Sendable {
  /// How a rewritten text is cut.
  enum Cutting: Sendable {
    case unigram(UnigramSearch<Float>)
    case merges(ScoredMerges)
    /// Each word a piece, or unknown.
    case words(Vocabulary)
    /// Each character, or piece that is kept whole, a piece, or unknown.
    case characters(Vocabulary)
  }

  let vocabulary: Vocabulary
  let kinds: [SentencePieceFile.Kind]
  let cutting: Cutting
  let rewriting: SentencePieceRewriting
  /// Rewrites decoded texts.
  let denormalizer: SentencePieceRewriting?
  /// Pieces that are cut out of a text before all others.
  let kept: PieceTrie?
  let unknown: Int32?
  let unknownSurface: [UInt8]
  /// For each byte the piece that stands for it, where unknown characters become bytes.
  let byteIDs: [Int32]?
  /// By id, of a piece that stands for a byte, that byte.
  let byteValues: [Int32: UInt8]
  /// Whether a space is put before each stretch between added tokens, and not only before the first.
  var prefixesEveryStretch = false

  /// Longer pieces are refused, as by the library.
  private static let longestPiece = 7999

  /// - Parameter bytes: the whole file.
  init(_ bytes: [UInt8]) throws(TokenizerFault) {
    try self.init(SentencePieceFile(bytes))
  }

  init(_ file: SentencePieceFile) throws(TokenizerFault) {
    vocabulary = try Self.vocabulary(file)
    kinds = file.pieces.map(\.kind)
    unknownSurface = file.unknownSurface
    var byteValues: [Int32: UInt8] = [:]
    for (id, piece) in file.pieces.enumerated() where piece.kind == .byte {
      byteValues[Int32(id)] = try Self.byte(file, piece)
    }
    self.byteValues = byteValues
    byteIDs = try file.hasByteFallback ? Self.byteIDs(byteValues) : nil
    unknown = try Self.unknown(file)
    let userDefined = file.pieces.enumerated().compactMap { id, piece in
      piece.kind == .userDefined ? (run: piece.range, value: Int32(id)) : nil
    }
    kept = userDefined.isEmpty ? nil : PieceTrie(file.bytes, userDefined)
    rewriting = try SentencePieceRewriting(
      file.rules, file.bytes, putsWhitespaceBehind: file.putsWhitespaceBehind, kept: kept)
    denormalizer =
      if let rules = file.denormalizer, !rules.characterMap.isEmpty {
        try SentencePieceRewriting(rules, file.bytes, putsWhitespaceBehind: false, kept: nil)
      } else { nil }
    cutting = try Self.cutting(file, vocabulary)
  }

  // MARK: Reading

  private static func text(_ file: SentencePieceFile, _ piece: SentencePieceFile.Piece) -> String {
    String(decoding: file.text(piece), as: UTF8.self)
  }

  /// All pieces.
  ///
  /// Names of control, unknown and byte pieces count before equal ordinary ones.
  private static func vocabulary(_ file: SentencePieceFile) throws(TokenizerFault) -> Vocabulary {
    guard !file.pieces.isEmpty else {
      throw .malformed(offset: 0, expected: "a sentencepiece model with pieces")
    }
    var vocabulary = Vocabulary(capacity: file.pieces.count)
    var ordinary = Vocabulary()
    for isOrdinary in [false, true] {
      for (index, piece) in file.pieces.enumerated() where piece.kind.isOrdinary == isOrdinary {
        try check(file, piece)
        let (id, bytes) = (Int32(index), file.text(piece))
        if file.isNull(piece) {
          vocabulary.addAlias(bytes, id: id)
          continue
        }
        guard case .pieceTaken(let first) = vocabulary.add(bytes, id: id) else { continue }
        // Only byte-pair encoding keeps all pieces in one table.
        if file.kind == .bpe || file.pieces[Int(first)].kind.isOrdinary == isOrdinary {
          throw .repeatedPiece(text(file, piece), min(first, id), max(first, id))
        }
        guard case .added = ordinary.add(bytes, id: id) else {
          throw .repeatedPiece(text(file, piece), first, id)
        }
        vocabulary.addAlias(bytes, id: id)
      }
    }
    return vocabulary
  }

  private static func check(
    _ file: SentencePieceFile, _ piece: SentencePieceFile.Piece
  ) throws(TokenizerFault) {
    guard !piece.range.isEmpty else {
      throw .malformed(offset: piece.offset, expected: "a piece of at least one byte")
    }
    guard piece.range.count <= longestPiece else {
      throw .tooLarge(what: "the length of a piece", found: piece.range.count, limit: longestPiece)
    }
    if file.text(piece).contains(0), !(file.isNull(piece) && piece.kind == .unused) {
      throw .malformed(offset: piece.offset, expected: "a piece without a NUL")
    }
    if file.kind == .unigram, !piece.score.isFinite {
      throw .malformed(offset: piece.offset, expected: "a piece with a finite score")
    }
  }

  private static func byte(
    _ file: SentencePieceFile, _ piece: SentencePieceFile.Piece
  ) throws(TokenizerFault) -> UInt8 {
    guard file.hasByteFallback else {
      throw .malformed(
        offset: piece.offset, expected: "no piece of a byte, because byte_fallback is false")
    }
    let name = text(file, piece)
    guard let byte = byte(named: name) else {
      throw .malformed(
        offset: piece.offset, expected: "a byte's piece such as <0x0A>, not “\(name)”")
    }
    return byte
  }

  /// The byte of `<0x0A>`.
  private static func byte(named name: String) -> UInt8? {
    let digits = name.utf8.dropFirst(3).dropLast()
    guard name.utf8.count == 6, name.hasPrefix("<0x"), name.hasSuffix(">"),
      digits.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x46).contains($0) })
    else { return nil }
    return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
  }

  private static func byteIDs(_ values: [Int32: UInt8]) throws(TokenizerFault) -> [Int32] {
    var ids = [Int32](repeating: -1, count: 256)
    for (id, byte) in values { ids[Int(byte)] = id }
    if let missing = ids.firstIndex(of: -1) {
      let digits = String(missing, radix: 16, uppercase: true)
      throw .missing("<0x\(missing < 16 ? "0" : "")\(digits)>", in: "pieces of bytes")
    }
    return ids
  }

  private static func unknown(_ file: SentencePieceFile) throws(TokenizerFault) -> Int32? {
    let found = file.pieces.indices.filter { file.pieces[$0].kind == .unknown }
    guard found.count <= 1 else {
      throw .malformed(
        offset: file.pieces[found[1]].offset,
        expected: "one piece of the type UNKNOWN, and the piece \(found[0]) is that")
    }
    guard !found.isEmpty || file.hasByteFallback else {
      throw .missing("a piece of the type UNKNOWN", in: "pieces")
    }
    return found.first.map { Int32($0) }
  }

  private static func cutting(
    _ file: SentencePieceFile, _ vocabulary: Vocabulary
  ) throws(TokenizerFault) -> Cutting {
    switch file.kind {
    case .bpe: return .merges(ScoredMerges(file, vocabulary))
    case .unigram: return .unigram(try unigram(file))
    case .word, .char:
      var ordinary = Vocabulary(capacity: file.pieces.count)
      for (id, piece) in file.pieces.enumerated()
      where piece.kind.isOrdinary && piece.kind != .unused {
        _ = ordinary.add(file.text(piece), id: Int32(id))
      }
      return file.kind == .word ? .words(ordinary) : .characters(ordinary)
    }
  }

  private static func unigram(
    _ file: SentencePieceFile
  ) throws(TokenizerFault) -> UnigramSearch<Float> {
    let ordinary = file.pieces.enumerated().filter { $1.kind.isOrdinary && !file.isNull($1) }
    guard !ordinary.isEmpty else { throw .missing("a piece that text may become", in: "pieces") }
    let keys = ordinary.filter { $1.kind != .unused }.map { (run: $1.range, value: Int32($0)) }
    let scores = file.pieces.map { piece in
      // Such a piece is worth more than any way to put it together.
      piece.kind == .userDefined ? Float(0.1 * Double(piece.range.count - 1)) : piece.score
    }
    let lowest = file.pieces.lazy.filter { $0.kind == .normal }.map(\.score).min()
    return UnigramSearch(
      trie: PieceTrie(file.bytes, keys), scores: scores,
      unknownScore: (lowest ?? .greatestFiniteMagnitude) - 10, reset: 100_000)
  }
}

extension SentencePieceFile {
  /// The id of the control piece with a name.
  func control(_ name: [UInt8]) -> Int32? {
    pieces.firstIndex { $0.kind == .control && text($0).elementsEqual(name) }.map { Int32($0) }
  }
}
