import Tensors

extension RunFolder {
  /// The state that was not sharded: the dictionary in `common.pt`, or, since Megatron-Core 0.19,
  /// the byte object `common_state/shard_0_1`.
  ///
  /// - Parameter checkpoint: this folder's checkpoint, where it is open already.
  /// - Returns: `nil` if there is neither (`plainDCP` has none).
  /// - Throws: `MegatronError.torchFile`, or what opening the checkpoint throws.
  public func commonState(
    in checkpoint: DistributedCheckpoint? = nil
  ) throws(MegatronError) -> PickleDictionary? {
    let path = weights + "/common.pt"
    let value: PickleValue
    if Folder.isFile(path) {
      do throws(TorchFileError) {
        value = try TorchZip(path: path).pickle(policy: .inert)
      } catch { throw .torchFile(error) }
    } else {
      guard Folder.isFile(weights + "/.metadata") else { return nil }
      let open: DistributedCheckpoint
      if let checkpoint { open = checkpoint } else { open = try .init(folder: weights) }
      guard open.metadata.objects[CommonState.objectKey] != nil else { return nil }
      value = try open.object(CommonState.objectKey)
    }
    guard case .dictionary(let fields) = value else {
      throw .malformedFile(
        file: path, place: "the top", expected: "a dictionary", found: value.kind)
    }
    return fields
  }

  /// The iteration's `train_state.pt`, which Megatron-Bridge writes; `nil` if there is none.
  public func trainState() throws(MegatronError) -> TrainState? {
    let path = folder + "/train_state.pt"
    return Folder.isFile(path) ? try TrainState(reading: path) : nil
  }

  /// The iteration's `run_config.yaml`, which Megatron-Bridge writes; `nil` if there is none.
  public func runConfig() throws(MegatronError) -> YAMLValue? {
    let path = folder + "/run_config.yaml"
    guard Folder.isFile(path) else { return nil }
    let bytes: [UInt8]
    do throws(FileError) { bytes = try InputFile(path).readAll() } catch { throw .file(error) }
    return try YAMLValue(parsing: bytes, file: path)
  }
}
