import ArgumentParser
import Checkpoints
import Console
import MegatronFormat
import Tensors

/// `convert export`: Megatron to Hugging Face.
struct ExportCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Writes a Hugging Face folder from a Megatron checkpoint.",
    discussion: """
      Names, types, files and their order are those of the Hugging Face model where it has weights; \
      its configuration, tokenizer, templates and code are copied byte for byte. How the checkpoint \
      was cut for ranks is found out by itself.

      EXAMPLES
        convert export --hf-model ./llama --megatron-path ./run --hf-path ./out
        convert export --hf-model org/name --megatron-path run --hf-path out
        convert export --hf-model ./llama --megatron-path run/iter_0000500 \\
          --hf-path out --overwrite
      """)

  struct Source: ParsableArguments {
    @Option(
      name: .customLong("megatron-path"),
      help: ArgumentHelp(
        "The checkpoint: a run folder, or one iteration in it.", valueName: "ckpt"))
    var megatronPath: String
  }

  struct Place: ParsableArguments {
    @Option(
      name: .customLong("hf-path"),
      help: ArgumentHelp("The new Hugging Face folder.", valueName: "dir"))
    var huggingFacePath: String
  }

  @OptionGroup(title: "Checkpoint") var checkpoint: Source
  @OptionGroup(title: "Model") var model: ModelOptions

  @OptionGroup(title: "Tensors") var tensors: TensorOptions
  @OptionGroup(title: "Layout, recognised by itself") var layout: LayoutOptions
  @OptionGroup(title: "Destination") var place: Place
  @OptionGroup(title: "Destination") var destination: DestinationOptions
  @OptionGroup(title: "Running") var running: RunOptions

  var wantsJSON: Bool { running.json }

  func run() throws {
    let folder = try model.folder()
    let source = try HuggingFaceModel(folder: folder, isStrict: !tensors.isLenient)
    let megatronPath = checkpoint.megatronPath
    try RunFolder(resolving: megatronPath).requireDistributed()
    let stored = try MegatronModel(path: megatronPath)
    let plan = try ExportPlan(source, from: stored, ConversionOptions(tensors, layout))
    let target = Folder.absolute(place.huggingFacePath)
    try Conversion(
      name: "export", verb: "Exported", architecture: source.architecture,
      sources: [folder, Folder.absolute(megatronPath)], destination: target,
      tensors: plan.transfer.tasks.count, transfer: plan.transfer, notes: plan.notes,
      next: [
        ["convert", "inspect", target],
        ["convert", "compare", Folder.absolute(megatronPath), target],
      ]
    ).run(destination, running)
  }
}
