import Tensors

/// Turns a `.metadata` pickle into plain structures, once.
///
/// It knows what the Megatron-Core and PyTorch versions since 2.4 write. It ignores what is only a
/// cache (`all_local_plans`, `storage_meta`, index hints) and refuses what would change the bytes.
/// It reads the arena, not the `PickleValue`s made of it: a model of many experts has millions.
struct MetadataReader: ~Copyable {
  private let file: String
  private let arena: PickleArena
  private let names: MetadataNames
  private let root: MetadataNames.Values
  private(set) var faults: [ChunkFault] = []
  private var keys: KeyTable
  private var files: KeyTable
  private var storages = StorageTable()
  /// The numbers of the size that was read last.
  private var numbers: [Int] = []
  /// Sizes read before: most tensors and chunks have those of many others.
  private var recent = Array(repeating: [Int](), count: 64)
  /// By global.
  private let dtypes: [DType?]

  init(_ bytes: [UInt8], file: String) throws(MegatronError) {
    let arena = try Self.arena(bytes, file)
    let names = MetadataNames(arena)
    let top = arena.root
    guard
      let root = names.fields(of: top, .metadata, in: arena)
        ?? names.fields(of: top, .megatronMetadata, in: arena)
    else {
      throw .malformedMetadata(
        file: file, place: "the top", expected: "a Metadata object", found: arena.kind(of: top))
    }
    keys = KeyTable(arena)
    files = KeyTable(arena)
    dtypes = arena.globals.map { $0.module == "torch" ? DType(torchName: $0.name) : nil }
    self.file = file
    self.names = names
    self.root = root
    self.arena = arena
  }

  private static func arena(_ bytes: [UInt8], _ file: String) throws(MegatronError) -> PickleArena {
    do throws(PickleError) {
      return try Unpickler.arena(bytes, policy: .metadata, ignoring: "all_local_plans")
    } catch {
      throw .pickle(file: file, error)
    }
  }

  mutating func read() throws(MegatronError) -> DistributedMetadata {
    if root[.entries].kind == .dictionary {
      keys.reserve(Int(arena.containers[root[.entries].payload].count) / 2)
    }
    try readStorages()
    var metadata = DistributedMetadata()
    try readEntries(into: &metadata)
    for left in storages.leftOver {
      faults.append(.withoutChunk(key: keys.names[left.key], offsets: left.offsets))
    }
    try readFlattenedShapes(into: &metadata)
    readPaths(into: &metadata)
    metadata.version = arena.string(of: root[.version])
    return metadata
  }

  // MARK: Storages

  private mutating func readStorages() throws(MegatronError) {
    let place = MetadataNames.Field.storages.spelling
    let table = try dictionary(root[.storages], place)
    storages.reserve(Int(arena.containers[table].count) / 2)
    var items = arena.items(of: table)
    while let index = items.next(arena), let value = items.next(arena) {
      guard let position = names.fields(of: index, .index, in: arena), position[.key].kind == .text
      else { throw wrong(place, expected: "MetadataIndex objects as keys", index) }
      let key = keys.number(ofText: position[.key].payload, in: arena)
      guard let info = names.fields(of: value, .storage, in: arena), info[.file].kind == .text,
        let offset = arena.number(of: info[.offset]), let length = arena.number(of: info[.length])
      else {
        throw wrong(
          keys.names[key], expected: "_StorageInfo with relative_path, offset and length", value)
      }
      try refuseTransforms(info[.transforms], key)
      let file = files.number(ofText: info[.file].payload, in: arena)
      switch position[.offset].kind {
      case .absent, .none:
        storages.add(key, offsets: nil, file: file, offset: offset, length: length)
      default:
        try readDimensions(position[.offset], key)
        storages.add(key, offsets: numbers, file: file, offset: offset, length: length)
      }
    }
  }

  /// Transforms (compression) would have to be undone before an item can be read.
  private func refuseTransforms(_ cell: PickleCell, _ key: Int) throws(MegatronError) {
    if cell.kind == .absent || cell.kind == .none { return }
    var found: [String] = []
    switch cell.kind {
    case .list:
      var items = arena.items(of: cell.payload)
      while let item = items.next(arena) { found.append(name(item)) }
    case .tuple:
      for place in arena.items(ofTuple: cell.payload) { found.append(name(arena.cell(at: place))) }
    default: found.append(name(cell))
    }
    if found.isEmpty { return }
    throw .unsupportedTransforms(file: file, key: keys.names[key], names: found)
  }

  private func name(_ cell: PickleCell) -> String {
    arena.string(of: cell) ?? arena.kind(of: cell)
  }

  private func storage(_ entry: StorageTable.Entry) -> DistributedMetadata.Storage {
    .init(file: files.names[Int(entry.file)], offset: entry.offset, length: entry.length)
  }

  // MARK: Entries

  private mutating func readEntries(into metadata: inout DistributedMetadata) throws(MegatronError)
  {
    let place = MetadataNames.Field.entries.spelling
    let table = try dictionary(root[.entries], place)
    reserve(table, in: &metadata)
    var isListed: [Bool] = []
    var items = arena.items(of: table)
    while let name = items.next(arena), let value = items.next(arena) {
      guard name.kind == .text else { throw wrong(place, expected: "strings as keys", name) }
      let key = keys.number(ofText: name.payload, in: arena)
      let text = keys.names[key]
      while isListed.count <= key { isListed.append(false) }
      guard !isListed[key] else { throw malformed(text, expected: "one entry", found: "two") }
      guard value.kind == .object else { throw wrong(text, expected: "an object", value) }
      switch names.type(of: value, in: arena) {
      case .object:
        guard let entry = storages.take(key, offsets: nil) else {
          faults.append(.withoutStorage(key: text, offsets: nil))
          continue
        }
        metadata.objects[text] = storage(entry)
      case .tensor: metadata.tensors[text] = try tensor(key, value)
      default:
        throw wrong(text, expected: "TensorStorageMetadata or BytesStorageMetadata", value)
      }
      isListed[key] = true
      metadata.keys.append(text)
    }
  }

  private func reserve(_ table: Int, in metadata: inout DistributedMetadata) {
    var tensors = 0
    var items = arena.items(of: table)
    while items.next(arena) != nil, let value = items.next(arena) {
      if names.type(of: value, in: arena) == .tensor { tensors += 1 }
    }
    let count = Int(arena.containers[table].count) / 2
    metadata.keys.reserveCapacity(count)
    metadata.tensors.reserveCapacity(tensors)
    metadata.objects.reserveCapacity(count - tensors)
  }

  private mutating func tensor(
    _ key: Int, _ cell: PickleCell
  ) throws(MegatronError) -> DistributedMetadata.Tensor {
    let text = keys.names[key]
    guard let fields = names.fields(of: cell, .tensor, in: arena) else {
      throw malformed(text, expected: "a tensor with properties, size and chunks", found: "nothing")
    }
    let dtype = try dtype(fields[.properties], text)
    let shape = Shape(try dimensions(fields[.size], key))
    guard shape.checkedByteCount(dtype) != nil else {
      throw malformed(text, expected: "a size that can be addressed", found: shape.description)
    }
    guard fields[.chunks].kind == .list else {
      throw wrong(text, expected: "a list of chunks", fields[.chunks])
    }
    var chunks: [DistributedMetadata.Chunk] = []
    chunks.reserveCapacity(Int(arena.containers[fields[.chunks].payload].count))
    var items = arena.items(of: fields[.chunks].payload)
    while let item = items.next(arena) {
      guard let chunk = names.fields(of: item, .chunk, in: arena) else {
        throw wrong(text, expected: "ChunkStorageMetadata", item)
      }
      let offsets = try dimensions(chunk[.offsets], key)
      let sizes = try dimensions(chunk[.sizes], key)
      guard let entry = storages.take(key, offsets: offsets) else {
        // A chunk listed twice finds nothing the second time, which is a fault as well.
        faults.append(.withoutStorage(key: text, offsets: offsets))
        continue
      }
      chunks.append(.init(offsets: offsets, sizes: sizes, storage: storage(entry)))
    }
    return .init(dtype: dtype, shape: shape, chunks: chunks)
  }

  /// The first element of TensorProperties, whose state is a tuple of five.
  private func dtype(_ cell: PickleCell, _ key: String) throws(MegatronError) -> DType {
    guard names.type(of: cell, in: arena) == .properties,
      case let state = arena.objects[cell.payload].state, state.kind == .tuple,
      case let places = arena.items(ofTuple: state.payload), places.count >= 2
    else { throw wrong(key, expected: "TensorProperties", cell) }
    let type = arena.cell(at: places.lowerBound)
    guard type.kind == .global, let dtype = dtypes[type.payload] else {
      throw wrong(key, expected: "a dtype of torch", type)
    }
    let layout = arena.cell(at: places.lowerBound + 1)
    if layout.kind == .object,
      let first = arena.items(of: arena.objects[layout.payload]).first,
      let name = arena.string(of: arena.cell(at: first)), name != "torch.strided"
    {
      throw malformed(key, expected: "a dense tensor (torch.strided)", found: name)
    }
    return dtype
  }

  /// The non-negative numbers of a `torch.Size`.
  private mutating func dimensions(_ cell: PickleCell, _ key: Int) throws(MegatronError) -> [Int] {
    try readDimensions(cell, key)
    var hash = numbers.count
    for number in numbers { hash = hash &* 31 &+ number }
    let place = (hash ^ hash >> 6) & 63
    if recent[place] != numbers { recent[place] = Array(numbers[...]) }
    return recent[place]
  }

  /// Puts the non-negative numbers of a `torch.Size` into `numbers`.
  private mutating func readDimensions(_ cell: PickleCell, _ key: Int) throws(MegatronError) {
    var sequence = cell
    if names.type(of: cell, in: arena) == .size {
      guard let first = arena.items(of: arena.objects[cell.payload]).first,
        arena.cell(at: first).kind == .tuple
      else { throw wrong(keys.names[key], expected: "torch.Size of a tuple", cell) }
      sequence = arena.cell(at: first)
    }
    numbers.removeAll(keepingCapacity: true)
    switch sequence.kind {
    case .tuple:
      let places = arena.items(ofTuple: sequence.payload)
      try checkRank(places.count, key)
      for place in places { try addDimension(arena.cell(at: place), key) }
    case .list:
      try checkRank(Int(arena.containers[sequence.payload].count), key)
      var items = arena.items(of: sequence.payload)
      while let item = items.next(arena) { try addDimension(item, key) }
    default: throw wrong(keys.names[key], expected: "torch.Size", cell)
    }
  }

  private func checkRank(_ rank: Int, _ key: Int) throws(MegatronError) {
    // PyTorch's own limit.
    guard rank <= 64 else {
      throw malformed(keys.names[key], expected: "at most 64 dimensions", found: "\(rank)")
    }
  }

  private mutating func addDimension(_ cell: PickleCell, _ key: Int) throws(MegatronError) {
    guard let number = arena.number(of: cell) else {
      throw wrong(keys.names[key], expected: "sizes", cell)
    }
    guard number >= 0 else {
      throw malformed(
        keys.names[key], expected: "sizes that are not negative", found: "\(number)")
    }
    numbers.append(number)
  }

  // MARK: The rest

  private mutating func readFlattenedShapes(
    into metadata: inout DistributedMetadata
  ) throws(MegatronError) {
    guard root[.extras].kind == .dictionary else { return }
    var items = arena.items(of: root[.extras].payload)
    while let name = items.next(arena), let value = items.next(arena) {
      guard name.kind == .text, let fields = names.values(in: value, in: arena),
        fields[.originalShape].kind != .absent
      else { continue }
      let key = keys.number(ofText: name.payload, in: arena)
      let text = keys.names[key]
      guard let tensor = metadata.tensors[text] else { continue }
      let shape = Shape(try dimensions(fields[.originalShape], key))
      // A chunk must lie in one part, so that parts can be put together one by one.
      guard FlattenedParts(grid: tensor.shape, original: shape) != nil,
        tensor.chunks.allSatisfy({ $0.sizes.dropLast().allSatisfy { $0 == 1 } })
      else {
        throw malformed(
          text, expected: "a grid of equal parts of \(shape)", found: tensor.shape.description)
      }
      metadata.tensors[text]?.flattenedFrom = shape
    }
  }

  private mutating func readPaths(into metadata: inout DistributedMetadata) {
    guard root[.planner].kind == .dictionary else { return }
    var items = arena.items(of: root[.planner].payload)
    while let name = items.next(arena), let steps = items.next(arena) {
      guard name.kind == .text, steps.kind == .tuple else { continue }
      let key = keys.number(ofText: name.payload, in: arena)
      var path: [DistributedMetadata.PathStep] = []
      for place in arena.items(ofTuple: steps.payload) {
        let step = arena.cell(at: place)
        if let name = arena.string(of: step) {
          path.append(.name(name))
        } else if let index = arena.number(of: step) {
          path.append(.index(index))
        }
      }
      metadata.paths[keys.names[key]] = path
    }
  }

  private func dictionary(_ cell: PickleCell, _ place: String) throws(MegatronError) -> Int {
    guard cell.kind == .dictionary else { throw wrong(place, expected: "a dictionary", cell) }
    return cell.payload
  }

  private func wrong(_ place: String, expected: String, _ found: PickleCell) -> MegatronError {
    malformed(
      place, expected: expected, found: found.kind == .absent ? "nothing" : arena.kind(of: found))
  }

  private func malformed(_ place: String, expected: String, found: String) -> MegatronError {
    .malformedMetadata(file: file, place: place, expected: expected, found: found)
  }
}
