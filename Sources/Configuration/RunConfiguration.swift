import Blueprint
import Console
import Data
import JSON
import Tensors
import Training

/// Whether a run changes a model that is there, or makes one.
package enum RunPurpose: String, CaseIterable, Sendable {
  case finetune, pretrain
}

/// Everything a run is told: a recipe, a file over it, the command line over both.
///
/// Files have the shape of Megatron-Bridge's ConfigContainer (a run_config.yaml is one) or of an Automodel YAML.
package struct RunConfiguration {
  package let purpose: RunPurpose
  package let recipe: String?
  package let settings: RunSettings
  /// What the user should know: keys without effect, in one line, and the like.
  package private(set) var notes: [String] = []
  /// All keys that have no effect here, and keys that nobody knows, where those are allowed.
  package private(set) var ineffective: [String] = []
  package private(set) var unknown: [String] = []
  private let entries: [Reading.Entry]
  private let shape: ModelShape?

  /// - Parameters:
  ///   - file: a YAML file.
  ///   - recipe: the name of a recipe.
  ///   - peft: none, lora or dora.
  ///   - overrides: `key=value` with Hydra's signs, `--key value`, and the flags of `Flag`.
  ///   - allowsUnknown: whether keys that nobody knows are noted rather than refused.
  /// - Throws: `ConfigurationError`, and what the files named in it make of themselves.
  package init(
    purpose: RunPurpose, file: String? = nil, recipe: String? = nil, peft: String? = nil,
    overrides: [String] = [], allowsUnknown: Bool = false
  ) throws {
    try self.init(
      purpose: purpose, file: file, recipe: recipe, peft: peft,
      words: overrides.enumerated().map { CommandWord($1, number: $0 + 1) },
      allowsUnknown: allowsUnknown)
  }

  package init(
    purpose: RunPurpose, file: String?, recipe: String?, peft: String?, words: [CommandWord],
    allowsUnknown: Bool = false
  ) throws {
    let layers = try Layers(
      purpose: purpose, file: file, recipe: recipe, peft: peft, words: words)
    self.purpose = layers.purpose
    self.recipe = layers.recipe?.name
    let top = ConfigurationSection(top: layers.root, allowsUnknown: allowsUnknown)
    var settings: RunSettings
    switch layers.dialect {
    case .bridge:
      var reader = BridgeReader(top, layers.purpose, isPacked: layers.isPacked)
      settings = try reader.settings()
      shape = reader.shape
      notes = reader.notes
    case .automodel:
      var reader = AutomodelReader(top, layers.purpose)
      settings = try reader.settings()
      shape = nil
      notes = reader.notes
    }
    if settings.name.isEmpty { settings.name = Self.name(layers, settings) }
    entries = top.reading.entries
    ineffective = top.reading.ineffective + layers.words.inert
    unknown = top.reading.unknown
    if !ineffective.isEmpty { notes.append(Self.sentence(ineffective)) }
    if !unknown.isEmpty {
      notes.append(
        "not known and left out: " + unknown.prefix(12).joined(separator: ", ")
          + (unknown.count > 12 ? " …" : ""))
    }
    if case .rows(let data) = settings.data { notes += data.notes }
    if settings.saving.folder == nil, !layers.hasFile {
      settings.saving.folder = "runs/" + settings.name
    }
    self.settings = settings
    if settings.saving.folder == nil {
      notes.append("nothing is saved: name a folder with --output (checkpoint.save)")
    }
  }

  /// The published configuration of the model, where the file or the recipe holds it.
  package var published: JSONObject? { shape?.configuration }

  /// Checks what keys say of the model against the weights that are trained.
  package func check(_ blueprint: Blueprint) throws {
    try shape?.check(blueprint, isGiven: true)
  }

  /// Every key that was read, with its value and where it was said.
  package func effective() -> [(key: String, value: JSON, origin: Origin)] {
    entries.map { ($0.key, $0.value, $0.origin) }
  }

  private static func name(_ layers: Layers, _ settings: RunSettings) -> String {
    if let recipe = layers.recipe { return "\(recipe.name)-\(layers.purpose.rawValue)" }
    if let folder = settings.saving.folder { return Folder.name(Folder.absolute(folder)) }
    var words = [layers.purpose.rawValue]
    if case .weights(let reference, _, _) = settings.model { words.append(Folder.name(reference)) }
    if let adapters = settings.adapters { words.append(adapters.kind == .dora ? "dora" : "lora") }
    return words.joined(separator: "-")
  }

  private static func sentence(_ keys: [String]) -> String {
    let shown = keys.prefix(8).joined(separator: ", ")
    return
      "\(Format.count(keys.count, "key")) \(keys.count == 1 ? "has" : "have") no effect here: \(shown)"
      + (keys.count > 8 ? ", … (all of them with --dry-run --json)" : "")
  }
}
