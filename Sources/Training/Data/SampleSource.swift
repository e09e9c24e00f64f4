import Checkpoints
import Data
import JSON
import Tensors
import Tokenizers

/// The samples that settings mean, with what was found on the way to them.
public struct SampleSource: Sendable {
  public let configuration: DataSettings
  public let tokenizer: FolderTokenizer?
  public let dataset: Dataset
  /// The same without cutting, to tell what was cut; `nil` where nothing is.
  public let whole: Dataset?
  /// What kind of rows was found; `nil` for made-up data and packs.
  public let kind: RowKind?
  public let rows: Int
  public let notes: [String]
  /// Which of the samples make each pack, where the file holds packs.
  let packs: [Range<Int>]?

  /// - Throws: `DataError`, `PackingError`, `FileError`.
  public init(_ configuration: DataSettings, limits: ReadingLimits = ReadingLimits()) throws {
    if let packs = try Self.packs(configuration) {
      self = packs
      return
    }
    self.configuration = configuration
    var notes = configuration.notes
    if let mock = configuration.mock {
      dataset = Self.made(mock)
      whole = nil
      kind = nil
      rows = dataset.count
      packs = nil
      tokenizer = try configuration.tokenizer.flatMap { path in
        Folder.kind(path) == nil ? nil : try FolderTokenizer(path: path)
      }
      self.notes = notes
      return
    }
    guard let path = configuration.tokenizer else {
      throw DataError.wish(
        "No tokenizer is named. Give its folder (tokenizer.tokenizer_model, or --tokenizer).")
    }
    if configuration.files == ["squad"], !Folder.exists("squad") {
      throw DataError.wish(
        "SQuAD is not here, and data are not downloaded. Give its file, train-v1.1.json of "
          + "https://rajpurkar.github.io/SQuAD-explorer, or rows of your own: --data FILE.")
    }
    let files = try DataFiles(
      configuration.files, split: configuration.split.name, dataset: configuration.dataset)
    notes += files.notes
    let rows = try Rows(
      files.paths, columns: configuration.columns ?? files.columns, limits: limits)
    let tokenizer = try FolderTokenizer(
      path: TokenizerPlace.find(path), pattern: configuration.pattern)
    let template = try Self.template(configuration, tokenizer, rows.kind)
    let options = configuration.format
    let chosen = try Self.chosen(of: rows.count, configuration)
    func all(_ options: FormatOptions) throws -> Dataset {
      Dataset(rows, try SampleMaker(tokenizer: tokenizer, template: template, options: options))
        .selecting(chosen)
    }
    dataset = try all(options)
    guard dataset.count > 0 else {
      throw DataError.noRows(path: files.paths.joined(separator: ", "))
    }
    var uncut = options
    uncut.length = nil
    whole = options.length == nil ? nil : try all(uncut)
    if template == nil, options.style == .automodel, rows.kind == .question {
      notes.append("the tokenizer has no chat template: prompts are plain text")
    }
    self.tokenizer = tokenizer
    self.rows = rows.count
    kind = rows.kind
    packs = nil
    self.notes = notes
  }

  /// The samples, or packs, of the split, drawn as Megatron-Bridge draws them where it does, and as many as are
  /// wanted.
  private static func chosen(
    of count: Int, _ configuration: DataSettings
  ) throws -> [Int] {
    var chosen = Array(configuration.split.range(of: count).clamped(to: 0..<count))
    if let held = configuration.held {
      chosen = held.samples(of: chosen.count).map { chosen[$0] }
    }
    if let drawn = configuration.drawn, !chosen.isEmpty {
      chosen = try SampleWalk(count: chosen.count, order: .blocks(samples: drawn, seed: 1))
        .map { chosen[$0] }
    }
    return configuration.limit.map { Array(chosen.prefix(max(0, $0))) } ?? chosen
  }

  /// Samples that lie packed in one `.npy` file; `nil` where the data are something else.
  private static func packs(_ configuration: DataSettings) throws -> SampleSource? {
    guard configuration.files.count == 1, let file = configuration.files.first,
      file.hasSuffix(".npy")
    else { return nil }
    let packs = try PackedFile.read(file)
    var samples: [Sample] = []
    let ranges = try chosen(of: packs.count, configuration).map { index in
      let start = samples.count
      samples += packs[index].samples
      return start..<samples.count
    }
    guard !samples.isEmpty else { throw DataError.noRows(path: file) }
    return SampleSource(
      configuration: configuration,
      tokenizer: try configuration.tokenizer.map { path in
        try FolderTokenizer(path: TokenizerPlace.find(path), pattern: configuration.pattern)
      },
      dataset: Dataset(samples, origin: "\(file): \(packs.count) packs"), rows: samples.count,
      notes: configuration.notes, packs: ranges)
  }

  private init(
    configuration: DataSettings, tokenizer: FolderTokenizer?, dataset: Dataset, rows: Int,
    notes: [String], packs: [Range<Int>]?
  ) {
    self.configuration = configuration
    self.tokenizer = tokenizer
    self.dataset = dataset
    self.rows = rows
    self.notes = notes
    self.packs = packs
    whole = nil
    kind = nil
  }

  private static func made(_ mock: DataSettings.Mock) -> Dataset {
    switch mock {
    case .uniform(let vocabulary, let length, let count):
      MockData.uniform(vocabulary: vocabulary, length: length, count: count, seed: 0)
    case .sentences(let count, let mean, let deviation, let vocabulary, let longest, let seed):
      MockData.sentences(
        count: count, mean: mean, deviation: deviation, vocabulary: vocabulary, longest: longest,
        seed: UInt32(truncatingIfNeeded: seed))
    }
  }

  /// The template that is given, or the tokenizer's own where the rows call for one.
  private static func template(
    _ configuration: DataSettings, _ tokenizer: FolderTokenizer, _ kind: RowKind
  ) throws -> ChatTemplate? {
    let variables = tokenizer.templateVariables
    if let given = configuration.chatTemplate {
      let (text, name) = try source(given)
      return try ChatTemplate(text, name: name, variables: variables)
    }
    // Rows with masked roles have a form of their own, unless a template is asked for.
    if configuration.format.style == .bridge, kind == .maskedConversations,
      !configuration.usesTemplate
    {
      return nil
    }
    let templates = tokenizer.tokenizer.templates
    return try templates.first.map {
      try ChatTemplate(
        $0.text, name: "the chat template “\($0.name)”", variables: variables,
        tools: templates.first { $0.name == "tool_use" }?.text)
    }
  }

  /// A template's text, which may be given as such, as a file, or as a file of JSON that holds it.
  private static func source(_ given: String) throws -> (text: String, name: String) {
    if given.contains("{%") || given.contains("{{") { return (given, "the chat template") }
    let bytes = try InputFile(given).readAll()
    if let object = try? JSON(parsing: bytes).object, let text = object["chat_template"]?.string {
      return (text, given)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw DataError.invalidUTF8(Place(file: given, line: 1))
    }
    return (text, given)
  }
}
