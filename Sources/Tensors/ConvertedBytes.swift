/// Floating-point numbers in another format.
final class ConvertedBytes: ComputedBytes {
  private let source: ByteRuns
  private let from: DType
  private let to: DType
  private let width: Int

  var byteCount: Int { source.byteCount / from.byteWidth * to.byteWidth }
  var rowBytes: Int { width * to.byteWidth }

  init(_ source: ByteRuns, from: DType, to: DType, width: Int) {
    precondition(from.isFloat && to.isFloat)
    self.source = source
    self.from = from
    self.to = to
    self.width = width
  }

  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) throws(FileError) {
    let wanted = columns.lowerBound / to.byteWidth..<columns.upperBound / to.byteWidth
    precondition(wanted.count * to.byteWidth == columns.count)
    let limit = scratch.capacity / from.byteWidth
    for left in stride(from: wanted.lowerBound, to: wanted.upperBound, by: limit) {
      let part = left..<min(wanted.upperBound, left + limit)
      // What is cut into stretches does not follow on in the target.
      let most = rows.step == 1 && part == wanted ? max(1, limit / part.count) : 1
      for start in stride(from: 0, to: rows.count, by: most) {
        let count = min(most, rows.count - start)
        let row = rows[start]
        let found = source.slice(
          row * width * from.byteWidth..<(row + count) * width * from.byteWidth)
        try scratch.fill(
          found.columns(
            part.lowerBound * from.byteWidth..<part.upperBound * from.byteWidth,
            rowBytes: width * from.byteWidth))
        let first = start * wanted.count + part.lowerBound - wanted.lowerBound
        scratch.convert(
          0..<count * part.count, from: from, to: to,
          into: UnsafeMutableRawBufferPointer(rebasing: target[(first * to.byteWidth)...]))
      }
    }
  }
}

extension ByteRuns {
  /// The same floating-point numbers in another format.
  ///
  /// - Parameter width: the elements of a row.
  public func converted(from: DType, to: DType, width: Int) -> ByteRuns {
    guard from != to, byteCount > 0 else { return self }
    return ByteRuns(computed: ConvertedBytes(self, from: from, to: to, width: width))
  }
}
