import Tensors

extension DistributedMetadata {
  /// The `.metadata` file's bytes: what PyTorch since 2.4 and Megatron-Core since 0.9 load.
  ///
  /// Megatron's `all_local_plans` is a cache of its writer and is left out, as are `storage_meta`
  /// (names of the run that wrote it) and index hints, which readers do without.
  public func encoded() -> [UInt8] {
    var writer = MetadataWriter()
    return writer.write(self)
  }
}

/// Writes the object tree of `DistributedMetadata` as a pickle of protocol 4, byte by byte: tens of
/// thousands of chunks would make millions of tree nodes.
private struct MetadataWriter {
  private var bytes: [UInt8] = []
  /// Where texts, classes and sizes written before can be fetched from.
  private var memo: [Memorable: Int] = [:]

  private enum Memorable: Hashable {
    case text(String)
    case global(String, String)
    case size([Int])
    case properties(DType)
  }

  private static let module = "torch.distributed.checkpoint.metadata"

  private enum Opcode: UInt8 {
    case mark = 0x28  // (
    case emptyTuple = 0x29  // )
    case stop = 0x2E  // .
    case int4 = 0x4A  // J
    case int1 = 0x4B  // K
    case int2 = 0x4D  // M
    case none = 0x4E  // N
    case reduce = 0x52  // R
    case unicode4 = 0x58  // X
    case emptyList = 0x5D  // ]
    case build = 0x62  // b
    case appends = 0x65  // e
    case get1 = 0x68  // h
    case get4 = 0x6A  // j
    case setItem = 0x73  // s
    case tuple = 0x74  // t
    case setItems = 0x75  // u
    case emptyDictionary = 0x7D  // }
    case protocolVersion = 0x80
    case newObject = 0x81
    case tuple1 = 0x85
    case tuple2 = 0x86
    case tuple3 = 0x87
    case newFalse = 0x89
    case long1 = 0x8A
    case unicode1 = 0x8C
    case stackGlobal = 0x93
    case memoize = 0x94
  }

  mutating func write(_ metadata: DistributedMetadata) -> [UInt8] {
    let chunkCount = metadata.tensors.values.reduce(0) { $0 + $1.chunks.count }
    bytes.reserveCapacity(256 + 160 * (chunkCount + metadata.keys.count))
    emit(.protocolVersion)
    bytes.append(4)
    object("Metadata")
    emit(.emptyDictionary)
    emit(.mark)
    text("state_dict_metadata")
    dictionary(metadata.keys) { writer, key in
      writer.text(key)
      writer.entry(metadata, key)
    }
    text("planner_data")
    planner(metadata.paths)
    text("storage_data")
    dictionary(metadata.keys) { writer, key in writer.storages(metadata, key) }
    text("storage_meta")
    emit(.none)
    if let version = metadata.version {
      text("version")
      text(version)
    }
    let flattened = metadata.keys.filter { metadata.tensors[$0]?.flattenedFrom != nil }
    if !flattened.isEmpty {
      text("mcore_data")
      dictionary(flattened) { writer, key in
        writer.text(key)
        writer.dictionary(["nd_reformulated_orig_global_shape"]) { writer, name in
          writer.text(name)
          writer.tuple(metadata.tensors[key]?.flattenedFrom?.dimensions ?? [])
        }
      }
    }
    emit(.setItems)
    emit(.build)
    emit(.stop)
    return bytes
  }

  // MARK: Entries

  private mutating func entry(_ metadata: DistributedMetadata, _ key: String) {
    guard let tensor = metadata.tensors[key] else {
      object("BytesStorageMetadata")
      return
    }
    object("TensorStorageMetadata")
    emit(.emptyDictionary)
    emit(.mark)
    text("properties")
    properties(tensor.dtype)
    text("size")
    size(tensor.shape.dimensions)
    text("chunks")
    emit(.emptyList)
    emit(.mark)
    for chunk in tensor.chunks {
      object("ChunkStorageMetadata")
      emit(.emptyDictionary)
      emit(.mark)
      text("offsets")
      size(chunk.offsets)
      text("sizes")
      size(chunk.sizes)
      emit(.setItems)
      emit(.build)
    }
    emit(.appends)
    emit(.setItems)
    emit(.build)
  }

  private mutating func storages(_ metadata: DistributedMetadata, _ key: String) {
    if let storage = metadata.objects[key] {
      index(key, offsets: nil)
      info(storage)
    }
    for chunk in metadata.tensors[key]?.chunks ?? [] {
      index(key, offsets: chunk.offsets)
      info(chunk.storage)
    }
  }

  /// The class's default stands for a missing offset, as in PyTorch's own files.
  private mutating func index(_ key: String, offsets: [Int]?) {
    object("MetadataIndex")
    emit(.emptyDictionary)
    emit(.mark)
    text("fqn")
    text(key)
    if let offsets {
      text("offset")
      size(offsets)
    }
    text("index")
    emit(.none)
    emit(.setItems)
    emit(.build)
  }

  private mutating func info(_ storage: DistributedMetadata.Storage) {
    object("_StorageInfo", module: "torch.distributed.checkpoint.filesystem")
    emit(.emptyDictionary)
    emit(.mark)
    text("relative_path")
    text(storage.file)
    text("offset")
    integer(storage.offset)
    text("length")
    integer(storage.length)
    emit(.setItems)
    emit(.build)
  }

  /// (dtype, layout, requires_grad, memory format, pin_memory), set as a tuple.
  private mutating func properties(_ dtype: DType) {
    if fetch(.properties(dtype)) { return }
    object("TensorProperties")
    emit(.mark)
    global("torch", dtype.torchName ?? "uint8")
    global("torch.serialization", "_get_layout")
    text("torch.strided")
    emit(.tuple1)
    emit(.reduce)
    emit(.newFalse)
    global(Self.module, "_MEM_FORMAT_ENCODING")
    integer(0)
    emit(.tuple1)
    emit(.reduce)
    emit(.newFalse)
    emit(.tuple)
    emit(.build)
    remember(.properties(dtype))
  }

  private mutating func planner(_ paths: [String: [DistributedMetadata.PathStep]]) {
    if paths.isEmpty {
      emit(.none)
      return
    }
    dictionary(paths.keys.sorted()) { writer, key in
      writer.text(key)
      writer.emit(.mark)
      for step in paths[key] ?? [] {
        switch step {
        case .name(let name): writer.text(name)
        case .index(let index): writer.integer(index)
        }
      }
      writer.emit(.tuple)
    }
  }

  // MARK: Values

  private mutating func dictionary(
    _ keys: [String], _ item: (inout MetadataWriter, String) -> Void
  ) {
    emit(.emptyDictionary)
    if keys.isEmpty { return }
    emit(.mark)
    for key in keys { item(&self, key) }
    emit(.setItems)
  }

  private mutating func object(_ name: String, module: String = Self.module) {
    global(module, name)
    emit(.emptyTuple)
    emit(.newObject)
  }

  private mutating func global(_ module: String, _ name: String) {
    if fetch(.global(module, name)) { return }
    text(module)
    text(name)
    emit(.stackGlobal)
    remember(.global(module, name))
  }

  private mutating func size(_ dimensions: [Int]) {
    if fetch(.size(dimensions)) { return }
    global("torch", "Size")
    tuple(dimensions)
    emit(.tuple1)
    emit(.reduce)
    remember(.size(dimensions))
  }

  private mutating func tuple(_ dimensions: [Int]) {
    if dimensions.isEmpty {
      emit(.emptyTuple)
      return
    }
    if dimensions.count > 3 { emit(.mark) }
    for dimension in dimensions { integer(dimension) }
    switch dimensions.count {
    case 1: emit(.tuple1)
    case 2: emit(.tuple2)
    case 3: emit(.tuple3)
    default: emit(.tuple)
    }
  }

  private mutating func text(_ value: String) {
    if fetch(.text(value)) { return }
    let utf8 = value.utf8
    if utf8.count < 256 {
      emit(.unicode1)
      bytes.append(UInt8(utf8.count))
    } else {
      emit(.unicode4)
      little(utf8.count, 4)
    }
    bytes.append(contentsOf: utf8)
    remember(.text(value))
  }

  private mutating func integer(_ value: Int) {
    switch value {
    case 0..<256:
      emit(.int1)
      bytes.append(UInt8(value))
    case 256..<65536:
      emit(.int2)
      little(value, 2)
    case Int(Int32.min)...Int(Int32.max):
      emit(.int4)
      little(value, 4)
    default:
      emit(.long1)
      bytes.append(8)
      little(value, 8)
    }
  }

  private mutating func remember(_ value: Memorable) {
    memo[value] = memo.count
    emit(.memoize)
  }

  private mutating func fetch(_ value: Memorable) -> Bool {
    guard let index = memo[value] else { return false }
    if index < 256 {
      emit(.get1)
      bytes.append(UInt8(index))
    } else {
      emit(.get4)
      little(index, 4)
    }
    return true
  }

  private mutating func emit(_ opcode: Opcode) { bytes.append(opcode.rawValue) }

  private mutating func little(_ value: Int, _ count: Int) {
    for byte in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
  }
}
