import ArgumentParser
import Configuration
import Console

/// What `train finetune` and `train pretrain` are told.
struct TrainingOptions: ParsableArguments {
  struct Source: ParsableArguments {
    @Option(help: ArgumentHelp("A recipe to begin with (train recipes).", valueName: "name"))
    var recipe: String?

    @Option(
      name: [.customShort("c"), .customLong("config")],
      help: ArgumentHelp(
        "The configuration, as a word of its own may be.", valueName: "config.yaml"))
    var configuration: String?

    @Argument(
      parsing: .allUnrecognized,
      help: ArgumentHelp(
        "A configuration (Megatron-Bridge's or Automodel's YAML), and changes to it.",
        valueName: "config.yaml | key=value"))
    var words: [String] = []
  }

  struct Showing: ParsableArguments {
    @Flag(
      name: .customLong("dry-run"),
      help:
        "Print the configuration with the origin of each value, sizes and time, and train nothing.")
    var isDryRun = false

    @Flag(
      name: .customLong("allow-unknown"),
      help: "Leave out keys that nobody knows instead of refusing them.")
    var allowsUnknown = false

    @Flag(name: .customLong("no-progress"), help: "Show no progress.")
    var hidesProgress = false

    @Flag(name: .customLong("json"), help: "Print the result as one JSON object.")
    var json = false
  }

  @OptionGroup(title: "Configuration") var source: Source
  @OptionGroup(title: "Showing") var showing: Showing
  @OptionGroup(title: "Launching") var launch: LaunchOptions

  /// The configuration that all of it comes to.
  ///
  /// - Parameter arguments: the whole command line, in which places are counted.
  func configuration(
    _ purpose: RunPurpose, peft: String?, arguments: [String] = CommandLine.arguments
  ) throws -> RunConfiguration {
    var words = Self.numbered(source.words, in: Array(arguments.dropFirst()))
    // The older shape of Automodel's program: finetune llm -c …
    if words.first?.text == "llm" { words.removeFirst() }
    var file = source.configuration
    if file == nil, let first = words.firstIndex(where: { Self.isFile($0.text) }) {
      file = words.remove(at: first).text
    }
    return try RunConfiguration(
      purpose: purpose, file: file, recipe: source.recipe, peft: peft, words: words,
      allowsUnknown: showing.allowsUnknown)
  }

  /// Whether a word is a path rather than a change; the value of a flag before it is not looked at here.
  private static func isFile(_ word: String) -> Bool {
    (word.hasSuffix(".yaml") || word.hasSuffix(".yml")) && !word.contains("=")
      && !word.hasPrefix("-")
  }

  /// Each word with its place among all.
  private static func numbered(_ words: [String], in all: [String]) -> [CommandWord] {
    var next = 0
    return words.map { word in
      if let place = all[min(next, all.count)...].firstIndex(of: word) { next = place + 1 }
      return CommandWord(word, number: next)
    }
  }
}
