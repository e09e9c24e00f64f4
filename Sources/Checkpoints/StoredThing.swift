import Hub
import MegatronFormat
import SafeTensors
import Tensors

/// What a path or model reference that a user gave turns out to be; nothing of it is opened yet.
public enum StoredThing: Sendable {
  /// A Hugging Face folder; its configuration may be missing.
  case huggingFace(folder: String)
  case safetensors(path: String)
  /// A file that `torch.save` wrote.
  case torch(path: String)
  case megatron(RunFolder)

  /// Recognises a folder or file by what is in it, or has a reference brought from the hub.
  ///
  /// - Parameter need: what is needed of a reference.
  /// - Throws: `ConversionError.modelNotFound`, `.notFound`, `.unreadable`, `.notYet`; `MegatronError` for a folder
  ///   that holds none of these; `HubError`.
  public init(_ text: String, revision: String? = nil, need: HubNeed = .model) throws {
    if Folder.isFolder(text) {
      self = try Self.folder(Folder.absolute(text))
    } else if Folder.exists(text) {
      self = try Self.file(Folder.absolute(text))
    } else {
      self = .huggingFace(folder: try ModelReference(text, revision: revision).folder(need))
    }
  }

  public var path: String {
    switch self {
    case .huggingFace(let path), .safetensors(let path), .torch(let path): path
    case .megatron(let run): run.path
    }
  }

  private static func folder(_ path: String) throws -> StoredThing {
    let entries = Folder.entries(path) ?? []
    if entries.contains("config.json"), !entries.contains(".metadata") {
      return .huggingFace(folder: path)
    }
    do throws(MegatronError) {
      return .megatron(try RunFolder(resolving: path))
    } catch {
      guard case .nothingFound = error else { throw error }
      if entries.contains(where: { $0.hasSuffix(".safetensors") }) {
        return .huggingFace(folder: path)
      }
      throw error
    }
  }

  private static func file(_ path: String) throws -> StoredThing {
    let name = Folder.name(path)
    if name == ".metadata" || name.hasSuffix(".distcp") {
      return try folder(Folder.parent(path))
    }
    let file = try InputFile(path)
    let head = try file.read(0..<min(16, file.size))
    if head.starts(with: [0x89] + Array("HDF\r\n".utf8)) {
      throw ConversionError.notYet(
        "\(path) is an HDF5 file, which `convert compare` reads beside another one and nothing else "
          + "does. Give a safetensors file, a .pt file or a checkpoint's folder.")
    }
    if name.hasSuffix(".safetensors") || head.count > 8 && head[8] == UInt8(ascii: "{") {
      return .safetensors(path: path)
    }
    if head.starts(with: Array("PK".utf8)) || LegacyTorchFile.matches(file) {
      return .torch(path: path)
    }
    throw ConversionError.unreadable(path: path)
  }
}

extension StoredThing {
  /// The tensors under their names as stored.
  ///
  /// - Throws: what opening throws; `ConversionError.notYet` for Megatron's older formats.
  func tensors() throws -> TensorSet {
    switch self {
    case .huggingFace(let folder): TensorSet(try ShardedFolder(folder))
    case .safetensors(let path): TensorSet(try SafeTensorsFile(path))
    case .torch(let path): try TensorSet(try TorchFile(path: path))
    case .megatron(let run): TensorSet(try run.openDistributed())
    }
  }
}

extension RunFolder {
  /// Refuses Megatron's older formats.
  ///
  /// - Throws: `ConversionError.notYet`.
  public func requireDistributed() throws(ConversionError) {
    switch format {
    case .torchDist, .plainDCP, .nemo2: return
    case .legacyTorch, .zarr:
      throw .notYet(
        "\(folder) is a Megatron checkpoint in the format \(format.title), whose tensors this version "
          + "does not read. Save it as torch_dist with Megatron (--ckpt-convert-format torch_dist)."
      )
    }
  }

  /// Opens the distributed checkpoint.
  ///
  /// - Throws: `ConversionError.notYet` if it is none.
  func openDistributed() throws -> DistributedCheckpoint {
    try requireDistributed()
    return try DistributedCheckpoint(folder: weights)
  }
}

extension RunFolder.Format {
  /// The format's name as Megatron's `--ckpt-format` spells it, or in words.
  public var title: String {
    switch self {
    case .torchDist: "torch_dist"
    case .plainDCP: "torch.distributed.checkpoint"
    case .legacyTorch: "torch"
    case .zarr: "zarr"
    case .nemo2: "NeMo 2"
    }
  }
}
