/// The same element again and again.
final class ConstantBytes: ComputedBytes {
  private let element: [UInt8]
  let byteCount: Int
  var rowBytes: Int { element.count }

  init(_ element: [UInt8], count: Int) {
    self.element = element
    byteCount = element.count * count
  }

  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) {
    for index in target.indices {
      target[index] = element[columns.lowerBound + index % columns.count]
    }
  }
}

extension ByteRuns {
  /// A number as a floating-point type holds it, `count` times.
  public init(repeating value: Double, count: Int, dtype: DType) {
    let element = dtype.bytes(of: value)
    guard element.contains(where: { $0 != 0 }) else {
      self.init(.zeros(element.count * count))
      return
    }
    self.init(computed: ConstantBytes(element, count: count))
  }
}

extension DType {
  /// The bytes of the nearest number that the type, one of `isFloat`, holds.
  func bytes(of value: Double) -> [UInt8] {
    precondition(isFloat)
    let buffers = (ByteBuffer(capacity: 8), ByteBuffer(capacity: 8))
    buffers.0.memory.storeBytes(of: value, as: Double.self)
    buffers.0.convert(1, from: .float64, to: self, into: buffers.1)
    return buffers.1.bytes(0..<byteWidth)
  }
}
