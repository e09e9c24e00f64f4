import Tensors

/// A `torch.save` file, or one item of a larger file.
public struct TorchPlace: Equatable, Sendable, CustomStringConvertible {
  public let path: String
  /// The first byte of the item; 0 for a whole file.
  public let offset: Int

  public init(path: String, offset: Int) {
    self.path = path
    self.offset = offset
  }

  public var description: String { offset == 0 ? path : "\(path), item at byte \(offset)" }
}

/// Why a `torch.save` file is not read, or a tensor not written.
public enum TorchFileError: Error, Equatable, Sendable {
  case file(FileError)
  case pickle(TorchPlace, PickleError)
  /// Neither a zip archive nor the older format.
  case notTorch(TorchPlace)
  /// The archive's structure contradicts itself; the offset is absolute.
  case malformed(TorchPlace, at: Int, String)
  case compressed(TorchPlace, record: String)
  case duplicateRecord(TorchPlace, record: String)
  case missingRecord(TorchPlace, record: String)
  case byteOrder(TorchPlace, found: String)
  case checksum(TorchPlace, record: String, expected: UInt32, found: UInt32)
  case notATensor(TorchPlace, found: String)
  case malformedTensor(TorchPlace, String)
  case unknownStorage(TorchPlace, name: String)
  case storageSize(TorchPlace, key: String, expected: Int, found: Int)
  /// A tensor's elements reach outside its storage, both counted in elements.
  case outsideStorage(TorchPlace, key: String, needed: Int, available: Int)
  /// PyTorch cannot store such a tensor.
  case notStorable(DType, Shape)
}

extension TorchFileError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .file(let error): error.description
    case .pickle(let place, let error): "\(place): \(error)."
    case .notTorch(let place):
      "\(place) is no file that torch.save wrote; it may be cut short, download or copy it again."
    case .malformed(let place, let offset, let what):
      "\(place) is damaged at byte \(offset): \(what); download or copy it again."
    case .compressed(let place, let record):
      "\(place): the record \(record) is compressed or encrypted, which torch.save never does; "
        + "save the file with torch again."
    case .duplicateRecord(let place, let record):
      "\(place) is damaged: it has two records named \(record)."
    case .missingRecord(let place, let record):
      "\(place) has no record \(record), which a torch.save archive needs."
    case .byteOrder(let place, let found):
      "\(place) has the byte order \(found); only little-endian files are read."
    case .checksum(let place, let record, let expected, let found):
      "\(place): the record \(record) is damaged: its CRC-32 is \(found), the archive says "
        + "\(expected); download or copy the file again."
    default: tensorDescription
    }
  }

  private var tensorDescription: String {
    switch self {
    case .notATensor(let place, let found): "\(place) should hold a tensor and holds \(found)."
    case .malformedTensor(let place, let what): "\(place) has a malformed tensor: \(what)."
    case .unknownStorage(let place, let name):
      "\(place) has a storage of the kind \(name), which is not known here."
    case .storageSize(let place, let key, let expected, let found):
      "\(place): storage \(key) should have \(expected) bytes and has \(found)."
    case .outsideStorage(let place, let key, let needed, let available):
      "\(place): a tensor needs \(needed) elements of storage \(key), which has \(available)."
    case .notStorable(let dtype, let shape):
      "torch.save cannot hold a tensor of type \(dtype.rawValue) and shape \(shape)."
    default: ""
    }
  }
}
