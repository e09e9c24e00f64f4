import Tensors

/// Turns the object tree of a `.metadata` pickle into plain structures, once.
///
/// It knows what the Megatron-Core and PyTorch versions since 2.4 write. It ignores what is only a
/// cache (`all_local_plans`, `storage_meta`, index hints) and refuses what would change the bytes.
struct MetadataReader {
  private typealias Storage = DistributedMetadata.Storage

  private let file: String
  private let root: PickleDictionary
  private(set) var faults: [ChunkFault] = []
  private var storages = StorageTable()

  init(_ bytes: [UInt8], file: String) throws(MegatronError) {
    self.file = file
    let value: PickleValue
    do throws(PickleError) {
      value = try Unpickler.load(bytes, policy: .metadata)
    } catch { throw .pickle(file: file, error) }
    guard case .object(let object) = value,
      object.name == "Metadata" || object.name == "MCoreMetadata",
      case .dictionary(let root)? = object.state
    else {
      throw .malformedMetadata(
        file: file, place: "the top", expected: "a Metadata object", found: value.kind)
    }
    self.root = root
  }

  mutating func read() throws(MegatronError) -> DistributedMetadata {
    try readStorages()
    var metadata = DistributedMetadata()
    let entries = try dictionary(root["state_dict_metadata"], "state_dict_metadata")
    metadata.keys.reserveCapacity(entries.items.count)
    for (name, value) in entries.items {
      guard case .string(let key) = name else {
        throw wrong("state_dict_metadata", expected: "strings as keys", name)
      }
      guard metadata.tensors[key] == nil, metadata.objects[key] == nil else {
        throw malformed(key, expected: "one entry", found: "two")
      }
      guard case .object(let object) = value else { throw wrong(key, expected: "an object", value) }
      switch object.name {
      case "BytesStorageMetadata":
        if let storage = storages.take(key, offsets: nil) {
          metadata.objects[key] = storage
          metadata.keys.append(key)
        } else {
          faults.append(.withoutStorage(key: key, offsets: nil))
        }
      case "TensorStorageMetadata":
        metadata.tensors[key] = try tensor(key, object)
        metadata.keys.append(key)
      default:
        throw wrong(key, expected: "TensorStorageMetadata or BytesStorageMetadata", value)
      }
    }
    for left in storages.leftOver {
      faults.append(.withoutChunk(key: left.key, offsets: left.offsets))
    }
    try readFlattenedShapes(into: &metadata)
    readPaths(into: &metadata)
    if case .string(let version)? = root["version"] { metadata.version = version }
    return metadata
  }

  // MARK: Storages

  private mutating func readStorages() throws(MegatronError) {
    let items = try dictionary(root["storage_data"], "storage_data").items
    storages.reserve(items.count)
    for (index, value) in items {
      guard case .object(let indexObject) = index, indexObject.name == "MetadataIndex",
        let indexState = state(indexObject), case .string(let key)? = indexState["fqn"]
      else { throw wrong("storage_data", expected: "MetadataIndex objects as keys", index) }
      guard case .object(let info) = value, info.name == "_StorageInfo", let fields = state(info),
        case .string(let name)? = fields["relative_path"],
        case .integer(let offset)? = fields["offset"],
        case .integer(let length)? = fields["length"]
      else {
        throw wrong(key, expected: "_StorageInfo with relative_path, offset and length", value)
      }
      try refuseTransforms(fields["transform_descriptors"], key)
      let storage = Storage(file: name, offset: offset, length: length)
      switch indexState["offset"] {
      case nil, .some(.none): storages.add(key, offsets: nil, storage)
      case .some(let value): storages.add(key, offsets: try dimensions(value, key), storage)
      }
    }
  }

  /// Transforms (compression) would have to be undone before an item can be read.
  private func refuseTransforms(_ value: PickleValue?, _ key: String) throws(MegatronError) {
    let items: [PickleValue]
    switch value {
    case nil, .some(.none): return
    case .list(let list): items = list.items
    case .tuple(let values): items = values
    case .some(let value): items = [value]
    }
    if items.isEmpty { return }
    throw .unsupportedTransforms(
      file: file, key: key,
      names: items.map { if case .string(let name) = $0 { name } else { $0.kind } })
  }

  // MARK: Tensors

  private mutating func tensor(
    _ key: String, _ object: PickleObject
  ) throws(MegatronError) -> DistributedMetadata.Tensor {
    guard let fields = state(object) else {
      throw malformed(key, expected: "a tensor with properties, size and chunks", found: "nothing")
    }
    let dtype = try dtype(fields["properties"], key)
    let shape = Shape(try dimensions(fields["size"], key))
    guard shape.checkedByteCount(dtype) != nil else {
      throw malformed(key, expected: "a size that can be addressed", found: shape.description)
    }
    guard case .list(let list)? = fields["chunks"] else {
      throw wrong(key, expected: "a list of chunks", fields["chunks"])
    }
    var chunks: [DistributedMetadata.Chunk] = []
    chunks.reserveCapacity(list.items.count)
    for item in list.items {
      guard case .object(let chunk) = item, chunk.name == "ChunkStorageMetadata",
        let chunkFields = state(chunk)
      else { throw wrong(key, expected: "ChunkStorageMetadata", item) }
      let offsets = try dimensions(chunkFields["offsets"], key)
      let sizes = try dimensions(chunkFields["sizes"], key)
      guard let storage = storages.take(key, offsets: offsets) else {
        // A chunk listed twice finds nothing the second time, which is a fault as well.
        faults.append(.withoutStorage(key: key, offsets: offsets))
        continue
      }
      chunks.append(.init(offsets: offsets, sizes: sizes, storage: storage))
    }
    return .init(dtype: dtype, shape: shape, chunks: chunks)
  }

  /// The first element of TensorProperties, whose state is a tuple of five.
  private func dtype(_ value: PickleValue?, _ key: String) throws(MegatronError) -> DType {
    guard case .object(let properties)? = value, properties.name == "TensorProperties",
      case .tuple(let fields)? = properties.state, fields.count >= 2
    else { throw wrong(key, expected: "TensorProperties", value) }
    guard case .global("torch", let name) = fields[0], let dtype = DType(torchName: name) else {
      throw wrong(key, expected: "a dtype of torch", fields[0])
    }
    if case .object(let layout) = fields[1], case .string(let name)? = layout.arguments.first,
      name != "torch.strided"
    {
      throw malformed(key, expected: "a dense tensor (torch.strided)", found: name)
    }
    return dtype
  }

  /// The non-negative numbers of a `torch.Size`.
  private func dimensions(_ value: PickleValue?, _ key: String) throws(MegatronError) -> [Int] {
    let items: [PickleValue]
    switch value {
    case .object(let object) where object.name == "Size":
      guard case .tuple(let values)? = object.arguments.first else {
        throw wrong(key, expected: "torch.Size of a tuple", value)
      }
      items = values
    case .tuple(let values): items = values
    case .list(let list): items = list.items
    default: throw wrong(key, expected: "torch.Size", value)
    }
    // PyTorch's own limit.
    guard items.count <= 64 else {
      throw malformed(key, expected: "at most 64 dimensions", found: "\(items.count)")
    }
    var result: [Int] = []
    result.reserveCapacity(items.count)
    for item in items {
      guard let number = item.integer else { throw wrong(key, expected: "sizes", item) }
      guard number >= 0 else {
        throw malformed(key, expected: "sizes that are not negative", found: "\(number)")
      }
      result.append(number)
    }
    return result
  }

  // MARK: The rest

  private func readFlattenedShapes(
    into metadata: inout DistributedMetadata
  ) throws(MegatronError) {
    guard case .dictionary(let extras)? = root["mcore_data"] else { return }
    for (name, value) in extras.items {
      guard case .string(let key) = name, case .dictionary(let fields) = value,
        let original = fields["nd_reformulated_orig_global_shape"],
        let tensor = metadata.tensors[key]
      else { continue }
      let shape = Shape(try dimensions(original, key))
      // A chunk must lie in one part, so that parts can be put together one by one.
      guard FlattenedParts(grid: tensor.shape, original: shape) != nil,
        tensor.chunks.allSatisfy({ $0.sizes.dropLast().allSatisfy { $0 == 1 } })
      else {
        throw malformed(
          key, expected: "a grid of equal parts of \(shape)", found: tensor.shape.description)
      }
      metadata.tensors[key]?.flattenedFrom = shape
    }
  }

  private func readPaths(into metadata: inout DistributedMetadata) {
    guard case .dictionary(let paths)? = root["planner_data"] else { return }
    for (name, value) in paths.items {
      guard case .string(let key) = name, case .tuple(let steps) = value else { continue }
      metadata.paths[key] = steps.compactMap { step in
        switch step {
        case .string(let name): .name(name)
        case .integer(let index): .index(index)
        default: nil
        }
      }
    }
  }

  private func state(_ object: PickleObject) -> PickleDictionary? {
    if case .dictionary(let fields)? = object.state { fields } else { nil }
  }

  private func dictionary(
    _ value: PickleValue?, _ place: String
  ) throws(MegatronError) -> PickleDictionary {
    guard case .dictionary(let found)? = value else {
      throw wrong(place, expected: "a dictionary", value)
    }
    return found
  }

  private func wrong(_ place: String, expected: String, _ found: PickleValue?) -> MegatronError {
    malformed(place, expected: expected, found: found?.kind ?? "nothing")
  }

  private func malformed(_ place: String, expected: String, found: String) -> MegatronError {
    .malformedMetadata(file: file, place: place, expected: expected, found: found)
  }
}
