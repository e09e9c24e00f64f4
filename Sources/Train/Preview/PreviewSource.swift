import Configuration
import Data
import JSON
import Tensors
import Tokenizers
import Training

/// The data a preview is of: what a configuration says, and what the command line says instead.
struct PreviewSource {
  private(set) var configuration: DataSettings
  private(set) var tokenizer: FolderTokenizer?
  private(set) var dataset: Dataset
  /// The same without cutting, to tell what was cut; `nil` where nothing is.
  private(set) var whole: Dataset?
  /// What kind of rows was found; `nil` for made-up data and packs.
  private(set) var kind: RowKind?
  private(set) var rows: Int
  private(set) var notes: [String]

  init(_ configuration: DataSettings, limits: ReadingLimits) throws {
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
      tokenizer = try configuration.tokenizer.flatMap { path in
        Folder.kind(path) == nil ? nil : try FolderTokenizer(path: path)
      }
      self.notes = notes
      return
    }
    guard let path = configuration.tokenizer else {
      throw DataError.wish("No tokenizer is named. Give its folder with --tokenizer.")
    }
    let files = try DataFiles(
      configuration.files, split: configuration.split.name, dataset: configuration.dataset)
    notes += files.notes
    let rows = try Rows(
      files.paths, columns: configuration.columns ?? files.columns, limits: limits)
    let tokenizer = try FolderTokenizer(path: path, pattern: configuration.pattern)
    let template = try Self.template(configuration, tokenizer, rows.kind)
    let options = configuration.format
    func all(_ options: FormatOptions) throws -> Dataset {
      try Self.chosen(
        Dataset(
          rows, try SampleMaker(tokenizer: tokenizer, template: template, options: options)),
        configuration)
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
    self.notes = notes
  }

  /// The samples of the split, drawn as Megatron-Bridge draws them where it does, and as many as are wanted.
  private static func chosen(
    _ dataset: Dataset, _ configuration: DataSettings
  ) throws -> Dataset {
    var chosen = dataset.selecting(configuration.split.range(of: dataset.count))
    if let drawn = configuration.drawn, chosen.count > 0 {
      chosen = chosen.selecting(
        Array(try SampleWalk(count: chosen.count, order: .blocks(samples: drawn, seed: 1))))
    }
    return chosen.first(configuration.limit)
  }

  /// Samples that lie packed in one `.npy` file; `nil` where the data are something else.
  private static func packs(_ configuration: DataSettings) throws -> PreviewSource? {
    guard configuration.files.count == 1, let file = configuration.files.first,
      file.hasSuffix(".npy")
    else { return nil }
    let packs = try PackedFile.read(file)
    let samples = packs.flatMap(\.samples)
    let dataset = try chosen(
      Dataset(samples, origin: "\(file): \(packs.count) packs"), configuration)
    guard dataset.count > 0 else { throw DataError.noRows(path: file) }
    return PreviewSource(
      configuration: configuration,
      tokenizer: try configuration.tokenizer.map { path in
        try FolderTokenizer(path: path, pattern: configuration.pattern)
      },
      dataset: dataset, whole: nil, kind: nil, rows: samples.count, notes: configuration.notes)
  }

  private init(
    configuration: DataSettings, tokenizer: FolderTokenizer?, dataset: Dataset,
    whole: Dataset?, kind: RowKind?, rows: Int, notes: [String]
  ) {
    self.configuration = configuration
    self.tokenizer = tokenizer
    self.dataset = dataset
    self.whole = whole
    self.kind = kind
    self.rows = rows
    self.notes = notes
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
