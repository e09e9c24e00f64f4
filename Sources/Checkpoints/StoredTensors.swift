import Blueprint
import MegatronFormat
import Tensors

/// The Hugging Face tensors that a checkpoint can give, by name.
struct StoredTensors: Sendable {
  struct Origin: Sendable {
    var slot: StoredSlot
    var part: Int

    var shape: Shape { slot.slot.parts[part].shape }
  }

  /// In the blueprint's order.
  private(set) var names: [String] = []
  /// Every name the blueprint has, given or not.
  private(set) var known: Set<String> = []
  private(set) var origins: [String: Origin] = [:]
  /// Keys that Hugging Face has no tensor for, and whose values are not the one they should be.
  private(set) var changed: [String] = []
  /// Keys that Hugging Face has no tensor for, and whose values are as they should be.
  private(set) var constants: Set<String> = []
  private(set) var notes: [String] = []

  /// - Parameter besides: tensors that are known to be kept elsewhere.
  init(
    _ blueprint: Blueprint, _ checkpoint: MegatronModel, besides: Set<String>, isStrict: Bool
  ) throws {
    let megatron = MegatronNames(blueprint)
    var coverage = Coverage()
    var used: Set<String> = []
    var missingPredictors: [String] = []
    for placed in blueprint.slots {
      let parts = placed.slot.parts.map(\.name)
      known.formUnion(parts)
      if parts.isEmpty {
        used.formUnion(try addConstant(placed, in: checkpoint, megatron))
        continue
      }
      guard let slot = try StoredSlot.find(placed, in: checkpoint, megatron) else {
        let gap = StoredSlot.gap(placed, in: checkpoint, megatron)
        used.formUnion(gap.present)
        coverage.wrongShape += gap.wrongShape
        if placed.isPredictor, gap.present.isEmpty {
          missingPredictors += gap.missing
        } else {
          coverage.missing += gap.missing
        }
        continue
      }
      used.formUnion(slot.pieces.map(\.piece.key))
      if try !slot.isFilled() { changed += slot.pieces.map(\.piece.key) }
      for (index, name) in parts.enumerated() {
        names.append(name)
        origins[name] = Origin(slot: slot, part: index)
      }
    }
    if !missingPredictors.isEmpty {
      let hasSome = blueprint.slots.contains { placed in
        placed.isPredictor && placed.slot.parts.contains { origins[$0.name] != nil }
      }
      if origins.isEmpty || hasSome {
        coverage.missing += missingPredictors
      } else if blueprint.predictors.contains(where: \.isStated) {
        notes.append("The checkpoint has no multi-token predictors; exported without.")
      }
    }
    // Stacked layers share their keys.
    coverage.missing = coverage.missing.uniqued()
    coverage.wrongShape = coverage.wrongShape.uniqued()
    coverage.extra = checkpoint.tensors.keys.filter { !used.contains($0) }.sorted()
    if isStrict, !coverage.isComplete {
      throw ConversionError.coverage(coverage, in: checkpoint.folder)
    }
    changed = changed.uniqued()
    constants.subtract(changed)
    if isStrict, let key = changed.first {
      throw ConversionError.notConstant(key: key, folder: checkpoint.folder)
    }
    notes += changed.map { "Hugging Face has no tensor for its new values, left out: \($0)" }
    notes += coverage.missing.map { "Missing, left out: \($0)" }
    notes += coverage.wrongShape.map { "Another shape, left out: \($0.name)" }
    notes += coverage.extra.map { "Not known, left out: \($0)" }
    addDuplicates(blueprint.everyDuplicate.filter { !besides.contains($0.key) })
  }
}

extension StoredTensors {
  private mutating func addDuplicates(_ duplicates: [String: String]) {
    known.formUnion(duplicates.keys)
    for (name, original) in duplicates { origins[name] = origins[original] }
  }

  /// Looks at a slot that Hugging Face has no tensor for; returns its keys.
  ///
  /// A checkpoint may do without it: its values are known.
  private mutating func addConstant(
    _ placed: PlacedSlot, in checkpoint: MegatronModel, _ names: MegatronNames
  ) throws -> [String] {
    guard let found = try StoredSlot.find(placed, in: checkpoint, names) else { return [] }
    let keys = found.pieces.map(\.piece.key)
    if try found.isFilled() { constants.formUnion(keys) } else { changed += keys }
    return keys
  }
}

/// One slot of a blueprint, found in a Megatron checkpoint.
struct StoredSlot: Sendable {
  let slot: Slot
  let pieces: [(piece: MegatronPiece, tensor: DistributedTensor)]

  var dtype: DType { pieces[0].tensor.dtype }

  /// Finds a slot under one of its spellings.
  ///
  /// - Returns: `nil` where none of the spellings is complete.
  /// - Throws: `ConversionError.mixedTypes` if its pieces have different types.
  static func find(
    _ placed: PlacedSlot, in model: MegatronModel, _ names: MegatronNames
  ) throws(ConversionError) -> StoredSlot? {
    for spelling in names.spellings(of: placed) {
      var found: [(piece: MegatronPiece, tensor: DistributedTensor)] = []
      for piece in spelling {
        guard let tensor = model.tensors[piece.key],
          piece.fits(tensor.shape, paddedRows: placed.slot.split == .vocabulary)
        else { break }
        found.append((piece, tensor))
      }
      guard found.count == spelling.count else { continue }
      let types = found.map(\.tensor.dtype)
      guard types.allSatisfy({ $0 == types[0] }) else {
        throw .mixedTypes(tensors: found.map(\.piece.key), types: types)
      }
      return StoredSlot(slot: placed.slot, pieces: found)
    }
    return nil
  }

  /// What keeps a slot from being found, by the spelling that most keys are there of.
  struct Gap {
    var present: [String] = []
    var missing: [String] = []
    var wrongShape: [Coverage.WrongShape] = []
  }

  static func gap(_ placed: PlacedSlot, in model: MegatronModel, _ names: MegatronNames) -> Gap {
    var best: Gap?
    for spelling in names.spellings(of: placed) {
      var gap = Gap()
      for piece in spelling {
        guard let tensor = model.tensors[piece.key] else {
          gap.missing.append(piece.key)
          continue
        }
        gap.present.append(piece.key)
        if !piece.fits(tensor.shape, paddedRows: placed.slot.split == .vocabulary) {
          gap.wrongShape.append(
            .init(name: piece.key, expected: piece.keyShape, found: tensor.shape))
        }
      }
      if gap.present.count > best?.present.count ?? -1 { best = gap }
    }
    return best ?? Gap()
  }

  /// The bytes of one Hugging Face tensor.
  func runs(part: Int) throws -> ByteRuns {
    let stored = try storedRuns(part: part)
    guard slot.shift != 0, dtype.isFloat else { return stored }
    return stored.shifted(by: -slot.shift, dtype: dtype)
  }

  /// The values of one Hugging Face tensor as the checkpoint holds them.
  func storedRuns(part: Int) throws -> ByteRuns {
    let rowBytes = slot.rowWidth * dtype.byteWidth
    return try slot.layout.unpack(part: part, rowBytes: rowBytes, dtype: dtype) {
      range throws(MegatronError) in try packed(range)
    }
  }

  /// Whether what Megatron alone holds is what the layout says: a constant, zeros, copies of other rows.
  func isFilled() throws -> Bool {
    switch slot.layout {
    case .filled(let value):
      guard dtype.isFloat else { return false }
      let expected = ByteRuns(repeating: value, count: slot.shape.count, dtype: dtype)
      return try TensorComparison.areEqual(packed(0..<slot.rows), expected)
    case .rows(let segments), .transposed(let segments, _):
      let rowBytes = slot.rowWidth * dtype.byteWidth
      var row = 0
      for segment in segments {
        defer { row += segment.count }
        guard segment.use != .own else { continue }
        let expected =
          segment.use == .zeros
          ? ByteRuns(.zeros(segment.count * rowBytes))
          : try storedRuns(part: segment.part).rows(
            first: segment.first, count: segment.count, stride: segment.stride, rowBytes: rowBytes)
        let stored = try packed(row..<row + segment.count)
        guard try TensorComparison.areEqual(stored, expected) else { return false }
      }
      return true
    }
  }

  /// The bytes of a range of packed rows.
  func packed(_ rows: Range<Int>) throws(MegatronError) -> ByteRuns {
    var result = ByteRuns()
    for (piece, tensor) in pieces {
      let wanted = rows.clamped(to: piece.rows)
      guard !wanted.isEmpty else { continue }
      let local =
        wanted.lowerBound - piece.rows.lowerBound..<wanted.upperBound - piece.rows.lowerBound
      let lead = piece.lead.map { $0.index..<$0.index + 1 }
      for region in piece.regions(local) {
        result.append(try tensor.runs(region: lead + region))
      }
    }
    return result
  }
}

extension MegatronPiece {
  /// Whether a stored tensor can be this piece's key; a padded vocabulary may be longer.
  func fits(_ shape: Shape, paddedRows: Bool) -> Bool {
    if shape == keyShape { return true }
    guard paddedRows, shape.rank == keyShape.rank else { return false }
    return shape.dimensions.dropFirst() == keyShape.dimensions.dropFirst()
      && shape[0] >= keyShape[0]
  }

  /// The regions of the piece that hold a range of its rows, in order.
  ///
  /// The rows of an expert bank run over two axes.
  func regions(_ rows: Range<Int>) -> [[Range<Int>]] {
    // A tensor without axes is one row.
    guard !shape.dimensions.isEmpty else { return [[]] }
    guard isBank else {
      return [[rows] + shape.dimensions.dropFirst().map { 0..<$0 }]
    }
    let height = shape[1]
    var regions: [[Range<Int>]] = []
    var row = rows.lowerBound
    while row < rows.upperBound {
      let expert = row / height
      let end = min(rows.upperBound, (expert + 1) * height)
      regions.append(
        [expert..<expert + 1, row - expert * height..<end - expert * height]
          + shape.dimensions.dropFirst(2).map { 0..<$0 })
      row = end
    }
    return regions
  }
}

extension Array where Element: Hashable {
  /// The elements, each at its first place.
  func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
