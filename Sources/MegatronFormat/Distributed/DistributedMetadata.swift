import Tensors

/// What the `.metadata` file of a distributed checkpoint says: which tensors and byte objects there
/// are, of which chunks they consist, and where each chunk's bytes lie.
///
/// A plain value, read from and written to the pickle. It is not the checkpoint: it opens no
/// `.distcp` file (`DistributedCheckpoint` does).
public struct DistributedMetadata: Equatable, Sendable {
  /// A stretch of a file beside `.metadata`.
  public struct Storage: Equatable, Sendable {
    public var file: String
    public var offset: Int
    public var length: Int

    public init(file: String, offset: Int, length: Int) {
      self.file = file
      self.offset = offset
      self.length = length
    }
  }

  /// A box of a tensor, and the item that holds it.
  public struct Chunk: Equatable, Sendable {
    public var offsets: [Int]
    public var sizes: [Int]
    public var storage: Storage

    public init(offsets: [Int], sizes: [Int], storage: Storage) {
      self.offsets = offsets
      self.sizes = sizes
      self.storage = storage
    }
  }

  public struct Tensor: Equatable, Sendable {
    public var dtype: DType
    public var shape: Shape
    /// In the order of the file, which is that of the ranks that wrote them.
    public var chunks: [Chunk]
    /// The shape before a distributed optimizer flattened its local parts (Megatron-Core to 0.15):
    /// then `shape` is the grid of the parts and, last, the elements of one part.
    public var flattenedFrom: Shape?

    public init(dtype: DType, shape: Shape, chunks: [Chunk], flattenedFrom: Shape? = nil) {
      self.dtype = dtype
      self.shape = shape
      self.chunks = chunks
      self.flattenedFrom = flattenedFrom
    }

    /// The shape of the tensor as its user knows it, which is that before flattening.
    public var wholeShape: Shape { flattenedFrom ?? shape }
  }

  /// One step of the path that a plain `torch.distributed.checkpoint.save` flattened to a key.
  public enum PathStep: Equatable, Sendable {
    case name(String)
    case index(Int)
  }

  /// Tensors and objects, in the order of the file.
  public var keys: [String] = []
  public var tensors: [String: Tensor] = [:]
  public var objects: [String: Storage] = [:]
  /// The nested path of each key; empty in what Megatron writes.
  public var paths: [String: [PathStep]] = [:]
  /// The version PyTorch 2.9 and later state, `1.0.0`.
  public var version: String?

  public init() {}

  /// Reads a `.metadata` file's bytes; `file` names it in errors.
  ///
  /// - Throws: `MegatronError.pickle`, `.malformedMetadata`, `.unsupportedTransforms`, or
  ///   `.badChunks` with everything that does not add up.
  public init(decoding bytes: [UInt8], file: String) throws(MegatronError) {
    var outline = Outline()
    try self.init(decoding: bytes, file: file, &outline)
  }

  /// What is known when all has just been read, and would else have to be looked up key by key.
  struct Outline {
    /// In the order of the file.
    var tensorKeys: [String] = []
    var objectKeys: [String] = []
    /// The files, and where the last item of each ends: behind every file if an item is nowhere.
    var extents: [(file: String, end: Int)] = []
  }

  init(decoding bytes: [UInt8], file: String, _ outline: inout Outline) throws(MegatronError) {
    var reader = try MetadataReader(bytes, file: file)
    self = try reader.read()
    // The reader looks at each tensor while it is at hand; here each would be looked up again.
    let faults = reader.faults + (reader.hasIrregular ? tilingFaults() : [])
    if !faults.isEmpty { throw .badChunks(file: file, faults) }
    outline = reader.outline
  }

  /// The names of all files that hold items, sorted.
  public var files: [String] {
    var names = Set<String>()
    for tensor in tensors.values { for chunk in tensor.chunks { names.insert(chunk.storage.file) } }
    for storage in objects.values { names.insert(storage.file) }
    return names.sorted()
  }

  /// Everything that is wrong with where the items are said to lie.
  ///
  /// - Parameter fileSize: gives a file's size, or `nil` if it is not there.
  func storageFaults(fileSize: (String) -> Int?) -> [ChunkFault] {
    var sizes: [String: Int?] = [:]
    var faults: [ChunkFault] = []
    func check(_ key: String, _ storage: Storage) {
      let name = storage.file
      guard Self.isFileName(name) else {
        faults.append(.unsafeName(key: key, name: name))
        return
      }
      let size = sizes[name] ?? fileSize(name)
      sizes[name] = .some(size)
      guard let size else {
        faults.append(.missingFile(key: key, name: name))
        return
      }
      let (end, overflow) = storage.offset.addingReportingOverflow(storage.length)
      if storage.offset < 0 || storage.length < 0 || overflow || end > size {
        faults.append(
          .beyondFile(
            key: key, name: name, offset: storage.offset, length: storage.length, size: size))
      }
    }
    for key in keys {
      if let storage = objects[key] { check(key, storage) }
      for chunk in tensors[key]?.chunks ?? [] { check(key, chunk.storage) }
    }
    return faults
  }

  /// Whether a name is that of a file in the folder itself.
  static func isFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/"))
      && !name.utf8.contains(0)
  }
}
