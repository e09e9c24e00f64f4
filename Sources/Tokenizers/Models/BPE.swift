/// Byte-pair encoding: a word's characters, merged pair by pair in the order of the merges' ranks.
///
/// Of pairs with one rank the leftmost is merged first (Sennrich, Haddow and Birch 2016, as the Rust crate
/// `tokenizers` does it). How symbols are merged lies in BPE+Merging.
struct BPE: TokenModel {
  /// What a model may do besides merging.
  struct Options: Sendable {
    /// What stands for a character that is not in the vocabulary.
    var unknown: [UInt8]?
    /// Whether neighbouring unknown characters become one token.
    var fusesUnknown = false
    /// Whether an unknown character becomes tokens like `<0xE2>`, where all of its bytes have one.
    var fallsBackToBytes = false
    /// Whether a word that is in the vocabulary is taken whole.
    var ignoresMerges = false
    /// What is put before every character but a word's first, to look it up.
    var continuingPrefix: [UInt8] = []
    /// What is put behind a word's last character, to look it up.
    var endSuffix: [UInt8] = []
  }

  let vocabulary: Vocabulary
  let merges: MergeTable
  let options: Options
  private let unknownID: Int32?
  /// By byte the id of its fallback token, or -1.
  private let byteTokens: [Int32]
  /// By byte the id of its character of the byte-level alphabet, or -1.
  private let byteSymbols: [Int32]
  /// By two bytes what their symbols become, as `MergeTable.packed` has it: the first look-ups of every word.
  private let bytePairs: [UInt64]
  /// By code point the id of a character, or -1, for the first of them.
  private let symbols: [Int32]
  /// Where long words may be cut.
  private let cuts: SafeCuts

  /// Words that are longer are looked through for safe cuts.
  private static let longWord = 48

  /// - Parameters:
  ///   - mergeResults: the ids that merges make.
  ///   - cutsWords: whether long words may be cut where it is safe.
  init(
    _ vocabulary: Vocabulary, _ merges: MergeTable, mergeResults: [Int32], _ options: Options,
    cutsWords: Bool = true
  ) {
    self.vocabulary = vocabulary
    self.merges = merges
    self.options = options
    unknownID = options.unknown.flatMap { vocabulary.id(of: $0) }
    byteTokens = (0..<256).map { vocabulary.id(of: Self.byteToken(UInt8($0))) ?? -1 }
    let alphabet = ByteAlphabet.utf8
    byteSymbols = alphabet.map { vocabulary.id(of: $0) ?? -1 }
    symbols = (0..<0x3000).map { code in
      Unicode.Scalar(UInt32(code)).flatMap { vocabulary.id(of: Array(String($0).utf8)) } ?? -1
    }
    isPlain = options.continuingPrefix.isEmpty && options.endSuffix.isEmpty
    let used = byteSymbols[..<0xC0] + byteSymbols[0xC2..<0xF5]
    let symbols = byteSymbols
    let takesBytes = isPlain && used.allSatisfy { $0 >= 0 }
    self.takesBytes = takesBytes
    bytePairs = (0..<(takesBytes ? 0x10000 : 0)).map {
      merges.packed(symbols[$0 >> 8], symbols[$0 & 255])
    }
    cuts = isPlain && cutsWords ? SafeCuts(vocabulary, mergeResults) : SafeCuts()
  }

  /// The token that stands for one byte.
  static func byteToken(_ byte: UInt8) -> [UInt8] {
    let digits = String(byte, radix: 16, uppercase: true)
    return Array("<0x\(byte < 16 ? "0" : "")\(digits)>".utf8)
  }

  /// Only if every byte that UTF-8 can hold has a symbol, so that no byte is unknown.
  let takesBytes: Bool

  /// Whether a character is looked up as it is, wherever in a word it stands.
  private let isPlain: Bool

  func tokenize(
    _ text: [UInt8], _ word: Range<Int>, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    if word.count > Self.longWord {
      // Where nothing may be cut, the whole is one word, and merged with a heap.
      if options.ignoresMerges, let id = wholeWord(text, word) {
        tokens.append(id, word.lowerBound, word.upperBound)
        return
      }
      var start = word.lowerBound
      while let cut = cuts.next(in: text, start..<word.upperBound) {
        try tokenizePart(text, start..<cut, isWhole: false, into: &tokens, &workspace)
        start = cut
      }
      let isWhole = start == word.lowerBound
      try tokenizePart(
        text, start..<word.upperBound, isWhole: isWhole, into: &tokens, &workspace)
    } else {
      try tokenizePart(text, word, isWhole: true, into: &tokens, &workspace)
    }
  }

  private func wholeWord(_ text: [UInt8], _ word: Range<Int>) -> Int32? {
    word.count <= vocabulary.longest ? vocabulary.id(of: text, word) : nil
  }

  /// - Parameter isWhole: whether the part is a word, which may be taken whole; parts of one word and words
  ///   of the same bytes can have different tokens only if words are taken whole.
  private func tokenizePart(
    _ text: [UInt8], _ word: Range<Int>, isWhole: Bool, into tokens: inout Tokens,
    _ workspace: inout Workspace
  ) throws(TokenizerError) {
    var hash: UInt64?
    let isKept =
      word.count <= WordCache.longestWord && (isWhole || !options.ignoresMerges)
    if isKept {
      hash = workspace.words.append(text, word, to: &tokens)
      if hash == nil { return }
    }
    if isWhole, options.ignoresMerges, let id = wholeWord(text, word) {
      workspace.symbols.reset()
      workspace.symbols.append(id, word.count)
    } else {
      try addSymbols(text, word, &workspace.symbols)
      workspace.symbols.merge(merges)
    }
    workspace.symbols.emit(word.lowerBound, into: &tokens)
    if let hash { workspace.keep(text, word, hash) }
  }

  func tokenizeBytes(
    _ text: [UInt8], _ word: Range<Int>, into tokens: inout Tokens, _ workspace: inout Workspace
  ) throws(TokenizerError) {
    var hash: UInt64?
    if word.count <= WordCache.longestWord {
      hash = workspace.words.append(text, word, to: &tokens)
      if hash == nil { return }
    }
    if options.ignoresMerges, let id = wholeBytes(text, word, &workspace.mapped) {
      workspace.symbols.reset()
      workspace.symbols.append(id, word.count)
    } else {
      addByteSymbols(text, word, &workspace.symbols)
      workspace.symbols.merge(merges)
    }
    workspace.symbols.emit(word.lowerBound, into: &tokens)
    if let hash { workspace.keep(text, word, hash) }
  }

  private func wholeBytes(
    _ text: [UInt8], _ word: Range<Int>, _ mapped: inout [UInt8]
  ) -> Int32? {
    guard word.count <= vocabulary.longest else { return nil }
    mapped.removeAll(keepingCapacity: true)
    for index in word { ByteAlphabet.append(text[index], to: &mapped) }
    return vocabulary.id(of: mapped, 0..<mapped.count)
  }

  // MARK: - Symbols

  private func addByteSymbols(_ text: [UInt8], _ word: Range<Int>, _ symbols: inout Symbols) {
    symbols.reset()
    var last = 0
    for index in word {
      let byte = Int(text[index])
      if index > word.lowerBound { symbols.appendPair(bytePairs[last << 8 | byte]) }
      symbols.append(byteSymbols[byte], 1)
      last = byte
    }
  }

  private func addSymbols(
    _ text: [UInt8], _ word: Range<Int>, _ symbols: inout Symbols
  ) throws(TokenizerError) {
    symbols.reset()
    var unknowns = Unknowns()
    var place = word.lowerBound
    while place < word.upperBound {
      let end = min(place + scalarLength(text[place]), word.upperBound)
      var spelled: [UInt8]?
      let id: Int32
      if isPlain {
        let code = Int(scalar(text, place))
        id =
          code < self.symbols.count
          ? self.symbols[code] : vocabulary.id(of: text, place..<end) ?? -1
      } else {
        var key = place == word.lowerBound ? [] : options.continuingPrefix
        key += text[place..<end]
        if end == word.upperBound { key += options.endSuffix }
        id = vocabulary.id(of: key) ?? -1
        spelled = key
      }
      if id >= 0 {
        unknowns.end(&symbols)
        symbols.append(id, end - place)
      } else {
        try addUnknown(
          spelled ?? Array(text[place..<end]), length: end - place, &symbols, &unknowns)
      }
      place = end
    }
    unknowns.end(&symbols)
  }

  /// Unknown characters that were met and are not symbols yet.
  private struct Unknowns {
    var id: Int32 = 0
    var length = 0

    mutating func end(_ symbols: inout Symbols) {
      if length > 0 { symbols.append(id, length) }
      length = 0
    }
  }

  private func addUnknown(
    _ spelled: [UInt8], length: Int, _ symbols: inout Symbols, _ unknowns: inout Unknowns
  ) throws(TokenizerError) {
    if options.fallsBackToBytes, spelled.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
      // The crate leaves unknowns met before waiting here, so that they come after these bytes.
      for byte in spelled { symbols.append(byteTokens[Int(byte)], 1) }
      return
    }
    guard let unknown = options.unknown else { return }
    guard let unknownID else {
      throw .noTokenFor(
        word: String(decoding: spelled, as: UTF8.self),
        unknown: String(decoding: unknown, as: UTF8.self))
    }
    if !options.fusesUnknown { unknowns.end(&symbols) }
    unknowns.id = unknownID
    unknowns.length += length
  }
}
