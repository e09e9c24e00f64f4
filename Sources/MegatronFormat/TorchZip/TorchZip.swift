import Tensors

/// One archive that `torch.save` wrote: a whole file, or one item inside a `.distcp`.
///
/// Opening it reads the list of records only; tensors are places in the file, never copied.
public struct TorchZip: Sendable {
  public let file: InputFile
  public let range: Range<Int>
  /// The absolute bytes of each record, by its name without the archive's (`data.pkl`, `data/0`).
  public let records: [String: Range<Int>]
  private let checksums: [String: UInt32]

  /// Reads the list of records of the archive that fills a range of a file.
  ///
  /// - Throws: `TorchFileError` where the range holds no archive as PyTorch writes it: all records
  ///   stored, inside the range, with one leading folder and different names, little-endian.
  public init(file: InputFile, range: Range<Int>) throws(TorchFileError) {
    self.file = file
    self.range = range
    guard range.lowerBound >= 0, range.upperBound <= file.size else {
      throw .file(.endOfFile(path: file.path, wanted: range, size: file.size))
    }
    let bytes = try ZipBytes(file, range)
    let directory = try ZipDirectory(bytes)
    var records: [String: Range<Int>] = [:]
    var checksums: [String: UInt32] = [:]
    var folder: Substring?
    for record in directory.records {
      guard let slash = record.name.firstIndex(of: "/") else {
        throw bytes.malformed(record.range.lowerBound, "the record \(record.name) has no folder")
      }
      let own = record.name[..<slash]
      guard folder == nil || folder == own else {
        throw bytes.malformed(record.range.lowerBound, "its records lie in two folders")
      }
      folder = own
      let name = String(record.name[record.name.index(after: slash)...])
      guard records.updateValue(record.range, forKey: name) == nil else {
        throw .duplicateRecord(bytes.place, record: name)
      }
      checksums[name] = record.crc32
    }
    self.records = records
    self.checksums = checksums
    if let order = records["byteorder"] {
      let text = String(decoding: try bytes.read(order).prefix(16), as: UTF8.self)
      guard text == "little" else { throw .byteOrder(bytes.place, found: text) }
    }
  }

  /// Opens a whole file.
  public init(path: String) throws(TorchFileError) {
    let file: InputFile
    do throws(FileError) { file = try InputFile(path) } catch { throw .file(error) }
    try self.init(file: file, range: 0..<file.size)
  }

  var place: TorchPlace { TorchPlace(path: file.path, offset: range.lowerBound) }

  /// The bytes of a small record.
  public func bytes(of record: String) throws(TorchFileError) -> [UInt8] {
    guard let range = records[record] else { throw .missingRecord(place, record: record) }
    do throws(FileError) { return try file.read(range) } catch { throw .file(error) }
  }

  /// The object the archive holds.
  public func pickle(policy: Unpickler.Policy) throws(TorchFileError) -> PickleValue {
    let bytes = try bytes(of: "data.pkl")
    do throws(PickleError) {
      return try Unpickler.load(bytes, policy: policy)
    } catch {
      throw .pickle(place, error)
    }
  }

  /// The place of a tensor in the pickle of this archive.
  ///
  /// - Parameter value: a call of `_rebuild_tensor`, its successors, or `_rebuild_parameter`.
  /// - Throws: `TorchFileError` if it is none, or reaches outside its storage.
  public func tensor(from value: PickleValue) throws(TorchFileError) -> StoredTensor {
    try rebuilder.tensor(from: value)
  }

  /// The tensor of an archive that holds nothing else.
  public func soleTensor() throws(TorchFileError) -> StoredTensor {
    try tensor(from: pickle(policy: .tensors))
  }

  /// All tensors in a value's dictionaries, lists and tuples, with their keys joined by dots.
  public func tensors(
    in value: PickleValue
  ) throws(TorchFileError) -> [(path: String, tensor: StoredTensor)] {
    try rebuilder.tensors(in: value)
  }

  private var rebuilder: TensorRebuilder {
    TensorRebuilder(place: place, file: file) { (key) throws(TorchFileError) in
      guard let range = records["data/" + key] else {
        throw .missingRecord(place, record: "data/" + key)
      }
      return range
    }
  }

  /// Compares every record with its CRC-32, in the order of the file and in bounded memory.
  ///
  /// A checksum of 0 means that PyTorch was told to keep none.
  ///
  /// - Throws: `TorchFileError.checksum` at the first that differs.
  public func verifyChecksums() throws(TorchFileError) {
    let longest = records.values.map(\.count).max() ?? 0
    let buffer = ByteBuffer(capacity: max(1, min(longest, 1 << 20)))
    for (name, range) in records.sorted(by: { $0.value.lowerBound < $1.value.lowerBound }) {
      guard let expected = checksums[name], expected != 0 else { continue }
      var crc: UInt32 = 0
      var position = range.lowerBound
      while position < range.upperBound {
        let length = min(buffer.capacity, range.upperBound - position)
        do throws(FileError) {
          try buffer.fill(ByteRuns(ByteRun(file: file, offset: position, length: length)))
        } catch {
          throw .file(error)
        }
        crc = buffer.crc32(0..<length, continuing: crc)
        position += length
      }
      guard crc == expected else {
        throw .checksum(place, record: name, expected: expected, found: crc)
      }
    }
  }
}
