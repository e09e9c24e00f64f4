import Architectures
import Blueprint
import JSON
import SafeTensors
import Tensors

/// A Hugging Face folder as one value: configuration, blueprint, weights if it has any, other files.
public struct HuggingFaceModel: Sendable {
  public let folder: String
  public let configuration: JSONObject
  public let architecture: String
  /// Where its Megatron names come from.
  public let origin: NameOrigin
  public private(set) var blueprint: Blueprint
  /// `nil` for a folder with only a configuration, which is enough to export into.
  public private(set) var weights: ShardedFolder?

  /// Opens a folder.
  ///
  /// - Parameter isStrict: refuses configuration keys that are not understood.
  /// - Throws: `ConversionError`, `ConfigError`, `SafeTensorsError`.
  public init(folder: String, isStrict: Bool = true) throws {
    try self.init(folder: folder, isStrict: isStrict, arriving: [])
  }

  /// Opens a folder that some of the weights are still on their way into.
  package init(folder: String, isStrict: Bool, arriving: [InputFile]) throws {
    self.folder = folder
    configuration = try Self.configuration(in: folder)
    let hasWeights =
      !arriving.isEmpty
      || (Folder.entries(folder) ?? []).contains { $0.hasSuffix(".safetensors") }
      || Folder.exists("\(folder)/\(ShardedFolder.indexName)")
    let weights = hasWeights ? try ShardedFolder(folder, arriving: arriving) : nil
    self.weights = weights
    let found = try Registry.blueprint(
      configuration, isStrict: isStrict,
      isStored: weights.map { weights in { weights[$0] != nil } })
    architecture = configuration["architectures"]?.array?.first?.string ?? ""
    origin = found.architecture.origin
    blueprint = found.blueprint
  }

  /// The model with other weights, plain ones.
  package func with(_ weights: ShardedFolder) -> HuggingFaceModel {
    var model = self
    model.weights = weights
    model.blueprint.quantisation = nil
    return model
  }

  /// The model with the names its files had, where it is without weights and somebody knows them.
  func spelled(as names: [String]?) throws -> HuggingFaceModel {
    guard weights == nil, let names else { return self }
    let known = Set(names)
    var model = self
    // The configuration has been judged already.
    model.blueprint = try Registry.blueprint(
      configuration, isStrict: false, isStored: known.contains
    ).blueprint
    return model
  }

  /// config.json as it stands.
  public static func configuration(in folder: String) throws -> JSONObject {
    let path = "\(folder)/config.json"
    guard Folder.isFile(path) else { throw ConversionError.missingConfiguration(folder: folder) }
    let bytes = try InputFile(path).readAll()
    let json: JSON
    do throws(JSONError) {
      json = try JSON(parsing: bytes, allowingNonFinite: true)
    } catch {
      throw ConversionError.badConfiguration(path: path, reason: "\(error)")
    }
    guard let object = json.object else {
      throw ConversionError.badConfiguration(path: path, reason: "it must hold one JSON object.")
    }
    return object
  }

  /// The files beside the weights: configuration, tokenizer, templates, code, licence.
  public var sideFiles: [String] {
    (Folder.entries(folder) ?? []).filter { name in
      Folder.isFile("\(folder)/\(name)") && !name.hasPrefix(".") && !Self.isWeights(name)
    }
  }

  /// The tokenizer's files, which a Megatron checkpoint keeps a copy of.
  public var tokenizerFiles: [String] {
    sideFiles.filter(Self.isTokenizer)
  }

  /// Whether a file of this name is a tokenizer's.
  public static func isTokenizer(_ name: String) -> Bool {
    tokenizerNames.contains(name) || name.hasSuffix(".tiktoken")
  }

  private static let tokenizerNames: Set<String> = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "merges.txt", "tekken.json",
    "chat_template.jinja", "chat_template.json",
  ]

  /// Whether a file holds a model's weights, in any framework's format, or an index of them.
  private static func isWeights(_ name: String) -> Bool {
    let endings = [
      ".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".ckpt",
      ".gguf", ".ggml", ".h5", ".msgpack", ".onnx", ".onnx_data", ".tflite", ".npz",
    ]
    return endings.contains { name.hasSuffix($0) }
  }

  /// Refuses a model whose weights cannot come back as they are stored.
  ///
  /// - Throws: `ConversionError.noWayBack`.
  public func requireWayBack() throws {
    guard let weights, let quantisation = blueprint.quantisation,
      try SourceTensors(weights, quantisation).isQuantised
    else { return }
    throw ConversionError.noWayBack(folder: folder, method: quantisation.method)
  }
}
