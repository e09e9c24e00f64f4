import Tensors

/// What a distributed checkpoint will be on disk, before any byte of it is written.
///
/// Add tensors chunk by chunk and byte objects, then `finish()`: that gives every item its place.
/// It moves no tensor bytes: whoever has them writes prefix, data and suffix of each item there.
public struct DistributedWritePlan: Sendable {
  private struct TensorItem: Sendable {
    let key: String
    let dtype: DType
    let shape: Shape
    let offsets: [Int]
    let sizes: Shape
    let file: String
    let archive: TorchItem
  }

  private struct ItemKind: Hashable {
    let dtype: DType
    let sizes: Shape
  }

  private var tensorItems: [TensorItem] = []
  /// Other keys of tensors' chunks.
  private var aliases: [(key: String, item: Int)] = []
  private var objects: [(key: String, bytes: [UInt8], file: String)] = []
  private var keys: [String] = []
  private var known: [String: Int] = [:]
  /// What stands around the data depends on its dtype and sizes only: items of a kind share it.
  private var archives: [ItemKind: TorchItem] = [:]

  public init() {}

  /// The name of a rank's file: `__0_0.distcp`.
  public static func fileName(rank: Int, part: Int = 0) -> String { "__\(rank)_\(part).distcp" }

  /// Adds one chunk of a tensor.
  ///
  /// - Parameters:
  ///   - shape: the global shape, the same for all chunks of a key.
  ///   - offsets: the chunk's first element on each axis.
  ///   - sizes: the chunk's shape.
  /// - Returns: the item's index in `DistributedLayout.items`.
  /// - Throws: `MegatronError.torchFile` for a type that PyTorch does not have.
  @discardableResult
  public mutating func add(
    tensor key: String, dtype: DType, shape: Shape, offsets: [Int], sizes: Shape, file: String
  ) throws(MegatronError) -> Int {
    let kind = ItemKind(dtype: dtype, sizes: sizes)
    let archive: TorchItem
    if let known = archives[kind] {
      archive = known
    } else {
      do throws(TorchFileError) { archive = try TorchItem(dtype: dtype, shape: sizes) } catch {
        throw .torchFile(error)
      }
      archives[kind] = archive
    }
    if let first = known[key] {
      // The same key must mean the same tensor; a byte object has the index -1.
      precondition(first >= 0 && tensorItems[first].dtype == dtype)
      precondition(tensorItems[first].shape == shape)
    } else {
      known[key] = tensorItems.count
      keys.append(key)
    }
    tensorItems.append(
      TensorItem(
        key: key, dtype: dtype, shape: shape, offsets: offsets, sizes: sizes, file: file,
        archive: archive))
    return tensorItems.count - 1
  }

  /// Gives a chunk a place under another key too, where the same bytes serve: they are written once, and readers
  /// find them under either.
  ///
  /// - Parameter item: the chunk's index, which `add` returned.
  public mutating func add(alias key: String, of item: Int) {
    if known[key] == nil {
      known[key] = item
      keys.append(key)
    }
    aliases.append((key, item))
  }

  /// Adds a byte object: a whole torch.save archive.
  public mutating func add(object key: String, bytes: [UInt8], file: String) {
    precondition(known[key] == nil)
    known[key] = -1
    keys.append(key)
    objects.append((key, bytes, file))
  }

  /// Places all items: in each file first the objects, then the tensors, in the order added.
  ///
  /// - Throws: `MegatronError.badChunks` if the chunks of a tensor do not tile it exactly.
  public func finish() throws(MegatronError) -> DistributedLayout {
    var ends: [String: Int] = [:]
    var fileOrder: [String] = []
    func place(_ length: Int, in file: String) -> DistributedMetadata.Storage {
      let offset = ends[file] ?? 0
      if ends.updateValue(offset + length, forKey: file) == nil { fileOrder.append(file) }
      return .init(file: file, offset: offset, length: length)
    }
    var metadata = DistributedMetadata()
    metadata.keys = keys
    metadata.version = "1.0.0"
    var placedObjects: [DistributedLayout.Object] = []
    for object in objects {
      let storage = place(object.bytes.count, in: object.file)
      metadata.objects[object.key] = storage
      placedObjects.append(
        .init(key: object.key, file: object.file, offset: storage.offset, bytes: object.bytes))
    }
    var items: [DistributedLayout.Item] = []
    items.reserveCapacity(tensorItems.count)
    var chunks: [String: [DistributedMetadata.Chunk]] = [:]
    for item in tensorItems {
      let storage = place(item.archive.totalLength, in: item.file)
      chunks[item.key, default: []].append(
        .init(offsets: item.offsets, sizes: item.sizes.dimensions, storage: storage))
      items.append(
        .init(
          key: item.key, dtype: item.dtype, offsets: item.offsets, sizes: item.sizes,
          file: item.file, offset: storage.offset, archive: item.archive))
    }
    for (key, index) in aliases {
      let item = tensorItems[index]
      let storage = DistributedMetadata.Storage(
        file: item.file, offset: items[index].offset, length: item.archive.totalLength)
      chunks[key, default: []].append(
        .init(offsets: item.offsets, sizes: item.sizes.dimensions, storage: storage))
    }
    let named = tensorItems.map { ($0.key, $0) } + aliases.map { ($0.key, tensorItems[$0.item]) }
    for (key, item) in named where metadata.tensors[key] == nil {
      metadata.tensors[key] = .init(
        dtype: item.dtype, shape: item.shape, chunks: chunks[key] ?? [])
    }
    let faults = metadata.tilingFaults()
    if !faults.isEmpty { throw .badChunks(file: ".metadata to be written", faults) }
    return DistributedLayout(
      items: items, objects: placedObjects,
      files: fileOrder.map { (name: $0, size: ends[$0] ?? 0) }, metadata: metadata)
  }
}

/// Where every item of a planned checkpoint goes.
public struct DistributedLayout: Sendable {
  /// One chunk of a tensor, to be written as a torch.save archive.
  public struct Item: Sendable {
    public let key: String
    public let dtype: DType
    /// The chunk's place in the tensor, and its shape.
    public let offsets: [Int]
    public let sizes: Shape
    public let file: String
    /// The archive's first byte in the file.
    public let offset: Int
    /// The archive around the data: its prefix, the chunk's `dataLength` bytes at
    /// `offset + archive.dataOffset`, its suffix.
    public let archive: TorchItem
  }

  /// A byte object, to be written as it is.
  public struct Object: Sendable {
    public let key: String
    public let file: String
    public let offset: Int
    public let bytes: [UInt8]
  }

  /// By the indices that `DistributedWritePlan.add` returned.
  public let items: [Item]
  public let objects: [Object]
  /// Every file and its final size, in the order in which files were first named.
  public let files: [(name: String, size: Int)]
  public let metadata: DistributedMetadata

  /// The bytes of the checkpoint's `.metadata` file, which is to be written last.
  public func encodedMetadata() -> [UInt8] { metadata.encoded() }
}
