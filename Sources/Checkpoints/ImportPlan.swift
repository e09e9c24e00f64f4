import Blueprint
import JSON
import MegatronFormat
import SafeTensors
import Tensors

/// What the user may say about a conversion.
public struct ConversionOptions: Sendable {
  /// The type of all floating-point tensors but those that are float32 in every model; `nil` keeps
  /// each tensor's own.
  public var dtype: DType?
  public var sizes = ParallelSizes()
  /// Refuses tensors and configuration keys that are not understood.
  public var isStrict = true

  public init() {}
}

/// Hugging Face → Megatron: every file of the checkpoint, decided before the first byte is written.
public struct ImportPlan: Sendable {
  public let model: HuggingFaceModel
  public let options: ConversionOptions
  /// The blueprint without predictors that the file leaves out.
  public let blueprint: Blueprint
  /// What the user should know: tensors carried along, predictors left out.
  public let notes: [String]
  public let transfer: Transfer
  /// What can be laid out only when the source's values may be looked at, where they are still arriving.
  public let rest: Rest?

  /// Tensors that are kept beside the checkpoint.
  public struct Rest: Sendable {
    /// The most that they can take.
    public let bytes: Int
    fileprivate let plan: @Sendable () throws -> ImportPlan

    /// What is still to be written, and what the user should know, of the whole import, once all has arrived.
    ///
    /// - Throws: what planning throws of tensors whose values are not as they should be.
    public func planned() throws -> (transfer: Transfer, notes: [String]) {
      let plan = try plan()
      return (plan.transfer.part(MegatronRunFiles.carriedPath), plan.notes)
    }
  }

  static let iteration = "iter_0000000"

  /// Checks the model's tensors against its blueprint and lays out the checkpoint.
  ///
  /// - Throws: `ConversionError.coverage` listing every tensor that is missing, unknown or of another
  ///   shape; `.unequalDuplicate`; `.noWeights`; `.mixedTypes`; `.notConvertible`.
  public init(_ model: HuggingFaceModel, _ options: ConversionOptions) throws {
    try self.init(model, options, TensorOverlay(), looks: !(model.weights?.isArriving ?? false))
  }

  /// The same with some tensors changed on the way.
  ///
  /// - Parameter looks: whether tensors' values are looked at, where they decide something; else that is left
  ///   to `rest`.
  package init(
    _ model: HuggingFaceModel, _ options: ConversionOptions, _ overlay: TensorOverlay,
    looks: Bool = true
  ) throws {
    guard let weights = model.weights else {
      throw ConversionError.noWeights(folder: model.folder)
    }
    var tensors = try SourceTensors(weights, model.blueprint.quantisation)
    if tensors.isQuantised, options.dtype == nil {
      throw ConversionError.quantised(
        folder: model.folder, method: model.blueprint.quantisation?.method ?? "")
    }
    tensors.overlay = overlay
    let source = try SourceCoverage(
      model, tensors, isStrict: options.isStrict, looks: looks)
    var builder = ImportBuilder(
      weights: tensors, blueprint: source.blueprint, options: options, absent: source.absent)
    builder.looks = looks
    try builder.addTensors()
    try builder.addExtraStates()
    self.model = model
    self.options = options
    blueprint = source.blueprint
    notes = source.notes + builder.notes
    // Of a source that has not been looked at, `inexact` holds all that might be.
    let isUnseen = source.isUnseen || !looks && !builder.inexact.isEmpty
    let carried = source.carried + builder.inexact
    transfer = try builder.transfer(model: model, carried: isUnseen ? [] : carried)
    guard isUnseen else {
      rest = nil
      return
    }
    // As an entry of a header has few hundred bytes.
    let bytes = (carried + source.undecided).reduce(0) {
      $0 + (weights[$1]?.byteCount ?? 0) + 512
    }
    rest = Rest(bytes: bytes) { try ImportPlan(model, options, overlay, looks: true) }
  }
}

/// Lays out the checkpoint of an import.
private struct ImportBuilder {
  let weights: SourceTensors
  let blueprint: Blueprint
  let options: ConversionOptions
  /// Tensors that a lenient import does without.
  let absent: Set<String>
  /// Whether the values of tensors are looked at.
  var looks = true
  private let names: MegatronNames
  private let stackDepth: Int
  /// In the order of the write plan's items.
  private var chunks: [Chunk] = []
  /// The keys of the extra-state objects, and who writes them.
  private var extraStates: [(key: String, rank: Int)] = []
  private(set) var notes: [String] = []
  /// Tensors whose bits the rounding of shifted values would lose, or might where nobody looks.
  private(set) var inexact: [String] = []

  private struct Chunk {
    var slot: Int
    var shard: Shard
    var key: String
    var shape: Shape
    var rank: Int
    var source: DType
    var target: DType
  }

  private let slots: [PlacedSlot]
  /// The type of what Hugging Face has no tensor for: that of most of the source.
  private lazy var filledType = mainSourceType

  init(
    weights: SourceTensors, blueprint: Blueprint, options: ConversionOptions, absent: Set<String>
  ) {
    self.weights = weights
    self.blueprint = blueprint
    self.options = options
    self.absent = absent
    names = MegatronNames(blueprint)
    stackDepth = blueprint.stackDepth
    slots = blueprint.slots
  }

  mutating func addTensors() throws {
    let sizes = options.sizes
    guard blueprint.stackDepth % sizes.pipeline == 0 else {
      throw ConversionError.notDivisible(
        what: "the number of layers", size: blueprint.stackDepth, by: sizes.pipeline,
        option: "--pp")
    }
    let padded = blueprint.paddedVocabulary(sizes.tensor)
    if padded != blueprint.frame.vocabulary {
      notes.append(
        "The vocabulary of \(blueprint.frame.vocabulary) is padded with zeros to \(padded) rows, so "
          + "that \(sizes.tensor) ranks share it evenly; an export drops them.")
    }
    for (index, placed) in slots.enumerated() {
      let slot = placed.slot
      guard !slot.parts.contains(where: { absent.contains($0.name) }) else { continue }
      let source = try sourceType(slot)
      let target = try targetType(slot, source)
      try noteRounding(slot, source, target)
      for var piece in names.pieces(of: placed) {
        if slot.split == .vocabulary { piece.pad(to: padded) }
        for shard in piece.shards(slot.split, sizes) {
          let rank = stage(placed.section) * sizes.perStage + shard.rank
          chunks.append(
            Chunk(
              slot: index, shard: shard, key: piece.key, shape: piece.keyShape, rank: rank,
              source: source, target: target))
        }
      }
    }
  }

  mutating func addExtraStates() throws {
    var seen: Set<String> = []
    for placed in slots where !placed.slot.parts.contains(where: { absent.contains($0.name) }) {
      for key in names.extraStates(of: placed) where seen.insert(key).inserted {
        extraStates.append((key, stage(placed.section) * options.sizes.perStage))
      }
    }
  }

  private func stage(_ section: PlacedSlot.Section) -> Int {
    switch section {
    case .embedding: 0
    case .block(let index): index / max(1, stackDepth / options.sizes.pipeline)
    case .final, .head, .predictor, .predictorBlock: options.sizes.pipeline - 1
    }
  }

  private mutating func sourceType(_ slot: Slot) throws -> DType {
    if slot.parts.isEmpty { return filledType }
    let parts = slot.parts.compactMap { weights[$0.name] }
    let types = parts.map(\.dtype)
    // Beside numbers that are computed in float32, plain ones are widened.
    if parts.contains(where: \.isQuantised), types.allSatisfy(\.isFloat) { return .float32 }
    guard let first = types.first, types.allSatisfy({ $0 == first }) else {
      throw ConversionError.mixedTypes(tensors: slot.parts.map(\.name), types: types)
    }
    return first
  }

  /// Notes the tensors of a shifted slot that an export could not compute.
  private mutating func noteRounding(
    _ slot: Slot, _ source: DType, _ target: DType
  ) throws {
    guard slot.shift != 0 else { return }
    let shift = Shift(amount: slot.shift, source: source, stored: target)
    for part in slot.parts
    where try !looks || !shift.isUndone(of: weights.runs(of: part.name, as: source)) {
      inexact.append(part.name)
    }
  }

  private func targetType(_ slot: Slot, _ source: DType) throws -> DType {
    let target = slot.isFloat32 ? .float32 : options.dtype ?? source
    let isSame = target == source && slot.shift == 0
    guard isSame || source.isFloat && target.isFloat, !source.isSubByte else {
      throw ConversionError.notConvertible(
        tensor: slot.parts.first?.name ?? "", from: source, to: target)
    }
    return target
  }

  // MARK: - Files

  /// The files a rank's data goes into: several, which workers fill side by side, and none too large
  /// to move about.
  private static func fileCount(_ bytes: Int) -> Int {
    max(min(8, bytes >> 30), bytes >> 34, 1)
  }

  mutating func transfer(model: HuggingFaceModel, carried: [String]) throws -> Transfer {
    var plan = DistributedWritePlan()
    var rankBytes: [Int: Int] = [:]
    for chunk in chunks {
      rankBytes[chunk.rank, default: 0] += chunk.shard.sizes.count * chunk.target.byteWidth
    }
    let empty = try CommonState.emptyExtraState()
    for state in extraStates {
      plan.add(
        object: state.key, bytes: empty, file: DistributedWritePlan.fileName(rank: state.rank))
    }
    var written: [Int: Int] = [:]
    for chunk in chunks {
      let bytes = chunk.shard.sizes.count * chunk.target.byteWidth
      let total = rankBytes[chunk.rank, default: 0]
      let files = Self.fileCount(total)
      let part = min(files - 1, written[chunk.rank, default: 0] * files / max(1, total))
      written[chunk.rank, default: 0] += bytes
      try plan.add(
        tensor: chunk.key, dtype: chunk.target, shape: chunk.shape, offsets: chunk.shard.offsets,
        sizes: chunk.shard.sizes,
        file: DistributedWritePlan.fileName(rank: chunk.rank, part: part))
    }
    let layout = try plan.finish()
    var transfer = Transfer()
    let folder = ImportPlan.iteration
    var fileIndex: [String: Int] = [:]
    for file in layout.files {
      fileIndex[file.name] = transfer.files.count
      transfer.files.append(.init(path: "\(folder)/\(file.name)", size: file.size))
    }
    for object in layout.objects {
      transfer.blocks.append(
        .init(file: fileIndex[object.file] ?? 0, offset: object.offset, bytes: object.bytes))
    }
    var sources: [Int: PackedSource] = [:]
    for (chunk, item) in zip(chunks, layout.items) {
      let source =
        sources[chunk.slot] ?? PackedSource(weights, slots[chunk.slot].slot, chunk.source)
      sources[chunk.slot] = source
      let shard = chunk.shard
      transfer.tasks.append(
        .init(
          name: chunk.key, file: fileIndex[item.file] ?? 0, offset: item.offset,
          count: shard.sizes.count, source: chunk.source, target: chunk.target,
          archive: shard.sizes, work: source.work
        ) { try source.runs(rows: shard.rows, columns: shard.columns) })
      transfer.tasks[transfer.tasks.count - 1].needs = source.needs
    }
    let files = MegatronRunFiles(
      model: model, blueprint: blueprint, options: options, dtype: mainType,
      remembersFiles: !weights.isQuantised)
    try files.add(to: &transfer, folder: folder, carried: carried)
    transfer.after.append((path: "\(folder)/.metadata", bytes: layout.encodedMetadata()))
    try files.addPointers(to: &transfer, folder: folder)
    return transfer
  }

  /// The type of most of the source.
  private var mainSourceType: DType {
    var elements: [DType: Int] = [:]
    for tensor in weights.names.lazy.compactMap({ weights[$0] }) where tensor.dtype.isFloat {
      elements[tensor.dtype, default: 0] += tensor.shape.count
    }
    return elements.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key
      ?? .bfloat16
  }

  /// The type of most of the model.
  private var mainType: DType {
    var bytes: [DType: Int] = [:]
    for chunk in chunks { bytes[chunk.target, default: 0] += chunk.shard.sizes.count }
    return bytes.max { $0.value < $1.value }?.key ?? .bfloat16
  }
}

extension MegatronPiece {
  /// Makes the first axis longer: a vocabulary padded so that ranks share it evenly.
  mutating func pad(to count: Int) {
    guard !shape.dimensions.isEmpty, count > shape[0] else { return }
    rows = rows.lowerBound..<rows.lowerBound + count
    shape.dimensions[0] = count
  }
}
