import Architectures
import Blueprint
import MegatronFormat
import SafeTensors
import Synchronization
import Tensors

/// The named tensors of anything that holds some, whatever its format: for listing and comparing.
///
/// It holds places, no data, and nothing of what the names mean.
public struct TensorSet: Sendable {
  public struct Tensor: Sendable {
    public let name: String
    public let dtype: DType
    public let shape: Shape
    /// How many pieces it is stored in.
    public let pieces: Int
    /// The name under which `locate` knows the tensor.
    private let key: String
    private let locate: @Sendable (_ key: String) throws -> ByteRuns

    /// - Parameter locate: is given the name and says where the bytes lie; one closure for all
    ///   tensors of a checkpoint costs less than one for each.
    package init(
      name: String, dtype: DType, shape: Shape, pieces: Int,
      locate: @escaping @Sendable (_ key: String) throws -> ByteRuns
    ) {
      self.name = name
      self.dtype = dtype
      self.shape = shape
      self.pieces = pieces
      key = name
      self.locate = locate
    }

    fileprivate init(_ tensor: Tensor, name: String) {
      self.name = name
      dtype = tensor.dtype
      shape = tensor.shape
      pieces = tensor.pieces
      key = tensor.key
      locate = tensor.locate
    }

    /// Where the row-major bytes lie; opens the file if it is not open.
    public func runs() throws -> ByteRuns { try locate(key) }

    /// The size by type and shape, which opening has checked.
    public var byteCount: Int { shape.checkedByteCount(dtype) ?? 0 }
  }

  /// In the order of the files.
  public let tensors: [Tensor]
  private let index = NameIndex()

  /// Readers refuse files in which a name occurs twice, so names are taken to be different.
  public init(_ tensors: [Tensor]) { self.tensors = tensors }

  public subscript(name: String) -> Tensor? {
    index.position(of: name, in: tensors).map { tensors[$0] }
  }

  public var names: [String] { tensors.map(\.name) }

  /// Where each name stands; made when first asked for, which a mere listing never does.
  private final class NameIndex: Sendable {
    private let positions = Mutex<[String: Int]?>(nil)

    func position(of name: String, in tensors: [Tensor]) -> Int? {
      positions.withLock { positions in
        if let positions { return positions[name] }
        let made = Dictionary(
          zip(tensors.lazy.map(\.name), tensors.indices), uniquingKeysWith: { first, _ in first })
        positions = made
        return made[name]
      }
    }
  }

  /// The same tensors under other names; those that get none are left out.
  func renamed(_ rename: (String) -> String?) -> TensorSet {
    TensorSet(
      tensors.compactMap { tensor in rename(tensor.name).map { Tensor(tensor, name: $0) } })
  }
}

extension TensorSet {
  /// One safetensors file.
  public init(_ file: SafeTensorsFile) {
    let locate = { @Sendable (name: String) in try file.runs(of: name) }
    self.init(
      file.header.tensors.map { entry in
        Tensor(
          name: entry.name, dtype: entry.dtype, shape: entry.shape, pieces: 1, locate: locate)
      })
  }

  /// The weights of a Hugging Face folder.
  public init(_ folder: ShardedFolder) {
    self.init(folder.files.flatMap { TensorSet($0).tensors })
  }

  /// The tensors of a distributed checkpoint under their keys as they stand, without `_extra_state`.
  public init(_ checkpoint: DistributedCheckpoint) {
    let locate = { @Sendable (key: String) in try checkpoint.tensor(key).runs() }
    self.init(
      checkpoint.tensorKeys.compactMap { key in
        guard !MegatronModel.isExtraState(key), let tensor = checkpoint.metadata.tensors[key] else {
          return nil
        }
        return Tensor(
          name: key, dtype: tensor.dtype, shape: tensor.wholeShape, pieces: tensor.chunks.count,
          locate: locate)
      })
  }

  /// The tensors in a file that `torch.save` wrote.
  public init(_ file: TorchFile) throws(TorchFileError) {
    self.init(
      try file.tensors().map { path, tensor in
        Tensor(name: path, dtype: tensor.dtype, shape: tensor.shape, pieces: 1) { _ in tensor.runs()
        }
      })
  }

  /// A Megatron checkpoint's weights under Hugging Face names, as the blueprint maps them.
  ///
  /// - Parameter unused: gets the keys of the checkpoint that the blueprint does not know.
  init(_ blueprint: Blueprint, _ model: MegatronModel, unused: inout [String]) throws {
    let carried = try SourceRecord.read(from: model.folder)?.carried
    let besides = carried.map { TensorSet($0) } ?? TensorSet([])
    let stored = try StoredTensors(
      blueprint, model, besides: Set(besides.names), isStrict: false)
    var used: Set<String> = []
    var found: [Tensor] = []
    for name in stored.names + blueprint.everyDuplicate.keys.sorted() {
      guard let origin = stored.origins[name] else { continue }
      used.formUnion(origin.slot.pieces.map(\.piece.key))
      if let original = besides[name],
        try origin.isMade(from: original.runs(), dtype: original.dtype)
      {
        found.append(original)
        continue
      }
      found.append(
        Tensor(
          name: name, dtype: origin.slot.dtype, shape: origin.shape,
          pieces: origin.slot.pieces.reduce(0) { $0 + $1.tensor.chunkCount }
        ) { _ in try origin.slot.runs(part: origin.part) })
    }
    found += besides.tensors.filter { stored.origins[$0.name] == nil }
    // Constants that have changed are nothing a Hugging Face model could hold.
    used.formUnion(stored.constants)
    unused = model.tensors.keys.filter { !used.contains($0) }.sorted()
    self.init(found)
  }
}

/// A file that `torch.save` wrote, in either of its containers.
public enum TorchFile: Sendable {
  case archive(TorchZip)
  case legacy(LegacyTorchFile)

  /// Opens a file; an archive begins with a zip record, anything else must be of the older form.
  public init(path: String) throws(TorchFileError) {
    let file: InputFile
    do throws(FileError) { file = try InputFile(path) } catch { throw .file(error) }
    if LegacyTorchFile.matches(file) {
      self = .legacy(try LegacyTorchFile(path: path))
    } else {
      self = .archive(try TorchZip(file: file, range: 0..<file.size))
    }
  }

  /// The object in the file; classes that are not known stay names.
  public func pickle() throws(TorchFileError) -> PickleValue {
    switch self {
    case .archive(let archive): try archive.pickle(policy: .inert)
    case .legacy(let file): try file.pickle(policy: .inert)
    }
  }

  /// All tensors in the object's dictionaries and lists, by their keys joined with dots.
  public func tensors() throws(TorchFileError) -> [(path: String, tensor: StoredTensor)] {
    switch self {
    case .archive(let archive): try archive.tensors(in: try pickle())
    case .legacy(let file): try file.tensors(in: try pickle())
    }
  }
}
