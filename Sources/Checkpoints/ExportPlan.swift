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

  /// Finds every tensor of the blueprint in the checkpoint and lays out the folder.
  ///
  /// Files, order and metadata are those of the model's own weights where it has any, else those that
  /// the checkpoint remembers from its import, else shards of at most 5 GB.
  ///
  /// - Throws: `ConversionError.coverage` listing what is missing or left over; `MegatronError`.
  public init(
    _ model: HuggingFaceModel, from checkpoint: MegatronModel, _ options: ConversionOptions
  ) throws {
    let stored = try StoredTensors(model.blueprint, checkpoint, isStrict: options.isStrict)
    let kept = try SourceRecord.read(from: checkpoint.folder)
    var builder = ExportBuilder(
      model: model, stored: stored, kept: kept, dtype: options.dtype, isStrict: options.isStrict)
    self.model = model
    transfer = try builder.transfer()
    notes = stored.notes + builder.notes
  }
}

/// The Hugging Face tensors that a checkpoint can give, by name.
struct StoredTensors: Sendable {
  struct Origin: Sendable {
    var slot: StoredSlot
    var part: Int

    var shape: Shape { slot.slot.parts[part].shape }
  }

  /// In the blueprint's order.
  private(set) var names: [String] = []
  private(set) var origins: [String: Origin] = [:]
  private(set) var notes: [String] = []

  init(_ blueprint: Blueprint, _ checkpoint: MegatronModel, isStrict: Bool) throws {
    let megatron = MegatronNames(blueprint)
    var coverage = Coverage()
    var used: Set<String> = []
    var missingPredictors: [String] = []
    for placed in blueprint.slots {
      guard let slot = StoredSlot.find(placed, in: checkpoint, megatron) else {
        let key = megatron.pieces(of: placed)[0].key
        if let tensor = checkpoint.tensors[key] {
          used.insert(key)
          coverage.wrongShape.append(
            .init(
              name: key, expected: megatron.pieces(of: placed)[0].keyShape, found: tensor.shape))
        } else if placed.isPredictor {
          missingPredictors.append(key)
        } else {
          coverage.missing.append(key)
        }
        continue
      }
      used.formUnion(slot.pieces.map(\.piece.key))
      for (index, part) in placed.slot.parts.enumerated() {
        names.append(part.name)
        origins[part.name] = Origin(slot: slot, part: index)
      }
    }
    if !missingPredictors.isEmpty {
      if origins.isEmpty
        || blueprint.slots.contains(where: {
          $0.isPredictor && origins[$0.slot.parts[0].name] != nil
        })
      {
        coverage.missing += missingPredictors
      } else {
        notes.append("The checkpoint has no multi-token predictors; exported without.")
      }
    }
    coverage.missing = coverage.missing.uniqued()
    coverage.extra = checkpoint.tensors.keys.filter { !used.contains($0) }.sorted()
    if isStrict, !coverage.isComplete {
      throw ConversionError.coverage(coverage, in: checkpoint.folder)
    }
    notes += coverage.missing.map { "Missing, left out: \($0)" }
    notes += coverage.wrongShape.map { "Another shape, left out: \($0.name)" }
    notes += coverage.extra.map { "Not known, left out: \($0)" }
    for (name, original) in blueprint.duplicates { origins[name] = origins[original] }
  }
}

extension Array where Element: Hashable {
  /// The elements, each at its first place.
  func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}

/// Lays out the folder of an export.
private struct ExportBuilder {
  let model: HuggingFaceModel
  let stored: StoredTensors
  let kept: SourceRecord?
  let dtype: DType?
  let isStrict: Bool
  private(set) var notes: [String] = []

  init(
    model: HuggingFaceModel, stored: StoredTensors, kept: SourceRecord?, dtype: DType?,
    isStrict: Bool
  ) {
    self.model = model
    self.stored = stored
    self.kept = kept
    self.dtype = dtype
    self.isStrict = isStrict
  }

  mutating func transfer() throws -> Transfer {
    var transfer = Transfer()
    let record = try template()
    for file in record.files { try add(file, to: &transfer) }
    for name in model.sideFiles {
      transfer.copies.append((path: name, from: "\(model.folder)/\(name)"))
    }
    if let index = record.index {
      transfer.after.append((path: ShardedFolder.indexName, bytes: index))
    }
    return transfer
  }

  /// The files to write: the model's own, those the checkpoint remembers, or new ones.
  private mutating func template() throws -> SourceRecord {
    if let weights = model.weights {
      let record = SourceRecord(weights)
      if record.names.allSatisfy(canGive) { return try retyped(record) }
      let missing = record.names.filter { !canGive($0) }
      var coverage = Coverage()
      coverage.missing = missing
      if isStrict { throw ConversionError.coverage(coverage, in: model.folder) }
      return try planned(like: record)
    }
    if let kept, kept.names.allSatisfy(canGive) { return try retyped(kept) }
    return try planned(like: nil)
  }

  private func canGive(_ name: String) -> Bool {
    stored.origins[name] != nil || model.weights?[name] != nil || kept?.carried?[name] != nil
  }

  /// The record with the type the user asked for; unchanged, to the byte, if he asked for none.
  private func retyped(_ record: SourceRecord) throws -> SourceRecord {
    guard let dtype else { return record }
    var files: [SourceRecord.File] = []
    for file in record.files {
      let plans = file.header.tensors.map { entry in
        TensorPlan(
          name: entry.name, dtype: entry.dtype.isFloat ? dtype : entry.dtype, shape: entry.shape)
      }
      files.append(
        .init(
          name: file.name,
          header: try SafeTensorsHeader.encoded(tensors: plans, metadata: file.header.metadata)))
    }
    return SourceRecord(files: files, index: files.count > 1 ? index(files) : record.index)
  }

  /// New files of at most 5 GB, in the order of the forward pass.
  private func planned(like record: SourceRecord?) throws -> SourceRecord {
    let given = stored.names.map { name in
      let origin = stored.origins[name]
      let type = origin?.slot.dtype ?? .bfloat16
      let wanted = model.configuredType ?? type
      return TensorPlan(
        name: name,
        dtype: dtype ?? (origin?.slot.slot.isFloat32 == true || !type.isFloat ? type : wanted),
        shape: origin?.shape ?? [])
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
          count: entry.shape.count, source: source.dtype, target: entry.dtype, runs: source.runs))
    }
  }

  private func source(
    _ entry: TensorEntry
  ) throws -> (dtype: DType, runs: @Sendable () throws -> ByteRuns) {
    if let origin = stored.origins[entry.name] {
      guard origin.shape == entry.shape else {
        var coverage = Coverage()
        coverage.wrongShape.append(
          .init(name: entry.name, expected: origin.shape, found: entry.shape))
        throw ConversionError.coverage(coverage, in: model.folder)
      }
      return (origin.slot.dtype, { try origin.slot.runs(part: origin.part) })
    }
    let name = entry.name
    if let weights = model.weights, let own = weights[name] {
      return (own.dtype, { try weights.runs(of: name) })
    }
    if let carried = kept?.carried, let own = carried[name] {
      return (own.dtype, { try carried.runs(of: name) })
    }
    throw ConversionError.coverage(Coverage(missing: [name]), in: model.folder)
  }
}

extension HuggingFaceModel {
  /// The type that config.json names, in either spelling of the key.
  var configuredType: DType? {
    (configuration["torch_dtype"] ?? configuration["dtype"])?.string
      .flatMap { DType(torchName: $0) }
  }
}

extension Coverage {
  init(missing: [String]) { self.missing = missing }
}
