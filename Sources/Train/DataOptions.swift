import ArgumentParser
import Configuration
import Data
import Training

/// The data a command reads: a configuration, or files of rows.
struct DataOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "A configuration, of which the sections about data are read.", valueName: "config.yaml"))
  var configuration: String?

  @Option(
    help: ArgumentHelp(
      "A file, folder or pattern of rows; may be given several times.", valueName: "path"))
  var data: [String] = []

  @Option(help: ArgumentHelp("The entry of a dataset_info.json.", valueName: "name"))
  var dataset: String?

  @Option(
    help: ArgumentHelp(
      "Which split, and which of its rows: train, train[:512]. (default: train)",
      valueName: "split"))
  var split: String?

  @Option(
    help: ArgumentHelp(
      "A model's folder or reference, or a tokenizer's file.", valueName: "dir|ref|file"))
  var tokenizer: String?

  @Option(
    help: ArgumentHelp(
      "How a text is cut into words, for tokenizer files that do not say it.",
      valueName: "regex"))
  var pattern: String?

  @Option(
    name: .customLong("chat-template"),
    help: ArgumentHelp(
      "A chat template in place of the tokenizer's own.", valueName: "file|text"))
  var chatTemplate: String?

  @Option(
    name: .customLong("max-row"),
    help: ArgumentHelp(
      "The longest row that is read, in bytes. (default: 67108864)", valueName: "n"))
  var longestRow: Int?

  func validate() throws {
    try Self.check("--max-row", longestRow)
    if let text = split, DataSplit(parsing: text) == nil {
      throw ValidationError("--split is written as train, train[:512] or train[10%:20%].")
    }
  }

  /// Refuses a count that is none.
  static func check(_ name: String, _ value: Int?) throws {
    if let value, !(1...Int(Int32.max)).contains(value) {
      throw ValidationError("\(name) must be from 1 to \(Int32.max), not \(value).")
    }
  }

  var limits: ReadingLimits {
    var limits = ReadingLimits()
    if let longestRow { limits.row = longestRow }
    return limits
  }

  /// The configuration, with what the command line says in its place.
  ///
  /// - Parameter limit: the samples that are taken at most.
  func settings(_ samples: SampleOptions, limit: Int?) throws -> DataSettings {
    try settings(
      configuration.map { try DataSettings(try ConfigurationSection.load($0)) } ?? DataSettings(),
      samples, limit: limit)
  }

  /// The same, with data that a configuration is known to mean.
  func settings(
    _ configured: DataSettings, _ samples: SampleOptions, limit: Int?
  ) throws -> DataSettings {
    var settings = configured
    if !data.isEmpty {
      settings.files = data
      settings.mock = nil
    }
    settings.dataset = dataset ?? settings.dataset
    if let split, let parsed = DataSplit(parsing: split) { settings.split = parsed }
    settings.tokenizer = tokenizer ?? settings.tokenizer
    settings.pattern = pattern ?? settings.pattern
    settings.chatTemplate = chatTemplate ?? settings.chatTemplate
    samples.apply(to: &settings)
    if let limit { settings.limit = min(limit, settings.limit ?? limit) }
    return settings
  }
}

/// How a command makes samples of rows.
struct SampleOptions: ParsableArguments {
  @Option(help: "Whose way of making samples is followed. (default: automodel)")
  var style: FormatStyle?

  @Option(
    name: .customLong("train-on"), help: "What is learnt. (default: assistant)")
  var trained: TrainedPart?

  @Option(
    name: .customLong("max-length"),
    help: ArgumentHelp("The tokens of a sample at most; longer ones are cut.", valueName: "n"))
  var length: Int?

  @Option(
    name: .customLong("prompt-template"),
    help: ArgumentHelp(
      "What the style bridge fills with a row's values. (default: {input} {output})",
      valueName: "text"))
  var promptTemplate: String?

  @Flag(name: .customLong("mask-reasoning"), help: "Do not learn the assistant's reasoning.")
  var masksReasoning = false

  func validate() throws { try DataOptions.check("--max-length", length) }

  func apply(to settings: inout DataSettings) {
    settings.format.style = style ?? settings.format.style
    settings.format.trained = trained ?? settings.format.trained
    if let length {
      settings.format.length = length
      settings.format.automodel.truncates = true
    }
    settings.format.bridge.promptTemplate = promptTemplate ?? settings.format.bridge.promptTemplate
    if masksReasoning { settings.format.automodel.masksReasoning = true }
    if style == .bridge { settings.packing = .firstFitShuffle }
  }
}

extension FormatStyle: ExpressibleByArgument {}
extension TrainedPart: ExpressibleByArgument {}
