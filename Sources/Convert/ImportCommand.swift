import ArgumentParser
import Blueprint
import Checkpoints
import Console
import Tensors

/// `convert import`: Hugging Face to Megatron.
struct ImportCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Writes a Megatron checkpoint from a Hugging Face model.",
    discussion: """
      The checkpoint is laid out as Megatron-Bridge lays it out, in iter_0000000, with the tokenizer \
      beside the weights. A destination that is not empty is refused without --overwrite.

      Of a model on the hub, what is small and the headers of its weights come first, so that whatever \
      stands in the way is said before the weights are fetched. They are converted while they arrive, \
      and kept in the hub cache; an interrupted download is gone on with by the next run.

      EXAMPLES
        convert import --hf-model ./llama --megatron-path ./llama-megatron
        convert import --hf-model org/name --megatron-path ckpt --torch-dtype float16
        convert import --hf-model hf://org/name@v1.0 --megatron-path ckpt --tp 2
        convert import --hf-model ./llama --megatron-path ckpt --dry-run
      """)

  struct Place: ParsableArguments {
    @Option(
      name: .customLong("megatron-path"),
      help: ArgumentHelp("The folder of the new checkpoint.", valueName: "dir"))
    var megatronPath: String
  }

  @OptionGroup(title: "Model") var model: ModelOptions

  @OptionGroup(title: "Tensors") var tensors: TensorOptions
  @OptionGroup(title: "Layout") var layout: LayoutOptions
  @OptionGroup(title: "Destination") var place: Place
  @OptionGroup(title: "Destination") var destination: DestinationOptions
  @OptionGroup(title: "Running") var running: RunOptions

  var wantsJSON: Bool { running.json }

  func run() throws {
    try layout.requireWritable()
    let found = try model.find()
    let options = ConversionOptions(tensors, layout)
    func planned(_ found: FoundModel) throws -> (
      source: HuggingFaceModel, plan: ImportPlan, notes: [String]
    ) {
      let source = try found.open(isStrict: !tensors.isLenient)
      let plan = try ImportPlan(source, options)
      return (source, plan, plan.notes + source.origin.notes(source.architecture))
    }
    let (source, plan, notes) = try planned(found)
    let target = Folder.absolute(place.megatronPath)
    var conversion = Conversion(
      name: "import", verb: "Imported", architecture: source.architecture,
      sources: [found.folder], destination: target,
      tensors: source.weights?.tensors.count ?? 0, transfer: plan.transfer, notes: notes,
      next: [
        ["convert", "inspect", target],
        ["convert", "export"] + model.words + [
          "--megatron-path", target, "--hf-path", target + "-hf",
        ],
      ]
    )
    conversion.arriving = found.arriving.map { arriving in
      .init(arriving, takesAll: true, rest: plan.rest) {
        let (_, plan, notes) = try planned(found.whole)
        return (plan.transfer, notes)
      }
    }
    try conversion.run(destination, running)
  }
}

extension NameOrigin {
  /// What who imports a model of this class should know of the checkpoint's names.
  fileprivate func notes(_ architecture: String) -> [String] {
    guard self == .derived else { return [] }
    return [
      "Neither Megatron-Bridge nor NeMo converts \(architecture): the checkpoint's names are derived "
        + "from Megatron-Core's (docs/architectures.md)."
    ]
  }
}
