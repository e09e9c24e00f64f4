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
  private(set) var outline = DistributedMetadata.Outline()
  /// Whether a tensor's chunks have to be looked at more closely.
  private(set) var hasIrregular = false
  /// The numbers of the size that was read last: the first `rank`.
  private var numbers = InlineArray<64, Int>(repeating: 0)
  private var rank = 0
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
    let entries = root[.entries]
    keys = KeyTable(
      arena, capacity: entries.kind == .dictionary ? arena.count(of: entries.payload) / 2 : 0)
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
    try readStorages()
    var metadata = DistributedMetadata()
    try readEntries(into: &metadata)
    for left in storages.leftOver {
      faults.append(.withoutChunk(key: keyName(left.key), offsets: left.offsets))
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
    storages.reserve(arena.count(of: table) / 2)
    var items = arena.items(of: table)
    while let index = items.next(arena), let value = items.next(arena) {
      guard let position = names.fields(of: index, .index, in: arena), position[.key].kind == .text
      else { throw wrong(place, expected: "MetadataIndex objects as keys", index) }
      let key = keys.number(ofText: position[.key].payload, in: arena)
      guard let info = names.fields(of: value, .storage, in: arena), info[.file].kind == .text,
        let offset = arena.number(of: info[.offset]), let length = arena.number(of: info[.length])
      else {
        throw wrong(
          keyName(key), expected: "_StorageInfo with relative_path, offset and length", value)
      }
      try refuseTransforms(info[.transforms], key)
      let file = files.number(ofText: info[.file].payload, in: arena)
      note(file, offset, length)
      switch position[.offset].kind {
      case .absent, .none:
        storages.add(key, offsets: nil, file: file, offset: offset, length: length)
      default:
        let offsets = try dimensions(position[.offset], key)
        storages.add(key, offsets: offsets, file: file, offset: offset, length: length)
      }
    }
  }

  private mutating func note(_ file: Int, _ offset: Int, _ length: Int) {
    if file == outline.extents.count { outline.extents.append((files.name(file, in: arena), 0)) }
    let (end, overflow) = offset.addingReportingOverflow(length)
    let isSomewhere = offset >= 0 && length >= 0 && !overflow
    outline.extents[file].end = isSomewhere ? max(outline.extents[file].end, end) : Int.max
  }

  /// Transforms (compression) would have to be undone before an item can be read.
  private func refuseTransforms(_ cell: PickleCell, _ key: Int) throws(MegatronError) {
    if cell.kind == .absent || cell.kind == .none { return }
    var found: [String] = []
    switch cell.kind {
    case .list:
      var items = arena.items(of: cell.payload)
      while let item = items.next(arena) { found.append(word(item)) }
    case .tuple:
      for place in arena.items(ofTuple: cell.payload) { found.append(word(arena.cell(at: place))) }
    default: found.append(word(cell))
    }
    if found.isEmpty { return }
    throw .unsupportedTransforms(file: file, key: keyName(key), names: found)
  }

  private func word(_ cell: PickleCell) -> String {
    arena.string(of: cell) ?? arena.kind(of: cell)
  }

  private func storage(_ entry: StorageTable.Entry) -> DistributedMetadata.Storage {
    .init(file: outline.extents[Int(entry.file)].file, offset: entry.offset, length: entry.length)
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
      let text = keyName(key)
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
        outline.objectKeys.append(text)
      case .tensor:
        metadata.tensors[text] = try tensor(key, text, value)
        outline.tensorKeys.append(text)
      default:
        throw wrong(text, expected: "TensorStorageMetadata or BytesStorageMetadata", value)
      }
      isListed[key] = true
      metadata.keys.append(text)
    }
    try requireDifferent(metadata)
  }

  /// Keys of other bytes may be the same to Swift, if they are not ASCII.
  private func requireDifferent(_ metadata: DistributedMetadata) throws(MegatronError) {
    if arena.isASCII { return }
    var seen: Set<String> = []
    for key in metadata.keys where !seen.insert(key).inserted {
      throw malformed(key, expected: "one entry", found: "two")
    }
  }

  private mutating func reserve(_ table: Int, in metadata: inout DistributedMetadata) {
    var tensors = 0
    var items = arena.items(of: table)
    while items.next(arena) != nil, let value = items.next(arena) {
      if names.type(of: value, in: arena) == .tensor { tensors += 1 }
    }
    let count = arena.count(of: table) / 2
    metadata.keys.reserveCapacity(count)
    metadata.tensors.reserveCapacity(tensors)
    metadata.objects.reserveCapacity(count - tensors)
    outline.tensorKeys.reserveCapacity(tensors)
    outline.objectKeys.reserveCapacity(count - tensors)
  }

  private mutating func tensor(
    _ key: Int, _ text: String, _ cell: PickleCell
  ) throws(MegatronError) -> DistributedMetadata.Tensor {
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
    chunks.reserveCapacity(arena.count(of: fields[.chunks].payload))
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
    let tensor = DistributedMetadata.Tensor(dtype: dtype, shape: shape, chunks: chunks)
    hasIrregular = hasIrregular || !tensor.isGrid
    return tensor
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
    var hash = rank
    for axis in 0..<rank { hash = hash &* 31 &+ numbers[axis] }
    let place = (hash ^ hash >> 6) & 63
    if !isRead(recent[place]) { recent[place] = (0..<rank).map { numbers[$0] } }
    return recent[place]
  }

  /// Whether an array is what was read last.
  private func isRead(_ array: [Int]) -> Bool {
    guard array.count == rank else { return false }
    for axis in 0..<rank where array[axis] != numbers[axis] { return false }
    return true
  }

  /// Puts the non-negative numbers of a `torch.Size` into `numbers`.
  private mutating func readDimensions(_ cell: PickleCell, _ key: Int) throws(MegatronError) {
    var sequence = cell
    if names.type(of: cell, in: arena) == .size {
      guard let first = arena.items(of: arena.objects[cell.payload]).first,
        arena.cell(at: first).kind == .tuple
      else { throw wrong(keyName(key), expected: "torch.Size of a tuple", cell) }
      sequence = arena.cell(at: first)
    }
    rank = 0
    switch sequence.kind {
    case .tuple:
      let places = arena.items(ofTuple: sequence.payload)
      try checkRank(places.count, key)
      for place in places { try addDimension(arena.cell(at: place), key) }
    case .list:
      try checkRank(arena.count(of: sequence.payload), key)
      var items = arena.items(of: sequence.payload)
      while let item = items.next(arena) { try addDimension(item, key) }
    default: throw wrong(keyName(key), expected: "torch.Size", cell)
    }
  }

  private func checkRank(_ rank: Int, _ key: Int) throws(MegatronError) {
    // PyTorch's own limit, and the room in `numbers`.
    guard rank <= 64 else {
      throw malformed(keyName(key), expected: "at most 64 dimensions", found: "\(rank)")
    }
  }

  private mutating func addDimension(_ cell: PickleCell, _ key: Int) throws(MegatronError) {
    guard let number = arena.number(of: cell) else {
      throw wrong(keyName(key), expected: "sizes", cell)
    }
    guard number >= 0 else {
      throw malformed(
        keyName(key), expected: "sizes that are not negative", found: "\(number)")
    }
    numbers[rank] = number
    rank += 1
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
      let text = keyName(key)
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
      metadata.paths[keyName(key)] = path
    }
  }

  private func keyName(_ key: Int) -> String { keys.name(key, in: arena) }

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
