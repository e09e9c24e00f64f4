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

  struct Packs: ParsableArguments {
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

  @OptionGroup(title: "Data") var source: DataOptions
  @OptionGroup(title: "Samples") var format: SampleOptions
  @OptionGroup(title: "Samples") var packs: Packs
  @OptionGroup(title: "Showing") var showing: Showing

  var wantsJSON: Bool { showing.json }

  func validate() throws {
    guard source.configuration != nil || !source.data.isEmpty else {
      throw ValidationError("Give a configuration, or data with --data.")
    }
    for (name, value) in [("--packed-size", packs.packedSize), ("--limit", showing.limit)] {
      try DataOptions.check(name, value)
    }
    guard (0...1000).contains(showing.samples) else {
      throw ValidationError("--samples must be from 0 to 1000, not \(showing.samples).")
    }
  }

  func run() throws {
    var settings = try source.settings(format, limit: showing.limit)
    settings.packedSize = packs.packedSize ?? settings.packedSize
    settings.packing = packs.packing ?? settings.packing
    let preview = try SampleSource(settings, limits: source.limits)
    try RunningModel().stopping { running in
      let report = try PreviewReport(
        preview, shown: showing.samples, check: { try running.check() })
      if showing.json { Report.print(report.object) } else { report.print() }
    }
  }
}

extension PackingMethod: ExpressibleByArgument {}
