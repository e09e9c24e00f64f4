import Synchronization
import Tensors

/// The items of a distributed checkpoint, opened when first asked for and remembered.
///
/// Several workers may ask at once; an item may then be opened twice, and both get the same answer.
final class ItemStore: Sendable {
  /// What one item must be, and where.
  struct Item: Sendable {
    let key: String
    let storage: DistributedMetadata.Storage
    /// `nil` for a byte object.
    let tensor: (dtype: DType, sizes: [Int])?
  }

  /// Where an item begins.
  private struct Place: Hashable {
    let file: String
    let offset: Int
  }

  let folder: String
  private let files = Mutex<[String: InputFile]>([:])
  private let opened = Mutex<[Place: StoredTensor]>([:])

  init(folder: String) { self.folder = folder }

  func path(_ item: Item) -> String { folder + "/" + item.storage.file }

  /// The tensor that an item stores, checked against what `.metadata` says of it.
  func tensor(_ item: Item) throws(MegatronError) -> StoredTensor {
    let place = Place(file: item.storage.file, offset: item.storage.offset)
    if let known = opened.withLock({ $0[place] }), matches(item, known) { return known }
    let archive = try archive(item)
    let stored: StoredTensor
    do throws(TorchFileError) { stored = try archive.soleTensor() } catch {
      throw .torchFile(error)
    }
    if let expected = item.tensor, !matches(item, stored) {
      throw .wrongItem(
        file: path(item), offset: item.storage.offset, key: item.key,
        expected: "\(expected.dtype.rawValue) of shape \(Shape(expected.sizes))",
        found: "\(stored.dtype.rawValue) of shape \(stored.shape)")
    }
    opened.withLock { $0[place] = stored }
    return stored
  }

  private func matches(_ item: Item, _ stored: StoredTensor) -> Bool {
    guard let expected = item.tensor else { return true }
    return stored.dtype == expected.dtype && stored.shape.dimensions == expected.sizes
  }

  /// The torch.save archive of an item.
  func archive(_ item: Item) throws(MegatronError) -> TorchZip {
    let file = try file(item)
    let range = item.storage.offset..<item.storage.offset + item.storage.length
    let start: [UInt8]
    do throws(FileError) {
      start = try file.read(range.lowerBound..<range.lowerBound + min(4, range.count))
    } catch { throw .file(error) }
    guard start == [0x50, 0x4B, 0x03, 0x04] else {
      // That option of the writer stores bare elements, one behind the other.
      if let tensor = item.tensor,
        Shape(tensor.sizes).checkedByteCount(tensor.dtype) == item.storage.length
      {
        throw .safetensorsItem(file: path(item), key: item.key)
      }
      throw .wrongItem(
        file: path(item), offset: item.storage.offset, key: item.key,
        expected: "a torch.save archive", found: "bytes that begin with \(start)")
    }
    do throws(TorchFileError) { return try TorchZip(file: file, range: range) } catch {
      throw .torchFile(error)
    }
  }

  private func file(_ item: Item) throws(MegatronError) -> InputFile {
    let name = item.storage.file
    if let known = files.withLock({ $0[name] }) { return known }
    let file: InputFile
    do throws(FileError) { file = try InputFile(folder + "/" + name) } catch { throw .file(error) }
    // Whoever comes second takes the file of whoever came first: runs of one file must join.
    return files.withLock { files in
      if let known = files[name] { return known }
      files[name] = file
      return file
    }
  }
}
