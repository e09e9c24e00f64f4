import Tensors

/// A distributed checkpoint folder (`.metadata` and `.distcp` files) open for reading.
///
/// Opening reads `.metadata` only and checks that everything adds up; items are opened when a region
/// of their tensor is asked for. It knows nothing of what the keys mean.
public struct DistributedCheckpoint: Sendable {
  public let folder: String
  public let metadata: DistributedMetadata
  let store: ItemStore
  /// The names of the files that hold items, sorted.
  public let files: [String]
  /// The names of byte objects, in the order of `.metadata`.
  public let objectKeys: [String]
  /// The names of tensors, in the order of `.metadata`.
  public let tensorKeys: [String]

  /// The names of tensors and objects, in the order of `.metadata`.
  public var keys: [String] { metadata.keys }
  public var tensors: DistributedTensors { DistributedTensors(metadata, store) }

  /// Opens a folder.
  ///
  /// - Throws: `MegatronError.file` if there is no `.metadata`, else what
  ///   `DistributedMetadata.init(decoding:file:)` throws; `.badChunks` also for files that are
  ///   missing or too short.
  public init(folder: String) throws(MegatronError) {
    let path = folder + "/.metadata"
    let bytes: [UInt8]
    do throws(FileError) { bytes = try InputFile(path).readAll() } catch { throw .file(error) }
    var outline = DistributedMetadata.Outline()
    let metadata = try DistributedMetadata(decoding: bytes, file: path, &outline)
    let fileSize = { (name: String) -> Int? in
      if case .file(let size)? = Folder.kind(folder + "/" + name) { size } else { nil }
    }
    // Which items are affected is asked only where a file is not as it must be.
    let isWhole = outline.extents.allSatisfy {
      DistributedMetadata.isFileName($0.file) && $0.end <= fileSize($0.file) ?? -1
    }
    if !isWhole { throw .badChunks(file: path, metadata.storageFaults(fileSize: fileSize)) }
    Folder.raiseOpenFileLimit()

    self.folder = folder
    self.metadata = metadata
    files = outline.extents.map(\.file).sorted()
    objectKeys = outline.objectKeys
    tensorKeys = outline.tensorKeys
    store = ItemStore(folder: folder)
  }

  /// A tensor.
  ///
  /// - Throws: `MegatronError.unknownKey`.
  public func tensor(_ key: String) throws(MegatronError) -> DistributedTensor {
    guard let tensor = tensors[key] else { throw .unknownKey(folder: folder, key: key) }
    return tensor
  }

  /// Reads a byte object, inert.
  ///
  /// Megatron wraps every object in a list of one and gives its key the ending
  /// `/shard_<position>_<shape>`; under such a key the list's element is returned. Any other key
  /// (plain `torch.distributed.checkpoint.save`) gives the object as it was saved.
  ///
  /// - Throws: `MegatronError.unknownKey`, `.wrongItem` or `.torchFile`.
  public func object(_ key: String) throws(MegatronError) -> PickleValue {
    let archive = try objectArchive(key)
    let value: PickleValue
    do throws(TorchFileError) { value = try archive.pickle(policy: .inert) } catch {
      throw .torchFile(error)
    }
    guard Self.isMegatronObject(key) else { return value }
    guard case .list(let list) = value, list.items.count == 1 else {
      let storage = metadata.objects[key]
      throw .wrongItem(
        file: folder + "/" + (storage?.file ?? ""), offset: storage?.offset ?? 0, key: key,
        expected: "a list of one object", found: value.kind)
    }
    return list.items[0]
  }

  /// The torch.save archive of a byte object, to read the tensors inside it.
  public func objectArchive(_ key: String) throws(MegatronError) -> TorchZip {
    guard let storage = metadata.objects[key] else {
      throw .unknownKey(folder: folder, key: key)
    }
    return try store.archive(.init(key: key, storage: storage, tensor: nil))
  }

  /// Whether a key is that of one shard of a Megatron `ShardedObject`: `…/shard_0.1_2.2`.
  ///
  /// Old files may lack the last number.
  public static func isMegatronObject(_ key: String) -> Bool {
    guard let slash = key.utf8.lastIndex(of: UInt8(ascii: "/")) else { return false }
    let name = key[key.index(after: slash)...]
    let numbers = name.utf8.dropFirst(6)
    return name.hasPrefix("shard_") && !numbers.isEmpty
      && numbers.allSatisfy {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: ".")
          || $0 == UInt8(ascii: "_")
      }
  }
}
