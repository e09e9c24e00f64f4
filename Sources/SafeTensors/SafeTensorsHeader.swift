import JSON
import Tensors

/// One tensor as a header describes it.
public struct TensorEntry: Hashable, Sendable {
  public let name: String
  public let dtype: DType
  public let shape: Shape
  /// The tensor's bytes, counted from the start of the data (not of the file).
  public let range: Range<Int>

  public var byteCount: Int { range.count }
}

/// The header of a safetensors file: which tensors it holds, and where.
///
/// A value of this type has been validated to the letter of the format: types, shapes and offsets
/// agree, and the tensors tile the data without gap or overlap. It holds no file: `SafeTensorsFile`
/// reads one, `SafeTensorsWriter` writes one.
public struct SafeTensorsHeader: Sendable {
  public typealias Metadata = [(name: String, value: String)]

  /// The longest JSON text that the format allows, in bytes.
  public static let lengthLimit = 100_000_000

  /// The tensors in the order of their data.
  public let tensors: [TensorEntry]
  public let namesInHeaderOrder: [String]
  /// The free text entries, in the order of the header.
  public let metadata: Metadata
  /// The start of the file as it is: eight bytes of length, then the JSON text with its padding.
  public let rawHeader: [UInt8]
  private let positions: [String: Int]

  init(
    sorted tensors: [TensorEntry], namesInHeaderOrder: [String], metadata: Metadata,
    rawHeader: [UInt8]
  ) {
    self.tensors = tensors
    self.namesInHeaderOrder = namesInHeaderOrder
    self.metadata = metadata
    self.rawHeader = rawHeader
    var positions = [String: Int](minimumCapacity: tensors.count)
    for (position, tensor) in tensors.enumerated() { positions[tensor.name] = position }
    self.positions = positions
  }

  /// Where the data starts in the file.
  public var dataOffset: Int { rawHeader.count }

  /// The bytes of all tensors together.
  public var dataLength: Int { tensors.last?.range.upperBound ?? 0 }

  /// The size of the whole file in bytes.
  public var fileSize: Int { dataOffset + dataLength }

  public subscript(name: String) -> TensorEntry? { positions[name].map { tensors[$0] } }

  /// Where a tensor starts in the file, or `nil` if there is no such tensor.
  public func fileOffset(of name: String) -> Int? {
    self[name].map { dataOffset + $0.range.lowerBound }
  }
}
