import JSON
import Tensors

/// Why a safetensors file or a folder of them cannot be read or written, with the place.
public enum SafeTensorsError: Error, Equatable, Sendable {
  case file(FileError)
  case header(file: String, HeaderFault)
  case noSuchTensor(file: String, tensor: String)
  /// The elements are smaller than a byte; such tensors are listed but not read.
  case subByteData(file: String, tensor: String, dtype: DType)
  /// The bytes given for a tensor do not fit its shape.
  case wrongByteCount(file: String, tensor: String, expected: Int, found: Int)
  /// Everything found wrong with a folder of weights.
  case folder(String, [FolderFault])
}

/// What is wrong with one header.
public enum HeaderFault: Error, Equatable, Sendable {
  /// The file has no room for the length field.
  case noLength(fileSize: Int)
  case tooLong(length: UInt64, limit: Int)
  /// The header reaches past the end of the file.
  case cutShort(length: Int, fileSize: Int)
  /// The first byte is not `{`.
  case notAnObject(found: UInt8?)
  case json(JSONError)
  case metadata(name: String?, expected: String, found: String)
  /// A tensor's entry, or one field of it, is not what the format asks for.
  case entry(tensor: String, field: String?, expected: String, found: String)
  case unknownDType(tensor: String, found: String)
  /// The size in bytes does not fit an `Int`.
  case tooLarge(tensor: String, dtype: DType, shape: Shape)
  /// The last byte of a tensor of sub-byte elements is not full.
  case partialByte(tensor: String, dtype: DType, shape: Shape)
  case reversedOffsets(tensor: String, begin: Int, end: Int)
  /// `expected` bytes follow from type and shape, `found` from the offsets.
  case wrongSize(tensor: String, dtype: DType, shape: Shape, expected: Int, found: Int)
  /// Bytes that belong to no tensor lie before this one.
  case gap(tensor: String, expectedBegin: Int, begin: Int)
  case overlap(tensor: String, previous: String, previousEnd: Int, begin: Int)
  /// The tensors end at byte `expected` of the data, but the file has `found` bytes of data.
  case dataLength(expected: Int, found: Int)
  /// Only when writing: two tensors, or a tensor and the metadata, claim one name.
  case nameTaken(String)
}

/// What is wrong with a folder of weights.
public indirect enum FolderFault: Error, Equatable, Sendable {
  case unreadable(SafeTensorsError)
  /// `found` lists the files that look like weights of another kind.
  case noWeights(found: [String])
  /// Several files, and nothing that says which of them belong together.
  case ambiguous([String])
  case incompleteSet(missing: [String])
  case index(file: String, JSONError)
  case indexField(file: String, field: String, expected: String, found: String)
  case unsafeFileName(file: String, String)
  case missingFile(String, tensors: Int)
  /// The index names a tensor in `file`, which lacks it; `actual` is the shard that has it.
  case missingTensor(String, file: String, actual: String?)
  case duplicateTensor(String, files: [String])
  case unlistedTensors(file: String, [String])
}
