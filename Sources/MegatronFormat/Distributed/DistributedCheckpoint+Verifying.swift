import Tensors

extension DistributedCheckpoint {
  /// Reads every item and compares the checksum of each of its records; memory stays small.
  ///
  /// A stored checksum of 0 means that the writer did not compute one.
  ///
  /// - Parameter progress: told, after each item, how many bytes have been read so far.
  /// - Throws: `MegatronError.damagedItem` at the first record that differs, or what opening an
  ///   item throws.
  public func verify(progress: (Int) -> Void = { _ in }) throws(MegatronError) {
  }
}
