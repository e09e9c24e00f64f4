extension DistributedCheckpoint {
  /// Reads every item whole and compares the checksum of each of its records; memory stays small.
  ///
  /// A stored checksum of 0 means that the writer did not compute one.
  ///
  /// - Parameter progress: told, after each item, how many bytes have been read so far.
  /// - Throws: `MegatronError.torchFile` with `.checksum` at the first record that differs, or what
  ///   reading the item's tensor throws.
  public func verify(progress: (Int) -> Void = { _ in }) throws(MegatronError) {
    var done = 0
    for (index, item) in store.items.enumerated() {
      if item.tensor != nil { _ = try store.tensor(index) }
      let archive = try store.archive(item)
      do throws(TorchFileError) { try archive.verifyChecksums() } catch { throw .torchFile(error) }
      done += item.storage.length
      progress(done)
    }
  }
}
