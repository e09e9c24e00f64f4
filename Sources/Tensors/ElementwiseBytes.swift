/// Numbers of which each is changed by itself: shifted or scaled.
final class ElementwiseBytes: ComputedBytes {
  private let source: ByteRuns
  /// Changes the first so many numbers of a buffer.
  private let change: @Sendable (ByteBuffer, _ count: Int) -> Void

  var byteCount: Int { source.byteCount }
  let rowBytes: Int

  init(
    _ source: ByteRuns, elementSize: Int, change: @escaping @Sendable (ByteBuffer, Int) -> Void
  ) {
    self.source = source
    rowBytes = elementSize
    self.change = change
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
      change(scratch, part.count)
      let made = scratch.memory[..<(part.count * rowBytes)]
      UnsafeMutableRawBufferPointer(rebasing: target[(start * rowBytes)...])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: made))
    }
  }
}

extension ByteRuns {
  /// The same numbers with `shift` added to each, rounded once to their own type.
  public func shifted(by shift: Double, dtype: DType) -> ByteRuns {
    guard shift != 0, byteCount > 0 else { return self }
    precondition(dtype.isFloat)
    return ByteRuns(
      computed: ElementwiseBytes(self, elementSize: dtype.byteWidth) { buffer, count in
        buffer.add(shift, to: count, dtype: dtype)
      })
  }

  /// The same float32 numbers multiplied by a factor, each rounded once.
  public func scaled(by factor: Double) -> ByteRuns {
    guard factor != 1, byteCount > 0 else { return self }
    return ByteRuns(
      computed: ElementwiseBytes(self, elementSize: 4) { buffer, count in
        let values = buffer.memory.assumingMemoryBound(to: Float.self)
        for index in 0..<count { values[index] = Float(Double(values[index]) * factor) }
      })
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
