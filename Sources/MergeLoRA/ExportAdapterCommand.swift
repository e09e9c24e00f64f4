import Adapters
import ArgumentParser
import Checkpoints
import Console
import Hub
import Tensors

/// `merge-lora export-adapter`: a Megatron adapter to a PEFT folder.
struct ExportAdapterCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "export-adapter",
    abstract: "Writes a PEFT adapter from a Megatron adapter.",
    discussion: """
      The adapter's numbers are moved, never computed with: rows of B go to the projections they \
      belong to, and A is written once for each of them, as PEFT has it.

      EXAMPLES
        merge-lora export-adapter --lora-checkpoint ./run \\
          --hf-model-path ./llama --output ./peft
        merge-lora export-adapter --lora-checkpoint run/iter_0000500 \\
          --hf-model-path org/name --output peft --overwrite
        merge-lora export-adapter --lora-checkpoint ./run \\
          --hf-model-path org/name --output ./peft --push org/adapter
      """)

  @OptionGroup(title: "Adapter") var adapter: SingleAdapterOptions
  @OptionGroup(title: "Model") var model: AdapterModelOptions
  @OptionGroup(title: "Result") var place: AdapterPlace
  @OptionGroup(title: "Result") var destination: DestinationOptions
  @OptionGroup(title: "Hub") var push: PushOptions
  @OptionGroup(title: "Running") var running: RunOptions
  @OptionGroup(title: "Accepted for scripts of Megatron-Bridge") var peer: PeerOptions

  var wantsJSON: Bool { running.json }

  func run() throws {
    let hub = try push.target(overwrites: destination.overwrite)
    let path = try AdapterReference(adapter.path).place()
    _ = try Adapter.Format(of: path)
    let folder = try ModelReference(model.reference).folder(.withoutWeights)
    let source = try HuggingFaceModel(folder: folder, needsWeights: false)
    let read = try Adapter(reading: path, for: source)
    let target = Folder.absolute(place.output)
    var conversion = Conversion(
      name: "export-adapter", verb: "Exported the adapter of", architecture: source.architecture,
      sources: [Folder.absolute(path), folder], destination: target,
      tensors: read.changes.count,
      transfer: try read.peftTransfer(for: source, base: model.reference), notes: read.notes,
      next: [
        ["convert", "inspect", target],
        [
          "merge-lora", "--lora-checkpoint", target, "--hf-model-path", model.reference,
          "--output", target + "-merged",
        ],
      ])
    conversion.publish(hub.map { Publication($0, push.manner, card: card(for: $0, source, path)) })
    try conversion.run(destination, running)
  }

  private func card(
    for hub: HubTarget, _ model: HuggingFaceModel, _ path: String
  ) -> ModelCard {
    var card = ModelCard(
      for: hub, "A LoRA adapter for \(model.architecture), exported from Megatron to PEFT",
      base: CardModel(folder: model.folder), relation: .adapter, kind: .adapter,
      tags: ["isthmus", "lora", "megatron"], of: model)
    card.facts.append(("Megatron adapter", AdapterFacts.markdown(path)))
    return card
  }
}

/// The adapter that is carried over.
struct SingleAdapterOptions: ParsableArguments {
  @Option(
    name: .customLong("lora-checkpoint"),
    help: ArgumentHelp(
      "The adapter: a Megatron run folder or one iteration in it, a PEFT or an mlx-lm folder, or its name on the hub.",
      valueName: "path|ref"))
  var path: String
}

/// The model an adapter belongs to; its weights are not needed.
struct AdapterModelOptions: ParsableArguments {
  @Option(
    name: .customLong("hf-model-path"),
    help: ArgumentHelp(
      "The Hugging Face model: a folder, org/name or hf://org/name[@revision].", valueName: "ref"))
  var reference: String
}

/// Where an adapter is written.
struct AdapterPlace: ParsableArguments {
  @Option(help: ArgumentHelp("The new folder.", valueName: "dir")) var output: String
}
