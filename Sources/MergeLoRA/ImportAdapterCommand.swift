import Adapters
import ArgumentParser
import Checkpoints
import Console
import Hub
import Tensors

/// `merge-lora import-adapter`: a PEFT folder to a Megatron adapter.
struct ImportAdapterCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "import-adapter",
    abstract: "Writes a Megatron adapter from a PEFT adapter.",
    discussion: """
      Megatron holds query, key and value as one matrix, and gate and up as one. Where PEFT's adapters \
      of such parts have the same A, one adapter of the same rank is written; else one for each part, \
      under the names of canonical LoRA, or with --fuse one block-diagonal adapter of their ranks' sum.

      EXAMPLES
        merge-lora import-adapter --lora-checkpoint ./peft \\
          --hf-model-path ./llama --output ./run
        merge-lora import-adapter --lora-checkpoint ./peft \\
          --hf-model-path ./llama --output ./run \\
          --pretrained ./llama-megatron --fuse
      """)

  struct Form: ParsableArguments {
    @Flag(help: "One adapter for each fused matrix, block-diagonal where the parts' A differ.")
    var fuse = false

    @Option(
      help: ArgumentHelp(
        "The base checkpoint that run_config.yaml shall name. (default: none)", valueName: "ckpt"))
    var pretrained: String?
  }

  @OptionGroup(title: "Adapter") var adapter: SingleAdapterOptions
  @OptionGroup(title: "Model") var model: AdapterModelOptions
  @OptionGroup(title: "Form") var form: Form
  @OptionGroup(title: "Result") var place: AdapterPlace
  @OptionGroup(title: "Result") var destination: DestinationOptions
  @OptionGroup(title: "Running") var running: RunOptions
  @OptionGroup(title: "Accepted for scripts of Megatron-Bridge") var peer: PeerOptions

  var wantsJSON: Bool { running.json }

  func run() throws {
    let path = try AdapterReference(adapter.path).place()
    _ = try Adapter.Format(of: path)
    let folder = try ModelReference(model.reference).folder(.withoutWeights)
    let source = try HuggingFaceModel(folder: folder, needsWeights: false)
    let read = try Adapter(reading: path, for: source)
    let target = Folder.absolute(place.output)
    try Conversion(
      name: "import-adapter", verb: "Imported the adapter of", architecture: source.architecture,
      sources: [Folder.absolute(path), folder], destination: target,
      tensors: read.changes.count,
      transfer: try read.megatronTransfer(
        for: source, fused: form.fuse, pretrained: form.pretrained.map(Folder.absolute)),
      notes: read.notes,
      next: [
        ["convert", "inspect", target],
        ["merge-lora", "--lora-checkpoint", target, "--hf-model-path", model.reference]
          + ["--output", target + "-merged"],
      ]
    ).run(destination, running)
  }
}
