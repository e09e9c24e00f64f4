import Adapters
import ArgumentParser
import Checkpoints
import Console
import Tensors

/// `merge-lora`: base and adapters to a merged model.
struct MergeCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merges LoRA adapters into the model they were trained on.",
    usage: """
      merge-lora --lora-checkpoint <path|ref> --output <dir> [<options>]
      merge-lora export-adapter | import-adapter | unmerge [<options>]
      """,
    discussion: """
      W + scale · B · A is computed in float32 and rounded once, tile by tile while the base streams \
      through. The result has the base's files, types, tokenizer and configuration; tensors without an \
      adapter are copied as bytes. A tensor of the adapter that finds no place is an error.

      The base is what --pretrained names, else what the adapter's own run_config.yaml names \
      (checkpoint.pretrained_checkpoint), else the weights of --hf-model-path.

      EXAMPLES
        merge-lora --lora-checkpoint ./run --hf-model-path ./llama --output ./new
        merge-lora --lora-checkpoint ./peft --hf-model-path org/name \\
          --output ./new --dry-run
        merge-lora --lora-checkpoint run/iter_0000500 --hf-model-path ./llama \\
          --pretrained ./llama-megatron --output ./new
        merge-lora --adapter ./one=0.7 --adapter ./two=0.3 \\
          --hf-model-path ./llama --output ./new
        merge-lora --lora-checkpoint ./peft --hf-model-path ./llama \\
          --output ./new-megatron --output-format megatron --tp 2
        merge-lora --lora-checkpoint ./peft --hf-model-path org/name \\
          --output ./new --push org/new

      OTHER COMMANDS
        merge-lora export-adapter   writes a PEFT folder from a Megatron adapter
        merge-lora import-adapter   writes a Megatron adapter from a PEFT folder
        merge-lora unmerge          is refused: a merge cannot be undone

      EXIT CODES
        0 done, 1 could not be done, 2 wrong usage, 130 interrupted
      """)

  struct Place: ParsableArguments {
    @Option(help: ArgumentHelp("The new folder.", valueName: "dir"))
    var output: String

    @Option(
      name: .customLong("output-format"),
      help: ArgumentHelp("What is written there.", valueName: "format"))
    var format = MergeOptions.Output.huggingFace
  }

  @OptionGroup(title: "Adapter") var adapters: AdapterOptions
  @OptionGroup(title: "Base") var base: BaseOptions
  @OptionGroup(title: "Result") var place: Place
  @OptionGroup(title: "Result") var destination: DestinationOptions
  @OptionGroup(title: "Hub") var push: PushOptions
  @OptionGroup(title: "Running") var running: RunOptions
  @OptionGroup(title: "Accepted for scripts of Megatron-Bridge") var peer: PeerOptions

  var wantsJSON: Bool { running.json }

  func validate() throws {
    if push.reference != nil, place.format == .megatron {
      throw ValidationError(
        "--push takes Hugging Face folders to the hub; leave --output-format megatron out.")
    }
  }

  func run() throws {
    let hub = try push.target(overwrites: destination.overwrite)
    let all = try adapters.all.map {
      WeightedPath(try AdapterReference($0.path).place(), weight: $0.weight)
    }
    // Before the base, which may be far away.
    for adapter in all { _ = try Adapter.Format(of: adapter.path) }
    let found = try BaseModel(base.wish, adapter: all[0].path)
    let weighted = try all.map {
      WeightedAdapter(try Adapter(reading: $0.path, for: found.model), weight: $0.weight)
    }
    var options = MergeOptions()
    options.output = place.format
    options.conversion.sizes = peer.sizes
    options.conversion.isStrict = !base.isLenient
    options.allowsNonFinite = adapters.allowsNonFinite
    let plan = try plan(weighted, into: found, options)
    let target = Folder.absolute(place.output)
    let findings = MergeFindings(plan.changes, weighted, found)
    var conversion = Conversion(
      name: "merge", verb: "Merged", architecture: found.model.architecture,
      sources: all.map { Folder.absolute($0.path) } + sources(found), destination: target,
      tensors: plan.changes.entries.count + plan.changes.untouched.count,
      transfer: plan.transfer,
      notes: plan.notes,
      next: next(target, found))
    conversion.findings = findings.at
    conversion.publish(
      try hub.map {
        Publication($0, push.manner, card: try MergeCard(found, weighted, plan).card(for: $0))
      })
    try conversion.run(destination, running)
  }

  private func plan(
    _ adapters: [WeightedAdapter], into base: BaseModel, _ options: MergeOptions
  ) throws -> MergePlan {
    do {
      return try MergePlan(adapters, into: base, options)
    } catch ConversionError.quantised(let folder, let method) {
      throw QuantisedBase(folder: folder, method: method)
    }
  }

  private func sources(_ base: BaseModel) -> [String] {
    base.place == base.model.folder ? [base.place] : [base.place, base.model.folder]
  }

  private func next(_ target: String, _ base: BaseModel) -> [[String]] {
    let inspect = ["convert", "inspect", target]
    return switch place.format {
    case .huggingFace:
      [
        inspect,
        ["convert", "import", "--hf-model", target, "--megatron-path", target + "-megatron"],
      ]
    case .megatron:
      [
        inspect,
        [
          "convert", "export", "--hf-model", base.model.folder, "--megatron-path", target,
          "--hf-path", target + "-hf",
        ],
      ]
    }
  }
}

/// Weights in codes, to which nothing can be added.
private struct QuantisedBase: Error, CustomStringConvertible {
  var folder: String
  var method: String

  var description: String {
    "\(folder) holds weights quantised by the method \(method), and an adapter is added to plain "
      + "numbers. Make them plain with convert import --torch-dtype bfloat16 and convert export, "
      + "then merge into the result."
  }
}

extension MergeOptions.Output: ExpressibleByArgument {}
