/// Floating-point numbers with something added to each, rounded once to their own type.
final class ShiftedBytes: ComputedBytes {
  private let source: ByteRuns
  private let shift: Double
  private let dtype: DType

  var byteCount: Int { source.byteCount }
  var rowBytes: Int { dtype.byteWidth }

  init(_ source: ByteRuns, by shift: Double, dtype: DType) {
    precondition(dtype.isFloat)
    self.source = source
    self.shift = shift
    self.dtype = dtype
  }

  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) throws(FileError) {
    precondition(columns == 0..<rowBytes)
    let most = scratch.capacity / rowBytes
    for start in stride(from: 0, to: rows.count, by: most) {
      let part = rows.part(start..<min(rows.count, start + most))
      try scratch.fill(
        source.rows(first: part.first, count: part.count, stride: part.step, rowBytes: rowBytes))
      scratch.add(shift, to: part.count, dtype: dtype)
      let made = scratch.memory[..<(part.count * rowBytes)]
      UnsafeMutableRawBufferPointer(rebasing: target[(start * rowBytes)...])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: made))
    }
  }
}

extension ByteRuns {
  /// The same numbers with `shift` added to each.
  public func shifted(by shift: Double, dtype: DType) -> ByteRuns {
    shift == 0 || byteCount == 0
      ? self : ByteRuns(computed: ShiftedBytes(self, by: shift, dtype: dtype))
  }
}

extension ByteBuffer {
  /// Adds a number to each of the first `count` elements, in float32 unless they are wider.
  public func add(_ shift: Double, to count: Int, dtype: DType) {
    precondition(dtype.isFloat && count * dtype.byteWidth <= capacity)
    switch dtype {
    case .bfloat16:
      let values = memory.assumingMemoryBound(to: UInt16.self)
      for index in 0..<count {
        let value = Float(bitPattern: UInt32(values[index]) << 16)
        values[index] = bfloat16Bits(value + Float(shift))
      }
    case .float16:
      let values = memory.assumingMemoryBound(to: Float16.self)
      for index in 0..<count { values[index] = Float16(Float(values[index]) + Float(shift)) }
    case .float32:
      let values = memory.assumingMemoryBound(to: Float.self)
      for index in 0..<count { values[index] += Float(shift) }
    default:
      let values = memory.assumingMemoryBound(to: Double.self)
      for index in 0..<count { values[index] += shift }
    }
  }
}
