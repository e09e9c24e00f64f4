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

  /// What an optimiser keeps for each weight, by the weights' own keys.
  ///
  /// - Parameter names: what it may be called, such as `exp_avg`, the likeliest first (FORMATS.md B.10).
  /// - Returns: `nil` where nothing of any of these names is kept tensor by tensor.
  public func optimiserState(_ names: [String]) -> MegatronModel? {
    for name in names {
      let middle = "optimizer.state.\(name)."
      var found: [String: DistributedTensor] = [:]
      for key in checkpoint.tensorKeys {
        var tail = Substring(key)
        if tail.hasPrefix("chained_"), let dot = tail.firstIndex(of: ".") {
          tail = tail[tail.index(after: dot)...]
        }
        guard tail.hasPrefix(middle) else { continue }
        found[Self.bareKey(String(tail.dropFirst(middle.count)))] = checkpoint.tensors[key]
      }
      if !found.isEmpty { return MegatronModel(folder, checkpoint, found) }
    }
    return nil
  }

  private init(
    _ folder: String, _ checkpoint: DistributedCheckpoint, _ tensors: [String: DistributedTensor]
  ) {
    self.folder = folder
    self.checkpoint = checkpoint
    self.tensors = tensors
  }

  /// The packed rows of a slot, all of them, and their type.
  ///
  /// - Returns: `nil` where the checkpoint has none of its spellings in full.
  /// - Throws: `MegatronError`, `ConversionError.mixedTypes`.
  public func packed(
    _ placed: PlacedSlot, _ names: MegatronNames
  ) throws -> (runs: ByteRuns, dtype: DType)? {
    guard let stored = try StoredSlot.find(placed, in: self, names) else { return nil }
    return (try stored.packed(0..<placed.slot.rows), stored.dtype)
  }

  /// A range of the rows of pieces that stand one below the other, and their type.
  ///
  /// - Returns: `nil` where a piece is not there in its shape.
  public func rows(
    _ range: Range<Int>, of pieces: [MegatronPiece], _ slot: Slot
  ) throws -> (runs: ByteRuns, dtype: DType)? {
    var found: [(piece: MegatronPiece, tensor: DistributedTensor)] = []
    for piece in pieces {
      guard let tensor = tensors[piece.key], piece.fits(tensor.shape, paddedRows: false) else {
        return nil
      }
      found.append((piece, tensor))
    }
    guard let first = found.first else { return nil }
    guard found.allSatisfy({ $0.tensor.dtype == first.tensor.dtype }) else {
      throw ConversionError.mixedTypes(
        tensors: found.map(\.piece.key), types: found.map(\.tensor.dtype))
    }
    return (try StoredSlot(slot: slot, pieces: found).packed(range), first.tensor.dtype)
  }

  /// Whether a key belongs to the state of training rather than to the model (FORMATS.md B.10).
  static func isTrainingState(_ key: String) -> Bool {
    if let first = key.utf8.first, trainingInitials.contains(first),
      trainingHeads.contains(where: { key.hasPrefix($0) })
    {
      return true
    }
    return isExtraState(key)
  }

  /// Whether a key is that of what Transformer Engine keeps of a layer.
  static func isExtraState(_ key: String) -> Bool { key.holds("._extra_state") }

  private static let trainingHeads = [
    "optimizer.", "optimizer/", "chained_", "rng_state", "common_state", "rerun_state_machine",
    "opt_param_scheduler", "train_state",
  ]
  private static let trainingInitials = Set(trainingHeads.compactMap(\.utf8.first))

  /// The key without the prefixes that wrappers put before it.
  static func bareKey(_ key: String) -> String {
    var bare = Substring(key)
    while let head = ["module.", "model."].first(where: { bare.hasPrefix($0) }) {
      bare = bare.dropFirst(head.count)
    }
    return String(bare)
  }
}
