extension ByteRuns {
  /// All numbers as float32; for tensors small enough to be held.
  ///
  /// - Throws: `FileError` if they cannot be read.
  public func floats(dtype: DType) throws(FileError) -> [Float] {
    let window = 64 << 10
    let buffers = (ByteBuffer(capacity: window * 8), ByteBuffer(capacity: window * 4))
    let count = byteCount / dtype.byteWidth
    var result: [Float] = []
    result.reserveCapacity(count)
    for first in stride(from: 0, to: count, by: window) {
      let part = first..<min(count, first + window)
      try buffers.0.fill(
        slice(part.lowerBound * dtype.byteWidth..<part.upperBound * dtype.byteWidth))
      buffers.0.convert(part.count, from: dtype, to: .float32, into: buffers.1)
      result.append(
        contentsOf: UnsafeRawBufferPointer(buffers.1.memory)
          .assumingMemoryBound(to: Float.self)[..<part.count])
    }
    return result
  }
}
