import Adapters
import Checkpoints
import Console
import Hub
import JSON
import Tensors

/// What the card of a merged model says of its base and adapters.
struct MergeCard {
  private let base: BaseModel
  private let adapters: [WeightedAdapter]
  private let plan: MergePlan

  init(_ base: BaseModel, _ adapters: [WeightedAdapter], _ plan: MergePlan) {
    self.base = base
    self.adapters = adapters
    self.plan = plan
  }

  func card(for target: HubTarget) throws -> ModelCard {
    let model = CardModel(folder: base.model.folder)
    let checkpoint = try base.checkpoint.map { _ in try CardCheckpoint(base.place) }
    let namesBase = checkpoint?.namesBase ?? true
    var card = ModelCard(
      for: target,
      "\(base.model.architecture) with \(Format.count(adapters.count, "LoRA adapter")) merged into "
        + (adapters.count == 1 ? "its weights" : "the weights"),
      base: namesBase ? model : nil, relation: namesBase ? .finetune : nil, kind: .model,
      tags: ["isthmus", "lora"], of: base.model)
    if !namesBase { card.facts.append(("Configuration and tokenizer of", model.markdown)) }
    if let checkpoint { card.facts.append(("Base's weights", checkpoint.markdown)) }
    let records = Self.records(plan)
    for (index, each) in adapters.enumerated() {
      // The record ends with those of this merge.
      let place = records.count - adapters.count + index
      let digest = records.indices.contains(place) ? records[place]["digest"]?.string : nil
      var words = [AdapterFacts.markdown(each.adapter.source)]
      if each.weight != 1 { words.append("× \(each.weight)") }
      if let digest { words.append("values \(Markdown.verbatim(digest))") }
      card.facts.append(("Adapter", words.joined(separator: ", ")))
    }
    card.facts.append(
      (
        "Tensors",
        "\(Format.count(plan.changes.entries.count)) changed, "
          + "\(Format.count(plan.changes.untouched.count)) as in the base"
      ))
    return card
  }

  /// What merged_adapters.json will say.
  private static func records(_ plan: MergePlan) -> [JSONObject] {
    let file = plan.transfer.before.first { $0.path == "merged_adapters.json" }
    guard let bytes = file?.bytes, let object = try? JSON(parsing: bytes).object else { return [] }
    return (object["adapters"]?.array ?? []).compactMap(\.object)
  }
}

/// An adapter as a card names it.
enum AdapterFacts {
  static func markdown(_ path: String) -> String {
    // A Megatron adapter is a checkpoint, and says its format and iteration.
    if let checkpoint = try? CardCheckpoint(path) { return checkpoint.markdown }
    return CardModel(folder: path).markdown
  }
}
