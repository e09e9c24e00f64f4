import Architectures
import Blueprint
import Hub
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
  /// - Parameters:
  ///   - isStrict: refuses configuration keys that are not understood.
  ///   - needsWeights: without, weights that are not all there are as none: of a repository that was fetched in part.
  /// - Throws: `ConversionError`, `ConfigError`, `SafeTensorsError`.
  public init(folder: String, isStrict: Bool = true, needsWeights: Bool = true) throws {
    try self.init(folder: folder, isStrict: isStrict, arriving: [], needsWeights: needsWeights)
  }

  /// Opens a folder that some of the weights are still on their way into.
  package init(
    folder: String, isStrict: Bool, arriving: [InputFile], needsWeights: Bool = true
  ) throws {
    self.folder = folder
    configuration = try Self.configuration(in: folder)
    let hasWeights =
      !arriving.isEmpty
      || (Folder.entries(folder) ?? []).contains { $0.hasSuffix(".safetensors") }
      || Folder.exists("\(folder)/\(ShardedFolder.indexName)")
    var weights: ShardedFolder?
    if hasWeights {
      weights =
        needsWeights
        ? try ShardedFolder(folder, arriving: arriving)
        : try? ShardedFolder(folder, arriving: arriving)
    }
    self.weights = weights
    let found = try Registry.blueprint(
      configuration, isStrict: isStrict,
      isStored: self.weights.map { weights in { weights[$0] != nil } })
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
      Folder.isFile("\(folder)/\(name)") && ModelFiles.isBeside(name)
    }
  }

  /// The tokenizer's files, which a Megatron checkpoint keeps a copy of.
  public var tokenizerFiles: [String] {
    sideFiles.filter(ModelFiles.isTokenizer)
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
