/// A row-major array of values that are made when they are asked for, out of bytes elsewhere.
///
/// It stands where a file could stand: runs name stretches of it, and are cut and joined without
/// computing anything. Whoever fills a buffer from a run gets the values.
protocol ComputedBytes: AnyObject, Sendable {
  var byteCount: Int { get }
  /// The bytes of one row; runs that follow the rows are made in one go.
  var rowBytes: Int { get }
  /// Whether a large buffer is filled in much less time than many small ones.
  var prefersStrips: Bool { get }

  /// Makes the same stretch of several rows: `target` has room for exactly that.
  ///
  /// - Parameters:
  ///   - columns: the bytes wanted of each row.
  ///   - scratch: memory of the caller's, free to use.
  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) throws(FileError)
}

/// Rows at a fixed distance.
struct RowSteps {
  var first: Int
  var count: Int
  var step: Int

  subscript(index: Int) -> Int { first + index * step }

  func part(_ range: Range<Int>) -> RowSteps {
    RowSteps(first: self[range.lowerBound], count: range.count, step: step)
  }
}

extension ComputedBytes {
  var prefersStrips: Bool { false }

  /// Makes the values of a run: whole rows together, what is cut off of rows by itself.
  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ run: ByteRun, scratch: ByteBuffer
  ) throws(FileError) {
    precondition(
      run.offset >= 0 && run.offset + (run.count - 1) * run.stride + run.length <= byteCount)
    guard rowBytes > 0, !target.isEmpty else { return }
    let column = run.offset % rowBytes
    if run.count > 1, run.stride % rowBytes == 0, column + run.length <= rowBytes {
      let rows = RowSteps(
        first: run.offset / rowBytes, count: run.count, step: run.stride / rowBytes)
      try fill(target, rows, columns: column..<column + run.length, scratch: scratch)
      return
    }
    for piece in 0..<run.count {
      let part = UnsafeMutableRawBufferPointer(
        rebasing: target[piece * run.length..<(piece + 1) * run.length])
      try fill(part, from: run.offset + piece * run.stride, scratch: scratch)
    }
  }

  /// Makes consecutive bytes.
  private func fill(
    _ target: UnsafeMutableRawBufferPointer, from offset: Int, scratch: ByteBuffer
  ) throws(FileError) {
    var done = 0
    while done < target.count {
      let (row, column) = (offset + done).quotientAndRemainder(dividingBy: rowBytes)
      let left = target.count - done
      let isWhole = column == 0 && left >= rowBytes
      let rows = RowSteps(first: row, count: isWhole ? left / rowBytes : 1, step: 1)
      let length = isWhole ? rowBytes : min(left, rowBytes - column)
      let part = UnsafeMutableRawBufferPointer(
        rebasing: target[done..<done + rows.count * length])
      try fill(part, rows, columns: column..<column + length, scratch: scratch)
      done += part.count
    }
  }
}

extension ByteRuns {
  init(_ values: any ComputedBytes) {
    self.init(ByteRun(.computed(values), offset: 0, length: values.byteCount))
  }

  /// Whether a large buffer is filled in much less time than many small ones.
  public var prefersStrips: Bool {
    runs.contains {
      if case .computed(let values) = $0.origin { values.prefersStrips } else { false }
    }
  }
}
