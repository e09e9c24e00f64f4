import Blueprint
import JSON
import MegatronFormat
import SafeTensors
import Tensors

/// Megatron → Hugging Face: every file of the folder, decided before the first byte is written.
public struct ExportPlan: Sendable {
  public let model: HuggingFaceModel
  public let notes: [String]
  public let transfer: Transfer
  private let record: SourceRecord

  /// Finds every tensor of the blueprint in the checkpoint and lays out the folder.
  ///
  /// Files, order and metadata are those of the model's own weights where it has any, else those that
  /// the checkpoint remembers from its import, else shards of at most 5 GB.
  ///
  /// - Throws: `ConversionError.coverage` listing what is missing or left over; `MegatronError`.
  public init(
    _ model: HuggingFaceModel, from checkpoint: MegatronModel, _ options: ConversionOptions
  ) throws {
    let kept = try SourceRecord.read(from: checkpoint.folder)
    // Of quantised files an import remembers nothing.
    let model = try model.spelled(as: kept.flatMap { $0.files.isEmpty ? nil : $0.names })
    let carried = Set(kept?.carried?.header.tensors.map(\.name) ?? [])
    // What an import found out need not be looked at again where it would have to be fetched.
    let copies =
      (model.weights?.isArriving ?? false) && !(kept?.files.isEmpty ?? true)
      ? carried.intersection(model.blueprint.copies.keys)
      : try PredictorCopies(model.blueprint, model.weights).own
    let stored = try StoredTensors(
      model.blueprint, checkpoint, besides: carried.union(copies), isStrict: options.isStrict)
    var builder = try ExportBuilder(
      model: model, stored: stored, kept: kept, besides: model.blueprint.buffers.union(copies),
      dtype: options.dtype, isStrict: options.isStrict)
    self.model = model
    (transfer, record) = try builder.transfer()
    notes = stored.notes + builder.notes
  }
}

extension ExportPlan {
  /// The model with the checkpoint's weights, as if they had been exported.
  ///
  /// - Throws: what asking for the tensors' bytes throws.
  package func exported() throws -> HuggingFaceModel {
    var contents: [String: ByteRuns] = [:]
    for task in transfer.tasks {
      contents[task.name] = try task.runs().converted(
        from: task.source, to: task.target, width: 1 << 12)
    }
    let files = record.files.map { file in
      SafeTensorsFile(
        path: "\(model.folder)/\(file.name)", header: file.header, contents: contents)
    }
    return model.with(ShardedFolder(model.folder, files: files, indexBytes: record.index))
  }
}

/// Lays out the folder of an export.
private struct ExportBuilder {
  let model: HuggingFaceModel
  let stored: StoredTensors
  let kept: SourceRecord?
  /// Names of tensors that Megatron has no place for.
  let besides: Set<String>
  let dtype: DType?
  let isStrict: Bool
  /// The model's own weights.
  private let source: SourceTensors?
  /// Whether the model's own files hold quantised weights, or would if they were here.
  private let isQuantised: Bool
  private(set) var notes: [String] = []
  /// The tensors of the files that an import saw: those of them that do not follow from what the checkpoint holds,
  /// it kept.
  private let remembered: Set<String>

  init(
    model: HuggingFaceModel, stored: StoredTensors, kept: SourceRecord?, besides: Set<String>,
    dtype: DType?, isStrict: Bool
  ) throws {
    self.model = model
    let quantisation = model.blueprint.quantisation
    source = try model.weights.map { try SourceTensors($0, quantisation) }
    isQuantised = source?.isQuantised ?? (quantisation != nil)
    self.stored = stored
    self.kept = kept
    remembered = Set(kept?.names ?? [])
    self.besides = besides
    self.dtype = dtype
    self.isStrict = isStrict
  }

  mutating func transfer() throws -> (Transfer, SourceRecord) {
    var transfer = Transfer()
    let record = try template()
    for file in record.files { try add(file, to: &transfer) }
    for name in model.sideFiles where !isQuantised || name != "config.json" {
      transfer.copies.append((path: name, from: "\(model.folder)/\(name)"))
    }
    if isQuantised { transfer.before.append((path: "config.json", bytes: plainConfiguration)) }
    if let index = record.index {
      transfer.after.append((path: ShardedFolder.indexName, bytes: index))
    }
    return (transfer, record)
  }

  /// The files to write: the model's own, those the checkpoint remembers, or new ones.
  private mutating func template() throws -> SourceRecord {
    if let weights = model.weights, !isQuantised {
      let record = SourceRecord(weights)
      let coverage = coverage(of: record)
      if coverage.isComplete, canGiveAll(record) { return try retyped(record) }
      if isStrict, !coverage.isComplete {
        throw ConversionError.coverage(coverage, in: model.folder)
      }
    } else if let kept, !kept.files.isEmpty, coverage(of: kept).isComplete, canGiveAll(kept) {
      return try retyped(kept)
    }
    if isQuantised {
      notes.append(
        "The model's own files are quantised; written are plain tensors in new files, and a "
          + "config.json without quantization_config.")
    } else if model.weights != nil || kept != nil {
      notes.append("The tensors are not those of the model's own files; written into new files.")
    }
    return try planned()
  }

  /// How the tensors of existing files compare with those that can be given.
  private func coverage(of record: SourceRecord) -> Coverage {
    var coverage = Coverage()
    let blueprint = model.blueprint
    for entry in record.files.flatMap(\.header.tensors) {
      if let origin = stored.origins[entry.name] {
        if origin.shape != entry.shape {
          coverage.wrongShape.append(
            .init(name: entry.name, expected: origin.shape, found: entry.shape))
        }
      } else if isStrict, kept?.carried?[entry.name] == nil, !stored.known.contains(entry.name),
        !besides.contains(entry.name), !blueprint.isBystander(entry.name)
      {
        coverage.extra.append(entry.name)
      }
    }
    return coverage
  }

  private func canGiveAll(_ record: SourceRecord) -> Bool {
    record.names.allSatisfy { stored.origins[$0] != nil || elsewhere($0) != nil }
  }

  /// A tensor that Megatron does not hold: kept beside the checkpoint, or the model's own.
  ///
  /// The model's own never stands in for one that the checkpoint should have held.
  private func elsewhere(_ name: String) -> (entry: TensorEntry, origin: Origin)? {
    if let carried = kept?.carried, let entry = carried[name] {
      return (entry, Origin(dtype: entry.dtype) { try carried.runs(of: name) })
    }
    if !stored.known.contains(name), let weights = model.weights, let entry = weights[name] {
      return (entry, Origin(entry, weights))
    }
    return nil
  }

  /// Where a tensor's bytes come from.
  private struct Origin {
    var dtype: DType
    var work = TransferWork.copying
    var needs: [Transfer.Need] = []
    var runs: @Sendable () throws -> ByteRuns

    init(
      dtype: DType, work: TransferWork = .copying, runs: @escaping @Sendable () throws -> ByteRuns
    ) {
      self.dtype = dtype
      self.work = work
      self.runs = runs
    }

    /// One of the model's own.
    init(_ entry: TensorEntry, _ weights: ShardedFolder) {
      let name = entry.name
      self.init(dtype: entry.dtype) { try weights.runs(of: name) }
      needs = weights.needs(of: [name])
    }
  }

  /// The record with the type the user asked for; unchanged, to the byte, if he asked for none.
  private func retyped(_ record: SourceRecord) throws -> SourceRecord {
    guard dtype != nil else { return record }
    var files: [SourceRecord.File] = []
    for file in record.files {
      let plans = file.header.tensors.map { entry in
        TensorPlan(
          name: entry.name, dtype: retyped(entry.dtype, keeping: isFloat32(entry.name)),
          shape: entry.shape)
      }
      files.append(
        .init(
          name: file.name,
          header: try SafeTensorsHeader.encoded(tensors: plans, metadata: file.header.metadata)))
    }
    return SourceRecord(files: files, index: files.count > 1 ? index(files) : record.index)
  }

  /// The type the user asked for, where it concerns a tensor.
  private func retyped(_ type: DType, keeping: Bool) -> DType {
    type.isFloat && !keeping ? dtype ?? type : type
  }

  private func isFloat32(_ name: String) -> Bool {
    stored.origins[name]?.slot.slot.isFloat32 ?? false
  }

  /// The floating-point type of most of the checkpoint; a tensor of another one has it for a reason
  /// and keeps it.
  private var mainType: DType? {
    var counts: [DType: Int] = [:]
    for origin in stored.names.compactMap({ stored.origins[$0] }) where origin.slot.dtype.isFloat {
      counts[origin.slot.dtype, default: 0] += origin.shape.count
    }
    return counts.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key
  }

  /// The model's config.json as it is true of plain tensors.
  private var plainConfiguration: [UInt8] {
    var configuration = model.configuration
    configuration["quantization_config"] = nil
    return JSON.object(configuration).serializedBytes(.indented(2)) + [UInt8(ascii: "\n")]
  }

  /// New files of at most 5 GB, in the order of the forward pass, then what Megatron does not hold.
  private func planned() throws -> SourceRecord {
    let main = mainType
    var given = stored.names.map { name in
      let origin = stored.origins[name]
      let type = origin?.slot.dtype ?? .bfloat16
      let configured = type == main && !isFloat32(name) ? model.configuredType ?? type : type
      return TensorPlan(
        name: name, dtype: retyped(configured, keeping: isFloat32(name)),
        shape: origin?.shape ?? [])
    }
    let others =
      (kept?.carried?.header.tensors.map(\.name) ?? []) + (source?.names ?? [])
    for name in others.uniqued() where stored.origins[name] == nil {
      guard let entry = elsewhere(name)?.entry else { continue }
      given.append(
        TensorPlan(
          name: name, dtype: retyped(entry.dtype, keeping: false), shape: entry.shape))
    }
    let sizes = given.map { ($0.name, $0.shape.count * $0.dtype.byteWidth) }
    let plans = Dictionary(uniqueKeysWithValues: given.map { ($0.name, $0) })
    var files: [SourceRecord.File] = []
    for shard in ShardedFolder.plan(tensors: sizes) {
      let header = try SafeTensorsHeader.encoded(
        tensors: SafeTensorsHeader.referenceOrder(shard.tensors.compactMap { plans[$0] }),
        metadata: [("format", "pt")])
      files.append(.init(name: shard.file, header: header))
    }
    return SourceRecord(files: files, index: files.count > 1 ? index(files) : nil)
  }

  private func index(_ files: [SourceRecord.File]) -> [UInt8] {
    var map: [String: String] = [:]
    for file in files {
      for entry in file.header.tensors { map[entry.name] = file.name }
    }
    return ShardedFolder.indexJSON(
      weightMap: map, totalSize: files.reduce(0) { $0 + $1.header.dataLength })
  }

  private func add(_ file: SourceRecord.File, to transfer: inout Transfer) throws {
    let index = transfer.files.count
    transfer.files.append(.init(path: file.name, size: file.header.fileSize))
    transfer.blocks.append(.init(file: index, offset: 0, bytes: file.header.rawHeader))
    for entry in file.header.tensors where entry.byteCount > 0 {
      let source = try source(entry)
      guard source.dtype == entry.dtype || source.dtype.isFloat && entry.dtype.isFloat else {
        throw ConversionError.notConvertible(
          tensor: entry.name, from: source.dtype, to: entry.dtype)
      }
      transfer.tasks.append(
        .init(
          name: entry.name, file: index, offset: file.header.dataOffset + entry.range.lowerBound,
          count: entry.shape.count, source: source.dtype, target: entry.dtype, work: source.work,
          runs: source.runs))
      transfer.tasks[transfer.tasks.count - 1].needs = source.needs
    }
  }

  /// The tensor that a shifted one was made from, out of the record or the model's own weights.
  private func original(_ name: String, _ origin: StoredTensors.Origin) throws -> Origin? {
    guard origin.slot.slot.shift != 0 else { return nil }
    if let carried = kept?.carried, let entry = carried[name], entry.shape == origin.shape,
      try origin.isMade(from: carried.runs(of: name), dtype: entry.dtype)
    {
      return Origin(dtype: entry.dtype) { try carried.runs(of: name) }
    }
    guard let weights = model.weights, let entry = weights[name], entry.shape == origin.shape,
      !(weights.isArriving && remembered.contains(name)),
      try origin.isMade(from: weights.runs(of: name), dtype: entry.dtype)
    else { return nil }
    return Origin(entry, weights)
  }

  private func source(_ entry: TensorEntry) throws -> Origin {
    if let origin = stored.origins[entry.name] {
      if let original = try original(entry.name, origin) { return original }
      return Origin(dtype: origin.slot.dtype, work: origin.slot.slot.work) {
        try origin.slot.runs(part: origin.part)
      }
    }
    if let other = elsewhere(entry.name) { return other.origin }
    throw ConversionError.coverage(Coverage(missing: [entry.name]), in: model.folder)
  }
}

extension HuggingFaceModel {
  /// The type that config.json names, in either spelling of the key.
  public var configuredType: DType? {
    (configuration["torch_dtype"] ?? configuration["dtype"])?.string
      .flatMap { DType(torchName: $0) }
  }
}

extension Coverage {
  init(missing: [String]) { self.missing = missing }
}
