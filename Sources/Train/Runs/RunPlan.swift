import Architectures
import Blueprint
import Checkpoints
import Configuration
import Console
import Engine
import JSON
import Kernels
import Training
import Weights

/// What a run would be: its configuration with the origin of every value, its size, and how long it would take.
struct RunPlan {
  let configuration: RunConfiguration
  /// `nil` where the model cannot be looked at: a recipe without weights.
  let estimate: RunEstimate?

  /// - Throws: whatever is wrong with the model that the configuration names.
  init(_ configuration: RunConfiguration) throws {
    self.configuration = configuration
    let blueprint = try Self.blueprint(configuration.settings.model)
    if case .weights = configuration.settings.model { try configuration.check(blueprint) }
    estimate = try RunEstimate(configuration.settings, blueprint)
  }

  /// Of a recipe, whose model need not be on disk.
  init(_ recipe: Recipe, _ purpose: RunPurpose, peft: AdapterScheme?, isPacked: Bool?) throws {
    var words = ["checkpoint.pretrained_checkpoint=WEIGHTS"]
    if purpose == .pretrain { words = [] }
    if isPacked == true { words.append("packed_sequence=true") }
    let configuration = try RunConfiguration(
      purpose: purpose, recipe: recipe.name, peft: peft?.rawValue,
      overrides: words + recipe.unknownSizes)
    self.configuration = configuration
    switch (configuration.settings.model, configuration.published) {
    case (.fresh(let model), _), (.weights, let model?):
      estimate = try RunEstimate(configuration.settings, Registry.blueprint(model).blueprint)
    case (.weights, nil): estimate = nil
    }
  }

  private static func blueprint(_ model: ModelSource) throws -> Blueprint {
    switch model {
    case .fresh(let configuration): try Registry.blueprint(configuration).blueprint
    case .weights(let reference, let revision, _) where !ModelReference(reference).isHere:
      // A plan fetches no weights.
      try HuggingFaceModel(
        folder: ModelReference(reference, revision: revision).folder(.withoutWeights),
        needsWeights: false
      ).blueprint
    case .weights(let reference, let revision, let configuration):
      try ModelWeights(reference, revision: revision, configuration: configuration).blueprint
    }
  }

  // MARK: Text

  func print() {
    let rows = configuration.effective().filter { !$0.value.isNull }
    var lines = ["Configuration"]
    lines.append(Format.table(rows.map { [$0.key, Self.text($0.value), "\($0.origin)"] }))
    lines.append(sizes)
    lines += Report.notes(configuration.notes)
    Report.print(lines.joined(separator: "\n"))
  }

  /// How large it is and how long it takes.
  var sizes: String {
    guard let estimate else { return "" }
    return "Size and time (estimated)\n" + Report.facts(estimate.facts)
  }

  static func text(_ value: JSON) -> String {
    switch value {
    case .string(let text): text
    case .number(let number): JSON.number(number).serialized()
    default: value.serialized()
    }
  }

  var object: JSONObject {
    var values = JSONObject()
    for entry in configuration.effective() {
      values[entry.key] = .object(["value": entry.value, "origin": .string("\(entry.origin)")])
    }
    var object: JSONObject = [
      "name": .string(configuration.settings.name),
      "purpose": .string(configuration.purpose.rawValue),
      "recipe": configuration.recipe.map(JSON.string) ?? .null,
      "configuration": .object(values), "notes": configuration.notes.json,
      "ineffective": configuration.ineffective.json, "unknown": configuration.unknown.json,
    ]
    if let estimate { object["estimate"] = .object(estimate.object) }
    return object
  }
}
