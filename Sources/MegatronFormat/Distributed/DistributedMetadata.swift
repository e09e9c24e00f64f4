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
    var reader = try MetadataReader(bytes, file: file)
    self = try reader.read()
    let faults = reader.faults + tilingFaults()
    if !faults.isEmpty { throw .badChunks(file: file, faults) }
  }

  /// The names of all files that hold items, sorted.
  public var files: [String] {
    var names = Set<String>()
    for tensor in tensors.values { for chunk in tensor.chunks { names.insert(chunk.storage.file) } }
    for storage in objects.values { names.insert(storage.file) }
    return names.sorted()
  }

  /// Everything that is wrong with where the items are said to lie, in the order of the keys.
  ///
  /// - Parameter fileSize: gives a file's size, or `nil` if it is not there.
  func storageFaults(fileSize: (String) -> Int?) -> [ChunkFault] {
    var files = FileCheck()
    // Nearly always nothing is wrong, and then nothing has to be looked up by its key.
    var found: [String: [ChunkFault]] = [:]
    for (key, storage) in objects {
      if let fault = files.fault(key, storage, fileSize) { found[key] = [fault] }
    }
    for (key, tensor) in tensors {
      for chunk in tensor.chunks {
        if let fault = files.fault(key, chunk.storage, fileSize) {
          found[key, default: []].append(fault)
        }
      }
    }
    return found.isEmpty ? [] : keys.flatMap { found[$0] ?? [] }
  }

  /// Asks for each file once, and remembers the last, because items of a file follow each other.
  private struct FileCheck {
    private var sizes: [String: Int?] = [:]
    private var last: (name: String, size: Int?) = ("", nil)

    mutating func fault(
      _ key: String, _ storage: Storage, _ fileSize: (String) -> Int?
    ) -> ChunkFault? {
      let name = storage.file
      if name != last.name || name.isEmpty {
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")),
          !name.utf8.contains(0)
        else { return .unsafeName(key: key, name: name) }
        let size = sizes[name] ?? fileSize(name)
        sizes[name] = .some(size)
        last = (name, size)
      }
      guard let size = last.size else { return .missingFile(key: key, name: name) }
      let (end, overflow) = storage.offset.addingReportingOverflow(storage.length)
      guard storage.offset >= 0, storage.length >= 0, !overflow, end <= size else {
        return .beyondFile(
          key: key, name: name, offset: storage.offset, length: storage.length, size: size)
      }
      return nil
    }
  }
}
