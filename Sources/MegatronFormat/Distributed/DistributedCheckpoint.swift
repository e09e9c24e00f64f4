import Tensors

/// A distributed checkpoint folder (`.metadata` and `.distcp` files) open for reading.
///
/// Opening reads `.metadata` only and checks that everything adds up; items are opened when a region
/// of their tensor is asked for. It knows nothing of what the keys mean.
public struct DistributedCheckpoint: Sendable {
  public let folder: String
  public let metadata: DistributedMetadata
  public let tensors: [String: DistributedTensor]
  let store: ItemStore
  private let objectItems: [String: Int]

  /// The names of tensors and objects, in the order of `.metadata`.
  public var keys: [String] { metadata.keys }
  /// The names of byte objects, in the order of `.metadata`.
  public var objectKeys: [String] { metadata.keys.filter { objectItems[$0] != nil } }

  /// Opens a folder.
  ///
  /// - Throws: `MegatronError.file` if there is no `.metadata`, else what
  ///   `DistributedMetadata.init(decoding:file:)` throws; `.badChunks` also for files that are
  ///   missing or too short.
  public init(folder: String) throws(MegatronError) {
    let path = folder + "/.metadata"
    let bytes: [UInt8]
    do throws(FileError) { bytes = try InputFile(path).readAll() } catch { throw .file(error) }
    let metadata = try DistributedMetadata(decoding: bytes, file: path)
    let faults = metadata.storageFaults { name in
      if case .file(let size)? = Folder.kind(folder + "/" + name) { size } else { nil }
    }
    if !faults.isEmpty { throw .badChunks(file: path, faults) }
    Folder.raiseOpenFileLimit()

    var items: [ItemStore.Item] = []
    var chunkStart: [String: Int] = [:]
    var objectItems: [String: Int] = [:]
    for key in metadata.keys {
      if let storage = metadata.objects[key] {
        objectItems[key] = items.count
        items.append(.init(key: key, storage: storage, tensor: nil))
      } else if let tensor = metadata.tensors[key] {
        chunkStart[key] = items.count
        for chunk in tensor.chunks {
          items.append(
            .init(key: key, storage: chunk.storage, tensor: (tensor.dtype, chunk.sizes)))
        }
      }
    }
    let store = ItemStore(folder: folder, items: items)
    var tensors: [String: DistributedTensor] = [:]
    tensors.reserveCapacity(chunkStart.count)
    for (key, tensor) in metadata.tensors {
      let first = chunkStart[key] ?? 0
      tensors[key] = DistributedTensor(
        key: key, dtype: tensor.dtype, shape: tensor.flattenedFrom ?? tensor.shape,
        chunkCount: tensor.chunks.count, parts: Self.parts(tensor, first: first), store: store)
    }
    self.folder = folder
    self.metadata = metadata
    self.tensors = tensors
    self.store = store
    self.objectItems = objectItems
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
    guard let item = objectItems[key] else { throw .unknownKey(folder: folder, key: key) }
    return try store.archive(store.items[item])
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

  private static func parts(
    _ tensor: DistributedMetadata.Tensor, first: Int
  ) -> [DistributedTensor.Part] {
    let filled = tensor.chunks.indices.filter { !tensor.chunks[$0].sizes.contains(0) }
    guard let original = tensor.flattenedFrom,
      let flattened = FlattenedParts(grid: tensor.shape, original: original)
    else {
      return filled.map { index in
        let chunk = tensor.chunks[index]
        return .init(offsets: chunk.offsets, sizes: chunk.sizes, chunks: .whole(first + index))
      }
    }
    // A chunk lies in one part of the grid, because the sizes of a flattened chunk are 1 there.
    let places = Dictionary(grouping: filled) { Array(tensor.chunks[$0].offsets.dropLast()) }
    return places.map { place, chunks in
      let ordered = chunks.sorted {
        (tensor.chunks[$0].offsets.last ?? 0) < (tensor.chunks[$1].offsets.last ?? 0)
      }
      return .init(
        offsets: zip(place, flattened.partSizes).map { $0 * $1 }, sizes: flattened.partSizes,
        chunks: .flattened(ordered.map { first + $0 }))
    }
  }
}
