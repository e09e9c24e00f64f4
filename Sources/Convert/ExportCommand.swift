import ArgumentParser
import Checkpoints
import Console
import Hub
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
      was cut for ranks is found out by itself. Of a model on the hub, the small files and the headers of \
      its weights are fetched, and nothing else of it unless the checkpoint lacks something.

      EXAMPLES
        convert export --hf-model ./llama --megatron-path ./run --hf-path ./out
        convert export --hf-model org/name --megatron-path run --hf-path out
        convert export --hf-model ./llama --megatron-path run/iter_0000500 \\
          --hf-path out --overwrite
        convert export --hf-model org/name --megatron-path run --hf-path out \\
          --push org/new --private

      With --push the result goes to the hub once it is complete, in one commit, with a model card. \
      Whether it may go there is found out first. If the push fails, the result stays, and \
      convert push sends what did not arrive.
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
  @OptionGroup(title: "Hub") var push: PushOptions
  @OptionGroup(title: "Running") var running: RunOptions

  var wantsJSON: Bool { running.json }

  func run() throws {
    let hub = try push.target(overwrites: destination.overwrite)
    let megatronPath = checkpoint.megatronPath
    try RunFolder(resolving: megatronPath).requireDistributed()
    let found = try model.find(needsWeights: false)
    func planned(_ found: FoundModel) throws -> (source: HuggingFaceModel, plan: ExportPlan) {
      let source = try found.open(isStrict: !tensors.isLenient)
      let stored = try MegatronModel(path: megatronPath)
      return (source, try ExportPlan(source, from: stored, ConversionOptions(tensors, layout)))
    }
    let (source, plan) =
      try found.arriving?.explaining { try planned(found) } ?? planned(found)
    let target = Folder.absolute(place.huggingFacePath)
    var conversion = Conversion(
      name: "export", verb: "Exported", architecture: source.architecture,
      sources: [found.folder, Folder.absolute(megatronPath)], destination: target,
      tensors: plan.transfer.tasks.count, transfer: plan.transfer,
      notes: plan.notes,
      next: [
        ["convert", "inspect", target],
        ["convert", "compare", Folder.absolute(megatronPath), target],
      ])
    conversion.publish(
      try hub.map { Publication($0, push.manner, card: try card(for: $0, source)) })
    conversion.arriving = found.arriving.map { arriving in
      .init(arriving, takesAll: false) {
        let plan = try planned(model.find(needsWeights: false)).plan
        return (plan.transfer, plan.notes)
      }
    }
    try conversion.run(destination, running)
  }

  private func card(for hub: HubTarget, _ model: HuggingFaceModel) throws -> ModelCard {
    let checkpoint = try CardCheckpoint(self.checkpoint.megatronPath)
    let base = CardModel(folder: model.folder)
    var card = ModelCard(
      for: hub, "\(model.architecture), exported from a Megatron checkpoint",
      base: checkpoint.namesBase ? base : nil, relation: checkpoint.relation, kind: .model,
      tags: ["isthmus", "megatron"], of: model)
    if !checkpoint.namesBase {
      card.facts.append(("Configuration and tokenizer of", base.markdown))
    }
    card.facts.append(("Megatron checkpoint", checkpoint.markdown))
    return card
  }
}
