import Checkpoints
import JSON
import MegatronFormat
import Tensors

/// What a Megatron run says of its adapter: the `peft` section of Megatron-Bridge's `run_config.yaml`, or
/// NeMo 2's `model_transform`.
public struct MegatronAdapterSettings: Sendable {
  /// The name, where a class should stand, for adapters that no class of Megatron's is: the folder `hf` beside them
  /// holds them as PEFT has them.
  package static let ownClass = "isthmus.PartAdapters"

  /// The classes whose tensors are understood, by their names in both programs.
  public enum Kind: String, Sendable {
    case lora = "LoRA"
    case canonical = "CanonicalLoRA"
    case dora = "DoRA"
    case vision = "VLMLoRA"

    /// The class's own default, which NeMo leaves out of its file.
    var defaultAlpha: Double { self == .dora ? 64 : 32 }
  }

  /// Where they were read.
  public var file: String
  public var kind: Kind
  /// The rank of layers that have none of their own.
  public var rank: Int
  /// The factor of a layer is this divided by the layer's rank.
  public var alpha: Double
  /// Whether routed experts have a smaller rank than the rest.
  public var normalizesExperts = false
  /// Whether all experts of a rank have the same adapter.
  public var sharesExperts = true
  /// The checkpoint that the adapter was trained on, as the training run knew it.
  public var base: String?

  init(file: String, kind: Kind, rank: Int, alpha: Double, base: String? = nil) {
    self.file = file
    self.kind = kind
    self.rank = rank
    self.alpha = alpha
    self.base = base
  }

  /// Reads what a run folder says.
  ///
  /// - Throws: `AdapterError.noSettings`, `.malformed`; `MegatronError` for unreadable files.
  public init(_ run: RunFolder) throws {
    let context = run.folder + "/context"
    let looked = [
      "run_config.yaml (peft)", "context/model.yaml and context/io.json (model_transform)",
    ]
    if let config = try run.runConfig() {
      let file = run.folder + "/run_config.yaml"
      guard let section = config["peft"], !section.isNull else {
        throw AdapterError.noSettings(folder: run.folder, looked: looked)
      }
      let reader = SettingsReader(file: file, place: "peft", section: section)
      self = try reader.settings(hasDefaults: false)
      base = config["checkpoint", "pretrained_checkpoint"]?.string
    } else if let section = try Self.transform(inModel: context + "/model.yaml") {
      let reader = SettingsReader(
        file: context + "/model.yaml", place: "model_transform", section: section)
      self = try reader.settings(hasDefaults: true)
    } else if let section = try FiddleGraph.transform(in: context + "/io.json") {
      let reader = SettingsReader(
        file: context + "/io.json", place: "model_transform", section: section)
      self = try reader.settings(hasDefaults: true)
    } else {
      throw AdapterError.noSettings(folder: run.folder, looked: looked)
    }
    if base == nil { base = try Self.base(in: run.weights + "/adapter_metadata.json") }
  }

  private static func transform(inModel path: String) throws -> YAMLValue? {
    guard Folder.isFile(path) else { return nil }
    let model = try YAMLValue(parsing: InputFile(path).readAll(), file: path)
    guard let section = model["model_transform"], !section.isNull else { return nil }
    return section
  }

  private static func base(in path: String) throws -> String? {
    guard Folder.isFile(path) else { return nil }
    return try JSON(parsing: InputFile(path).readAll()).object?["model_ckpt_path"]?.string
  }
}

/// Reads the settings out of a section; what it does not know must be off.
private struct SettingsReader {
  let file: String
  let place: String
  let section: YAMLValue

  /// What changes nothing in the tensors' meaning, or is told by the tensors.
  private static let inert: Set<String> = [
    "_target_", "_partial_", "_args_", "a2a_experimental", "canonical_mapping", "dropout",
    "dropout_position", "exclude_modules", "experts_shared_outer_loras", "freeze_language_model",
    "freeze_vision_model", "freeze_vision_projection", "lora_A_init_method", "lora_B_init_method",
    "lora_dtype", "params_to_save", "sequence_parallel_input_regather", "target_modules",
    "model_transform", "adapter_key_filter",
  ]
  private static let read: Set<String> = [
    "alpha", "dim", "normalize_moe_lora", "share_expert_adapters",
  ]

  func settings(hasDefaults: Bool) throws(AdapterError) -> MegatronAdapterSettings {
    let target = section["_target_"]?.string ?? ""
    let name = target.split(separator: ".").last.map(String.init) ?? ""
    guard let kind = MegatronAdapterSettings.Kind(rawValue: name) else {
      throw fault("_target_", "LoRA, CanonicalLoRA, DoRA or VLMLoRA", target.isEmpty ? nil : target)
    }
    for entry in section.map?.entries ?? [] {
      let key = entry.key.string ?? ""
      if Self.inert.contains(key) || Self.read.contains(key) || key.hasPrefix("_") { continue }
      guard entry.value.isNull || entry.value.bool == false else {
        throw fault(key, "absent or off, as no setting of this name is known", "a value")
      }
    }
    let rank = try number("dim", hasDefaults ? 32 : nil, "a rank of at least 1")
    guard rank >= 1, let dimension = Int(exactly: rank) else {
      throw fault("dim", "a rank of at least 1", "\(rank)")
    }
    let alpha = try number("alpha", hasDefaults ? kind.defaultAlpha : nil, "a number")
    guard alpha.isFinite else { throw fault("alpha", "a number", "\(alpha)") }
    var settings = MegatronAdapterSettings(file: file, kind: kind, rank: dimension, alpha: alpha)
    settings.normalizesExperts = section["normalize_moe_lora"]?.bool ?? false
    settings.sharesExperts = section["share_expert_adapters"]?.bool ?? true
    return settings
  }

  private func number(
    _ key: String, _ fallback: Double?, _ expected: String
  ) throws(AdapterError) -> Double {
    guard let value = section[key], !value.isNull else {
      if let fallback { return fallback }
      throw fault(key, expected, nil)
    }
    guard let number = value.double else {
      throw fault(key, expected, value.string.map { "\"\($0)\"" } ?? "something else")
    }
    return number
  }

  private func fault(_ key: String, _ expected: String, _ found: String?) -> AdapterError {
    .malformed(
      file: file, place: "\(place).\(key)",
      reason: "it should be \(expected), and is \(found ?? "not there")")
  }
}

/// The graph of objects in NeMo 2's `context/io.json` (FORMATS.md E.2).
private struct FiddleGraph {
  let objects: JSONObject

  /// The adapter's settings in the shape that `model.yaml` has them; `nil` if there are none.
  static func transform(in path: String) throws -> YAMLValue? {
    guard Folder.isFile(path) else { return nil }
    let json = try JSON(parsing: InputFile(path).readAll(), allowingNonFinite: true)
    guard let objects = json.object?["objects"]?.object, let root = json.object?["root"] else {
      throw AdapterError.malformed(
        file: path, place: "the top", reason: "a root and objects should be there")
    }
    let graph = FiddleGraph(objects: objects)
    guard let context = graph.target(of: root), let model = graph.argument("model", of: context),
      let transform = graph.target(of: model).flatMap({ graph.argument("model_transform", of: $0) }
      ),
      let object = graph.target(of: transform)
    else { return nil }
    var section = YAMLMap()
    section["_target_"] = .string(graph.className(of: object) ?? "")
    for (label, value) in graph.items(of: object) {
      guard let name = Self.attribute(label), let leaf = value.object?["value"] else { continue }
      switch leaf {
      case .integer(let number): section[name] = .integer(number)
      case .number(let number): section[name] = .number(number)
      case .bool(let flag): section[name] = .bool(flag)
      case .string(let text): section[name] = .string(text)
      default: continue
      }
    }
    return .map(section)
  }

  /// The object that a reference names.
  private func target(of value: JSON) -> JSONObject? {
    guard value.object?["type"]?.string == "ref", let key = value.object?["key"]?.string else {
      return nil
    }
    return objects[key]?.object
  }

  private func items(of object: JSONObject) -> [(label: String, value: JSON)] {
    (object["items"]?.array ?? []).compactMap { item in
      guard let pair = item.array, pair.count == 2, let label = pair[0].string else { return nil }
      return (label, pair[1])
    }
  }

  private func argument(_ name: String, of object: JSONObject) -> JSON? {
    items(of: object).first { Self.attribute($0.label) == name }?.value
  }

  /// `Attr(name='dim')` → `dim`.
  private static func attribute(_ label: String) -> String? {
    let head = "Attr(name='"
    guard label.hasPrefix(head), label.hasSuffix("')") else { return nil }
    return String(label.dropFirst(head.count).dropLast(2))
  }

  /// The class or function that the object is the arguments of; of a plain object its type.
  private func className(of object: JSONObject) -> String? {
    let metadata = object["metadata"].flatMap { target(of: $0) }
    let configured = metadata.flatMap { argument("fn_or_cls", of: $0) }
    return (configured ?? object["type"])?.object?["name"]?.string
  }
}
