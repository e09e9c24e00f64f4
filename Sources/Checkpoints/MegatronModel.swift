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
