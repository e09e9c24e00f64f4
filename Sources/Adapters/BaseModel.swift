import Checkpoints
import Hub
import JSON
import MegatronFormat
import Tensors

/// The weights that adapters are merged into, and the Hugging Face folder that the result is like.
public struct BaseModel: Sendable {
  /// Configuration, tokenizer and files; the weights too, unless there is a checkpoint.
  public let model: HuggingFaceModel
  /// A Megatron checkpoint with the weights.
  public let checkpoint: MegatronModel?
  /// Where the weights lie.
  public let place: String
  /// Who said so.
  public let namedBy: String
  public let notes: [String]

  /// What a user says of the base.
  public struct Wish: Sendable {
    /// `--pretrained`: a Megatron checkpoint, a Hugging Face folder or reference.
    public var pretrained: String?
    /// `--hf-model-path`: a Hugging Face folder or reference.
    public var model: String?
    public var isStrict: Bool

    public init(pretrained: String?, model: String?, isStrict: Bool = true) {
      self.pretrained = pretrained
      self.model = model
      self.isStrict = isStrict
    }
  }

  /// Finds the base: what the user names, else what the adapter's run names, else the model itself.
  ///
  /// - Parameter adapter: the path of the first adapter.
  /// - Throws: `AdapterError.noBase`, `.baseNotFound`, `.noModel`; `ConversionError`, `MegatronError`.
  public init(_ wish: Wish, adapter: String) throws {
    let found = try Self.find(wish, adapter: adapter)
    place = found.place
    namedBy = found.namedBy
    guard found.isMegatron else {
      model = try HuggingFaceModel(folder: found.place, isStrict: wish.isStrict)
      checkpoint = nil
      guard model.weights != nil else { throw ConversionError.noWeights(folder: found.place) }
      let other = try wish.pretrained == nil ? nil : wish.model.map(Self.folder)
      notes =
        other.map { $0 != found.place } == true
        ? ["The base has its own configuration and tokenizer, so --hf-model-path is not used."] : []
      return
    }
    model = try HuggingFaceModel(
      folder: Self.modelFolder(wish.model ?? Self.recorded(in: adapter).model, of: found.place),
      isStrict: wish.isStrict, needsWeights: false)
    checkpoint = try MegatronModel(path: found.place)
    notes = []
  }

  /// A model with its own weights.
  init(_ model: HuggingFaceModel) {
    self.model = model
    checkpoint = nil
    place = model.folder
    namedBy = ""
    notes = []
  }

  // MARK: - Finding

  private struct Found {
    var place: String
    var namedBy: String
    var isMegatron: Bool
  }

  private static func find(_ wish: Wish, adapter: String) throws -> Found {
    if let pretrained = wish.pretrained { return try found(pretrained, by: "--pretrained") }
    let recorded = recorded(in: adapter)
    if let path = recorded.checkpoint {
      let looked = places(of: path, near: adapter)
      guard let place = looked.first(where: Folder.isFolder) else {
        throw AdapterError.baseNotFound(path: path, namedBy: recorded.file, looked: looked)
      }
      return try found(place, by: recorded.file)
    }
    if let model = wish.model { return try found(model, by: "--hf-model-path") }
    if let model = recorded.model {
      // A path that was relative when the adapter was trained may be one from a folder that holds it.
      let near =
        Folder.isFolder(model)
        ? nil : places(of: model, near: adapter).first { Folder.isFile("\($0)/config.json") }
      return try found(near ?? model, by: recorded.file, revision: recorded.revision)
    }
    throw AdapterError.noBase(adapter: adapter)
  }

  private static func found(
    _ text: String, by name: String, revision: String? = nil
  ) throws -> Found {
    if Folder.isFolder(text), !Folder.isFile("\(text)/config.json"),
      (try? RunFolder(resolving: text)) != nil
    {
      return Found(place: Folder.absolute(text), namedBy: name, isMegatron: true)
    }
    let place = try ModelReference(text, revision: revision).folder()
    return Found(place: place, namedBy: name, isMegatron: false)
  }

  /// The folder of the Hugging Face model that a checkpoint is of: the one named, else its own run's.
  private static func modelFolder(_ reference: String?, of checkpoint: String) throws -> String {
    if let reference { return try folder(reference) }
    do {
      return try RunFolder(resolving: checkpoint).modelFolder()
    } catch ConversionError.noConfiguration {
      throw AdapterError.noModel(base: checkpoint)
    }
  }

  /// The folder of a model whose weights lie elsewhere.
  private static func folder(_ reference: String) throws -> String {
    try ModelReference(reference).folder(.withoutWeights)
  }

  /// Where a path may mean: from here, or, if relative, from the folders that hold the adapter.
  private static func places(of path: String, near adapter: String) -> [String] {
    guard !path.hasPrefix("/") else { return [path] }
    var places = [Folder.absolute(path)]
    var folder = Folder.absolute(adapter)
    while folder != "/" {
      folder = Folder.parent(folder)
      let place = folder == "/" ? "/\(path)" : "\(folder)/\(path)"
      if !places.contains(place) { places.append(place) }
    }
    return places
  }

  /// What an adapter's own files say of its base.
  private struct Record {
    var file = ""
    /// A Megatron checkpoint.
    var checkpoint: String?
    /// A Hugging Face reference.
    var model: String?
    var revision: String?
  }

  private static func recorded(in adapter: String) -> Record {
    var record = Record()
    // Files that cannot be read are the adapter's reader's to tell of.
    if let configuration = try? InputFile("\(adapter)/adapter_config.json").readAll() {
      let object = try? JSON(parsing: configuration, allowingNonFinite: true).object
      record.file = "\(adapter)/adapter_config.json"
      record.model = (object?["base_model_name_or_path"] ?? object?["model"])?.string
      record.revision = object?["revision"]?.string
      return record
    }
    guard let run = try? RunFolder(resolving: adapter) else { return record }
    if let metadata = try? InputFile("\(run.weights)/adapter_metadata.json").readAll(),
      let path = try? JSON(parsing: metadata).object?["model_ckpt_path"]?.string
    {
      return Record(file: "\(run.weights)/adapter_metadata.json", checkpoint: path)
    }
    guard let config = try? run.runConfig() else { return record }
    let file = "\(run.folder)/run_config.yaml"
    if let path = config["checkpoint", "pretrained_checkpoint"]?.string {
      return Record(file: file, checkpoint: path)
    }
    // A run that began with a Hugging Face model's own weights.
    return Record(file: file, model: config["model", "hf_model_id"]?.string)
  }
}
