extension ByteRuns {
  /// All whole numbers; for tensors small enough to be held.
  ///
  /// - Returns: `nil` where the type is none of whole numbers or truth values.
  /// - Throws: `FileError` if they cannot be read.
  public func integers(dtype: DType) throws(FileError) -> [Int64]? {
    let buffer = ByteBuffer(capacity: max(1, byteCount))
    try buffer.fill(self)
    func values<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type) -> [Int64] {
      buffer.memory.prefix(byteCount).withMemoryRebound(to: Value.self) {
        $0.map { Int64(truncatingIfNeeded: $0) }
      }
    }
    return switch dtype {
    case .int64: values(Int64.self)
    case .int32: values(Int32.self)
    case .uint32: values(UInt32.self)
    case .int16: values(Int16.self)
    case .uint16: values(UInt16.self)
    case .int8: values(Int8.self)
    case .uint8, .bool: values(UInt8.self)
    default: nil
    }
  }
}
