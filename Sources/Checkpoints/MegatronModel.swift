import Blueprint
import MegatronFormat
import Tensors

/// The weights of a Megatron checkpoint, by keys as Megatron-Core spells them.
///
/// Optimizer, random state and other training state is left aside; wrappers' prefixes
/// (`module.`, `model.`) are taken off.
public struct MegatronModel: Sendable {
  public let folder: String
  public let checkpoint: DistributedCheckpoint
  /// By key without prefixes; where two would have the same, the second keeps its own.
  public let tensors: [String: DistributedTensor]

  /// Opens a run folder or one iteration in it.
  ///
  /// - Throws: `MegatronError`.
  public init(path: String) throws {
    let run = try RunFolder(resolving: path)
    folder = run.folder
    checkpoint = try DistributedCheckpoint(folder: run.weights)
    var tensors: [String: DistributedTensor] = [:]
    // Keys without a prefix come first, so that no tensor takes another's place.
    let keys = checkpoint.tensors.keys.filter { !Self.isTrainingState($0) }
      .map { (key: $0, bare: Self.bareKey($0)) }
      .sorted { ($0.key != $0.bare ? 1 : 0, $0.key) < ($1.key != $1.bare ? 1 : 0, $1.key) }
    for (key, bare) in keys {
      tensors[tensors[bare] == nil ? bare : key] = checkpoint.tensors[key]
    }
    self.tensors = tensors
  }

  /// Whether a key belongs to the state of training rather than to the model (FORMATS.md B.10).
  static func isTrainingState(_ key: String) -> Bool {
    trainingHeads.contains { key.hasPrefix($0) } || isExtraState(key)
  }

  /// Whether a key is that of what Transformer Engine keeps of a layer.
  static func isExtraState(_ key: String) -> Bool { key.holds("._extra_state") }

  private static let trainingHeads = [
    "optimizer.", "optimizer/", "chained_", "rng_state", "common_state", "rerun_state_machine",
    "opt_param_scheduler", "train_state",
  ]

  /// The key without the prefixes that wrappers put before it.
  static func bareKey(_ key: String) -> String {
    var bare = Substring(key)
    while let head = ["module.", "model."].first(where: { bare.hasPrefix($0) }) {
      bare = bare.dropFirst(head.count)
    }
    return String(bare)
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
    let rowBytes = slot.rowWidth * dtype.byteWidth
    return try slot.layout.unpack(
      part: part, rows: slot.rows, rowBytes: rowBytes, elementSize: dtype.byteWidth
    ) { range throws(MegatronError) in try packed(range) }
  }

  /// The bytes of a range of packed rows.
  private func packed(_ rows: Range<Int>) throws(MegatronError) -> ByteRuns {
    var result = ByteRuns()
    for (piece, tensor) in pieces {
      let wanted = rows.clamped(to: piece.rows)
      guard !wanted.isEmpty else { continue }
      let local =
        wanted.lowerBound - piece.rows.lowerBound..<wanted.upperBound - piece.rows.lowerBound
      let lead = piece.lead.map { $0.index..<$0.index + 1 }
      for region in piece.regions(local, isBank: slot.split.isExpert && piece.shape.rank == 3) {
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
  /// - Parameter isBank: whether the first axis counts experts, so that rows run over two axes.
  func regions(_ rows: Range<Int>, isBank: Bool) -> [[Range<Int>]] {
    guard isBank else {
      return [[rows] + shape.dimensions.dropFirst().map { 0..<$0 }]
    }
    let height = shape[1]
    var regions: [[Range<Int>]] = []
    var row = rows.lowerBound
    while row < rows.upperBound {
      let expert = row / height
      let end = min(rows.upperBound, (expert + 1) * height)
      regions.append([
        expert..<expert + 1, row - expert * height..<end - expert * height, 0..<shape[2],
      ])
      row = end
    }
    return regions
  }
}
