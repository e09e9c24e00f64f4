import ArgumentParser
import Configuration
import Console
import Data
import JSON
import Training

/// `train preview`: what a run would learn, before it does.
struct PreviewCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "preview",
    abstract: "Shows tokenised samples, with what is learnt told from what is masked.",
    discussion: """
      The data come from a configuration of Automodel or Megatron-Bridge, of which the sections about data \
      are read, or from --data and --tokenizer; an option counts more than the file. What kind of rows \
      the data hold is told from their keys.

      On a terminal what is learnt is green, elsewhere it stands between ⟦ and ⟧. Special tokens are \
      written as the vocabulary spells them. All samples are counted, unless --limit says fewer.

      EXAMPLES
        train preview llama_squad.yaml --data dev-v1.1.json --tokenizer ./llama
        train preview --data chats.jsonl.zst --tokenizer ./qwen --train-on last
        train preview --data train.jsonl --tokenizer ./llama --style bridge --max-length 2048 \\
          --packed-size 2048 --json
      """)

  struct Source: ParsableArguments {
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
      help: ArgumentHelp("A model's folder, or a tokenizer's file.", valueName: "dir|file"))
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
  }

  struct Format: ParsableArguments {
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

    @Option(
      name: .customLong("packed-size"),
      help: ArgumentHelp("Tell how samples fit into packs of so many tokens.", valueName: "n"))
    var packedSize: Int?

    @Option(
      help:
        "How packs are filled. (default: sequential, as Automodel does; first_fit_shuffle in the style bridge)"
    )
    var packing: PackingMethod?
  }

  struct Showing: ParsableArguments {
    @Option(help: ArgumentHelp("How many samples are shown.", valueName: "n"))
    var samples = 3

    @Option(
      help: ArgumentHelp("How many samples are counted. (default: all)", valueName: "n"))
    var limit: Int?

    @Flag(name: .customLong("json"), help: "Print the result as one JSON object.")
    var json = false
  }

  @OptionGroup(title: "Data") var source: Source
  @OptionGroup(title: "Samples") var format: Format
  @OptionGroup(title: "Showing") var showing: Showing

  var wantsJSON: Bool { showing.json }

  func validate() throws {
    guard source.configuration != nil || !source.data.isEmpty else {
      throw ValidationError("Give a configuration, or data with --data.")
    }
    for (name, value) in [
      ("--max-length", format.length), ("--packed-size", format.packedSize),
      ("--limit", showing.limit), ("--max-row", source.longestRow),
    ] {
      if let value, !(1...Int(Int32.max)).contains(value) {
        throw ValidationError("\(name) must be from 1 to \(Int32.max), not \(value).")
      }
    }
    guard (0...1000).contains(showing.samples) else {
      throw ValidationError("--samples must be from 0 to 1000, not \(showing.samples).")
    }
    if let split = source.split, DataSplit(parsing: split) == nil {
      throw ValidationError("--split is written as train, train[:512] or train[10%:20%].")
    }
  }

  func run() throws {
    var limits = ReadingLimits()
    if let longest = source.longestRow { limits.row = longest }
    let preview = try SampleSource(settled(), limits: limits)
    try RunningModel().stopping { running in
      let report = try PreviewReport(
        preview, shown: showing.samples, check: { try running.check() })
      if showing.json { Report.print(report.object) } else { report.print() }
    }
  }

  /// The configuration, with what the command line says in its place.
  private func settled() throws -> DataSettings {
    var settled = DataSettings()
    if let path = source.configuration {
      settled = try DataSettings(try ConfigurationSection.load(path))
    }
    if !source.data.isEmpty {
      settled.files = source.data
      settled.mock = nil
    }
    settled.dataset = source.dataset ?? settled.dataset
    if let text = source.split, let split = DataSplit(parsing: text) { settled.split = split }
    settled.tokenizer = source.tokenizer ?? settled.tokenizer
    settled.pattern = source.pattern ?? settled.pattern
    settled.chatTemplate = source.chatTemplate ?? settled.chatTemplate
    settled.format.style = format.style ?? settled.format.style
    settled.format.trained = format.trained ?? settled.format.trained
    if let length = format.length {
      settled.format.length = length
      settled.format.automodel.truncates = true
    }
    settled.format.bridge.promptTemplate =
      format.promptTemplate ?? settled.format.bridge.promptTemplate
    if format.masksReasoning { settled.format.automodel.masksReasoning = true }
    settled.packedSize = format.packedSize ?? settled.packedSize
    if format.style == .bridge { settled.packing = .firstFitShuffle }
    settled.packing = format.packing ?? settled.packing
    if let limit = showing.limit { settled.limit = min(limit, settled.limit ?? limit) }
    return settled
  }
}

extension FormatStyle: ExpressibleByArgument {}
extension TrainedPart: ExpressibleByArgument {}
extension PackingMethod: ExpressibleByArgument {}
