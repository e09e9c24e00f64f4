import Tensors

extension TrainState {
  /// The bytes of `train_state.pt`, and of its copy `latest_train_state.pt` beside the iterations.
  ///
  /// As Megatron-Bridge 0.6 writes them: counts as int64, the operations as float32.
  ///
  /// - Throws: `MegatronError.torchFile`, never in practice: every type is one PyTorch has.
  public func encoded() throws(MegatronError) -> [UInt8] {
    let operations = floatingPointOperations.bitPattern
    let fields: [(name: String, dtype: DType, bytes: [UInt8])] = [
      ("step", .int64, count(step)),
      ("consumed_train_samples", .int64, count(consumedTrainSamples)),
      ("skipped_train_samples", .int64, count(skippedTrainSamples)),
      ("consumed_valid_samples", .int64, count(consumedValidSamples)),
      ("floating_point_operations_so_far", .float32, Self.bytes(UInt64(operations), 4)),
      ("do_train", .bool, [doTrain ? 1 : 0]),
      ("do_valid", .bool, [doValid ? 1 : 0]),
      ("do_test", .bool, [doTest ? 1 : 0]),
    ]
    var items: [(key: PickleValue, value: PickleValue)] = []
    for (index, field) in fields.enumerated() {
      do throws(TorchFileError) {
        let tensor = try PickleValue.tensor(key: "\(index)", dtype: field.dtype, shape: [])
        items.append((.string(field.name), tensor))
      } catch { throw .torchFile(error) }
    }
    return TorchZip.archive(
      of: .dictionary(PickleDictionary(items)), name: "train_state", tensors: fields.map(\.bytes))
  }

  private func count(_ value: Int) -> [UInt8] {
    Self.bytes(UInt64(bitPattern: Int64(value)), 8)
  }

  /// The low bytes of a number, little endian.
  private static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }
}
