/// Float32 numbers, each multiplied by the same factor.
final class ScaledBytes: ComputedBytes {
  private let source: ByteRuns
  private let factor: Double

  var byteCount: Int { source.byteCount }
  var rowBytes: Int { 4 }

  init(_ source: ByteRuns, by factor: Double) {
    self.source = source
    self.factor = factor
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
      let values = scratch.memory.assumingMemoryBound(to: Float.self)
      for index in 0..<part.count {
        let product = Float(Double(values[index]) * factor)
        target.storeBytes(of: product, toByteOffset: (start + index) * rowBytes, as: Float.self)
      }
    }
  }
}

extension ByteRuns {
  /// The same float32 numbers multiplied by a factor, each rounded once.
  public func scaled(by factor: Double) -> ByteRuns {
    factor == 1 || byteCount == 0 ? self : ByteRuns(computed: ScaledBytes(self, by: factor))
  }
}
