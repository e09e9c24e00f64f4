import Tensors

/// The state of a Megatron checkpoint that is not sharded, as a converter writes it.
public enum CommonState {
  /// Where Megatron-Core since 0.19 keeps it, instead of in `common.pt`.
  public static let objectKey = "common_state/shard_0_1"

  /// The bytes of a `common.pt` without optimizer, scheduler or random state: what Megatron-Bridge
  /// writes after an import, and every Megatron-Core reads.
  public static func encoded(iteration: Int) -> [UInt8] {
    let content = PickleDictionary([
      (.string("singleton_local_shards"), .bool(false)),
      (.string("chained_optim_avoid_prefix"), .bool(true)),
    ])
    let fields = PickleDictionary([
      (.string("checkpoint_version"), .float(3)),
      (.string("iteration"), .integer(iteration)),
      (.string("content_metadata"), .dictionary(content)),
    ])
    return TorchZip.archive(of: .dictionary(fields), name: "common")
  }

  /// The bytes of an `_extra_state` object of a Transformer Engine module without FP8, of which
  /// Megatron-Bridge stores one for every linear layer: a list of one empty tensor.
  ///
  /// - Throws: `MegatronError.torchFile`, never in practice.
  public static func emptyExtraState() throws(MegatronError) -> [UInt8] {
    do throws(TorchFileError) {
      let tensor = try PickleValue.tensor(key: "0", dtype: .uint8, shape: [0])
      return TorchZip.archive(of: .list(PickleList([tensor])), tensors: [[]])
    } catch { throw .torchFile(error) }
  }

  /// The bytes of an `_extra_state` object of Megatron's own layers: a list of one `None`.
  public static func noExtraState() -> [UInt8] {
    TorchZip.archive(of: .list(PickleList([.none])))
  }
}
