extension DistributedCheckpoint {
  /// Reads every item whole, in the order of the files, and compares the checksum of each of its
  /// records; memory stays small.
  ///
  /// A stored checksum of 0 means that the writer did not compute one.
  ///
  /// - Parameter progress: told, after each item, how many bytes have been read so far.
  /// - Throws: `MegatronError.torchFile` with `.checksum` at the first record that differs, or what
  ///   reading the item's tensor throws.
  public func verify(progress: (Int) -> Void = { _ in }) throws(MegatronError) {
    var done = 0
    for item in items {
      if item.tensor != nil { _ = try store.tensor(item) }
      let archive = try store.archive(item)
      do throws(TorchFileError) { try archive.verifyChecksums() } catch { throw .torchFile(error) }
      done += item.storage.length
      progress(done)
    }
  }

  /// Every item, in the order in which they lie in their files.
  private var items: [ItemStore.Item] {
    var items = metadata.objects.map { ItemStore.Item(key: $0, storage: $1, tensor: nil) }
    for (key, tensor) in metadata.tensors {
      items += tensor.chunks.map {
        .init(key: key, storage: $0.storage, tensor: (tensor.dtype, $0.sizes))
      }
    }
    return items.sorted {
      ($0.storage.file, $0.storage.offset, $0.key) < ($1.storage.file, $1.storage.offset, $1.key)
    }
  }
}
