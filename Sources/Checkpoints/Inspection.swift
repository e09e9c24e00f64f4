import Architectures
import Blueprint
import JSON
import MegatronFormat
import SafeTensors
import Tensors

/// What a file or checkpoint is, from its headers and configuration alone: no tensor data is read.
public struct Inspection: Sendable {
  /// One line of what there is to say, for people under its label, for programs under its key.
  public struct Fact: Sendable {
    public let label: String
    public let key: String
    public let value: JSON
  }

  public struct File: Sendable {
    public let name: String
    public let bytes: Int
  }

  public private(set) var path: String
  /// The format in a word, such as `huggingface`, for programs.
  public let format: String
  /// The format in words.
  public private(set) var title: String
  /// The class in config.json, or Megatron's provider class.
  public internal(set) var architecture: String?
  /// `nil` where tensors are cut for ranks in a way that their shapes do not tell.
  public internal(set) var parameters: Int?
  /// The parameters one token meets, where the blueprint says so.
  public internal(set) var activeParameters: Int?
  public internal(set) var facts: [Fact] = []
  /// Every tensor, the optimizer's among them.
  public internal(set) var tensors: TensorSet
  /// The files with tensors.
  public internal(set) var files: [File] = []
  /// The names of stored objects that are no tensors.
  public internal(set) var objects: [String] = []
  public internal(set) var notes: [String] = []

  init(path: String, format: String, title: String, tensors: TensorSet) {
    self.path = path
    self.format = format
    self.title = title
    self.tensors = tensors
  }

  /// The key of the fact that says whose the Megatron names are.
  static let namesFact = "megatron_names"

  mutating func add(_ label: String, _ key: String, _ value: JSON?) {
    if let value { facts.append(Fact(label: label, key: key, value: value)) }
  }

  /// How many tensors of each type there are, the type with the most bytes first.
  public var types: [(dtype: DType, tensors: Int, elements: Int, bytes: Int)] {
    var found: [DType: (tensors: Int, elements: Int, bytes: Int)] = [:]
    for tensor in tensors.tensors {
      let old = found[tensor.dtype] ?? (0, 0, 0)
      found[tensor.dtype] = (
        old.tensors + 1, old.elements + (tensor.shape.checkedCount ?? 0),
        old.bytes + tensor.byteCount
      )
    }
    return found.map { ($0, $1.tensors, $1.elements, $1.bytes) }
      .sorted { ($1.bytes, $0.dtype.rawValue) < ($0.bytes, $1.dtype.rawValue) }
  }

  public var tensorBytes: Int { tensors.tensors.reduce(0) { $0 + $1.byteCount } }
}

extension Inspection {
  /// Looks at anything `StoredThing` recognises.
  ///
  /// - Throws: what opening throws; a configuration that is not supported is a note, no error.
  public init(_ thing: StoredThing) throws {
    switch thing {
    case .huggingFace(let folder): try self.init(huggingFace: folder)
    case .safetensors(let path):
      let file = try SafeTensorsFile(path)
      self.init(
        path: path, format: "safetensors", title: "safetensors file", tensors: TensorSet(file))
      files = [File(name: Folder.name(path), bytes: file.size)]
      parameters = Self.elements(tensors)
      for (name, value) in file.header.metadata { add("metadata \(name)", name, .string(value)) }
    case .torch(let path): try self.init(torch: path)
    case .megatron(let run): try self.init(megatron: run)
    }
  }

  static func elements(
    _ tensors: TensorSet, where isCounted: (String) -> Bool = { _ in true }
  ) -> Int {
    tensors.tensors.reduce(0) { $0 + (isCounted($1.name) ? $1.shape.checkedCount ?? 0 : 0) }
  }

  // MARK: Hugging Face

  /// Looks at a model of which the headers of the weights are there at least.
  public init(_ found: FoundModel) throws {
    try self.init(huggingFace: found.folder, arriving: found.arriving?.files ?? [])
    guard let arriving = found.arriving else { return }
    path =
      "hf://\(arriving.reference.repository.name)"
      + (arriving.reference.revision.map { "@\($0)" } ?? "")
    title = "Hugging Face repository"
    add("commit", "commit", .string(arriving.commit))
    add("in the cache", "cached_bytes", .integer(arriving.found))
  }

  private init(huggingFace folder: String, arriving: [SafeTensorsFile] = []) throws {
    let entries = (Folder.entries(folder) ?? []) + arriving.map { Folder.name($0.path) }
    let hasWeights = entries.contains {
      $0.hasSuffix(".safetensors") || $0 == ShardedFolder.indexName
    }
    let weights = hasWeights ? try ShardedFolder(folder, arriving: arriving) : nil
    self.init(
      path: folder, format: "huggingface", title: "Hugging Face folder",
      tensors: weights.map { TensorSet($0) } ?? TensorSet([]))
    files = (weights?.files ?? []).map { File(name: Folder.name($0.path), bytes: $0.size) }
    if weights == nil { notes.append("It has no safetensors weights.") }
    guard Folder.isFile("\(folder)/config.json") else {
      notes.append("It has no config.json, so nothing says what model the tensors are.")
      parameters = Self.elements(tensors)
      return
    }
    let configuration = try HuggingFaceModel.configuration(in: folder)
    architecture = configuration["architectures"]?.array?.first?.string
    do throws(ConfigError) {
      let found = try Registry.blueprint(
        configuration, isStored: weights.map { weights in { weights[$0] != nil } })
      add(found.blueprint)
      add("Megatron names", Self.namesFact, .string(found.architecture.origin.rawValue))
    } catch {
      notes.append("Not convertible: \(error)")
      if case .unread = error, let found = try? Registry.blueprint(configuration, isStrict: false) {
        add(found.blueprint)
      } else {
        parameters = Self.elements(tensors)
      }
    }
    add(
      "type in config.json", "torch_dtype", configuration["torch_dtype"] ?? configuration["dtype"])
  }

  private mutating func add(_ blueprint: Blueprint) {
    let frame = blueprint.frame
    let counts = blueprint.counts
    // Predictors that the files leave out are not there to be counted.
    let lacksPredictors =
      counts.predictors > 0
      && blueprint.slots.contains { placed in
        placed.isPredictor && placed.slot.parts.contains { tensors[$0.name] == nil }
      }
    parameters = counts.parameters - (lacksPredictors ? counts.predictors : 0)
    if counts.active != counts.parameters - counts.predictors { activeParameters = counts.active }
    add("layers", "layers", .integer(frame.depth))
    add("width", "width", .integer(frame.width))
    add("vocabulary", "vocabulary", .integer(frame.vocabulary))
    add("quantised", "quantisation", blueprint.quantisation.map { .string($0.method) })
    add("context", "context", frame.positions.map { .integer($0) })
    add("output tied to embedding", "tied", .bool(frame.isTied))
  }

  // MARK: torch.save

  private init(torch path: String) throws {
    let file = try TorchFile(path: path)
    self.init(
      path: path, format: "torch_file", title: "file of torch.save", tensors: try TensorSet(file))
    files = [File(name: Folder.name(path), bytes: Folder.size(path) ?? 0)]
    let value = try file.pickle()
    switch file {
    case .archive: add("container", "container", .string("zip"))
    case .legacy: add("container", "container", .string("legacy (before PyTorch 1.6)"))
    }
    add("holds", "object", .string(value.kind))
    if let items = value.dictionary?.items {
      let names = items.compactMap(\.key.string)
      add("keys", "keys", .array(names.prefix(50).map { .string($0) }))
      let holders = Set(tensors.names.map { $0.prefix { $0 != "." } })
      objects = names.filter { tensors[$0] == nil && !holders.contains($0.prefix { $0 != "." }) }
    }
    parameters = Self.elements(tensors)
  }
}
