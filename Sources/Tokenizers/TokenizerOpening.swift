import Tensors

/// A tokenizer being put together: what its main file says, and what the files beside it add.
struct TokenizerOpening {
  var pipeline: Pipeline
  private(set) var special = SpecialTokens()
  private(set) var templates: [(name: String, text: String)] = []

  /// Reads one file, of the kind that its bytes show.
  init(file path: String, pattern: String?) throws(TokenizerError) {
    try self.init(path, pattern, .empty)
  }

  /// Reads a model's folder.
  init(folder: String, names: [String], pattern: String?) throws(TokenizerError) {
    let configuration = try TokenizerConfiguration(folder: folder, names: names)
    switch try TokenizerFolder.source(folder, names) {
    case .file(let name): try self.init(folder + "/" + name, pattern, configuration)
    case .merges:
      let json = try LooseVocabulary.merges(folder, pattern: pattern)
      try self.init(json: json, folder + "/vocab.json", configuration, appliesEnds: true)
    case .words:
      let json = try LooseVocabulary.words(folder, lowersCase: configuration.lowersCase)
      try self.init(json: json, folder + "/vocab.txt", configuration, appliesEnds: false)
    }
    templates = configuration.templates
  }

  private init(
    _ path: String, _ pattern: String?, _ configuration: TokenizerConfiguration
  ) throws(TokenizerError) {
    let bytes: [UInt8]
    let file: InputFile
    do throws(FileError) { file = try InputFile(path) } catch { throw .file(error) }
    guard file.size <= Self.largestFile else {
      throw .content(
        file: path, .tooLarge(what: "its size in bytes", found: file.size, limit: Self.largestFile))
    }
    do throws(FileError) { bytes = try file.readAll() } catch { throw .file(error) }
    try self.init(bytes, path, pattern, configuration)
  }

  /// No tokenizer's file is larger, by far.
  private static let largestFile = 1 << 30

  /// - Parameter path: where the bytes come from, for errors.
  init(
    _ bytes: [UInt8], _ path: String, _ pattern: String?, _ configuration: TokenizerConfiguration
  ) throws(TokenizerError) {
    switch TokenizerKind(bytes) {
    case .json: try self.init(json: bytes, path, configuration, appliesEnds: false)
    case .tekken: try self.init(tekken: bytes, path, configuration)
    case .tiktoken: try self.init(tiktoken: bytes, path, pattern, configuration)
    case .sentencePiece: try self.init(sentencePiece: bytes, path, configuration)
    }
  }

  // MARK: Kinds of files

  /// - Parameter appliesEnds: whether the configuration says what is put around a text; beside a
  ///   tokenizer.json it does not.
  private init(
    json bytes: [UInt8], _ path: String, _ configuration: TokenizerConfiguration, appliesEnds: Bool
  ) throws(TokenizerError) {
    do throws(TokenizerFault) {
      pipeline = try Pipeline(tokenizerJSON: bytes)
    } catch { throw .content(file: path, error) }
    try add(configuration)
    if appliesEnds { addEnds(configuration) }
  }

  private init(
    sentencePiece bytes: [UInt8], _ path: String, _ configuration: TokenizerConfiguration
  ) throws(TokenizerError) {
    do throws(TokenizerFault) {
      let file = try SentencePieceFile(bytes)
      var model = try SentencePieceModel(file)
      model.prefixesEveryStretch = configuration.isLegacy
      pipeline = Pipeline(model: model)
      pipeline.tokenDecoder = model
      special.bos = Self.token(file.beginPiece, file.control(file.beginPiece))
      special.eos = Self.token(file.endPiece, file.control(file.endPiece))
      special.pad = Self.token(file.padPiece, file.control(file.padPiece))
      special.unk = Self.token(file.unknownPiece, model.unknown)
    } catch { throw .content(file: path, error) }
    try add(configuration)
    addEnds(configuration)
  }

  private static func token(_ text: [UInt8], _ id: Int32?) -> SpecialTokens.Token? {
    id.map { SpecialTokens.Token(text: String(decoding: text, as: UTF8.self), id: $0) }
  }

  private init(
    tiktoken bytes: [UInt8], _ path: String, _ pattern: String?,
    _ configuration: TokenizerConfiguration
  ) throws(TokenizerError) {
    guard let pattern else { throw .needsPattern(file: path) }
    do throws(TokenizerFault) {
      let tokens = try TiktokenFile(bytes).tokens
      pipeline = try RankedTokens.pipeline(tokens, pattern: pattern)
    } catch { throw .content(file: path, error) }
    try add(configuration)
    addEnds(configuration)
  }

  private init(
    tekken bytes: [UInt8], _ path: String, _ configuration: TokenizerConfiguration
  ) throws(TokenizerError) {
    let names: [(id: Int32, text: String)]
    do throws(TokenizerFault) {
      let file = try TekkenFile(bytes)
      names = file.specials.enumerated().map { (id: Int32($0), text: $1) }
      pipeline = try RankedTokens.pipeline(file.tokens, names: names, pattern: file.pattern)
    } catch { throw .content(file: path, error) }
    func token(_ text: String) -> SpecialTokens.Token? {
      names.first { $0.text == text }.map { SpecialTokens.Token(text: text, id: $0.id) }
    }
    special.bos = token("<s>")
    special.eos = token("</s>")
    special.unk = token("<unk>")
    special.pad = token("<pad>")
    // A folder whose templates write them wants them found; alone the file does not.
    if configuration.isThere || !configuration.templates.isEmpty {
      let tokens = names.map { name in
        AddedToken(
          content: Array(name.text.utf8), id: name.id, isNormalized: false, isSpecial: true)
      }
      pipeline.added = try AddedTokens(tokens) { (content) in content }
    }
    try add(configuration)
    addEnds(configuration)
  }

  // MARK: Configuration

  /// Adds the tokens that the configuration tells of, and remembers those with a role; a token that is there
  /// already gets the flags told here.
  private mutating func add(_ configuration: TokenizerConfiguration) throws(TokenizerError) {
    var tokens = pipeline.added.tokens
    var hasChanged = false
    func place(_ token: AddedToken) {
      var token = token
      if let index = tokens.lastIndex(where: { $0.content == token.content }) {
        token.id = tokens[index].id
        guard tokens[index] != token else { return }
        tokens[index] = token
      } else {
        // A token that the vocabulary has keeps the id that it has there.
        token.id = pipeline.model.vocabulary.id(of: token.content) ?? token.id
        tokens.append(token)
      }
      hasChanged = true
    }
    for token in configuration.added { place(token) }
    for special in configuration.specials {
      let content = Array(special.content.utf8)
      guard !tokens.contains(where: { $0.content == content }) else { continue }
      var token = special.flags ?? AddedToken(content: content, id: 0)
      token.isSpecial = true
      token.isNormalized = special.flags?.isNormalized ?? false
      let next = max(pipeline.size, Int(tokens.map { $0.id + 1 }.max() ?? 0))
      guard next < Int32.max else {
        throw .content(
          file: "tokenizer_config.json", .idOutOfRange(piece: special.content, found: "\(next)"))
      }
      token.id = Int32(next)
      place(token)
    }
    if hasChanged {
      pipeline.added = try AddedTokens(tokens) { (content) throws(TokenizerError) in
        try pipeline.normalized(content)
      }
    }
    remember(configuration)
  }

  private mutating func remember(_ configuration: TokenizerConfiguration) {
    for named in configuration.specials {
      let token = SpecialTokens.Token(
        text: named.content, id: pipeline.id(of: Array(named.content.utf8)))
      switch named.name {
      case "bos_token": special.bos = token
      case "eos_token": special.eos = token
      case "unk_token": special.unk = token
      case "pad_token": special.pad = token
      default: special.others.append((named.name, token))
      }
    }
  }

  private mutating func addEnds(_ configuration: TokenizerConfiguration) {
    let begin = configuration.addsBegin ? special.bos?.id : nil
    let end = configuration.addsEnd ? special.eos?.id : nil
    if begin != nil || end != nil {
      pipeline.postProcessor = SurroundingTokens(begin: begin, end: end)
    }
  }
}

/// Puts a token before a text, and one behind it.
struct SurroundingTokens: PostProcessor {
  var begin: Int32?
  var end: Int32?

  func process(_ encoding: inout Encoding, _ context: PostProcessing) {
    guard context.addsSpecialTokens else { return }
    if let begin {
      encoding.ids.insert(begin, at: 0)
      if context.keepsRanges { encoding.ranges.insert(0..<0, at: 0) }
    }
    if let end {
      encoding.ids.append(end)
      let place = context.text.count
      if context.keepsRanges { encoding.ranges.append(place..<place) }
    }
  }
}
