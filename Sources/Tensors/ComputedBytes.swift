/// A row-major array of values that are made when they are asked for, out of bytes elsewhere.
///
/// It stands where a file could stand: runs name stretches of it, and are cut and joined without
/// computing anything. Whoever fills a buffer from a run gets the values.
package protocol ComputedBytes: AnyObject, Sendable {
  var byteCount: Int { get }
  /// The bytes of one row; runs that follow the rows are made in one go.
  var rowBytes: Int { get }
  /// How a long stretch is best cut.
  var cut: ComputedCut { get }
  /// How many rows from one on are best made in one go or in a few equal ones.
  func rowsTogether(_ row: Int, atMost: Int) -> Int

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

/// How a long stretch of computed values is best cut.
package enum ComputedCut {
  /// Anywhere.
  case anywhere
  /// Between rows.
  case rows
  /// Between rows, and into large pieces: a large buffer is filled in much less time than many small
  /// ones.
  case strips
}

/// Rows at a fixed distance.
package struct RowSteps {
  package var first: Int
  package var count: Int
  package var step: Int

  package subscript(index: Int) -> Int { first + index * step }

  func part(_ range: Range<Int>) -> RowSteps {
    RowSteps(first: self[range.lowerBound], count: range.count, step: step)
  }
}

extension ComputedBytes {
  package var cut: ComputedCut { .anywhere }
  package func rowsTogether(_ row: Int, atMost: Int) -> Int { atMost }

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
  package init(computed values: any ComputedBytes) {
    self.init(ByteRun(.computed(values), offset: 0, length: values.byteCount))
  }

  /// Whether a large buffer is filled in much less time than many small ones.
  public var prefersStrips: Bool { runs.contains { $0.cut == .strips } }

  /// How many bytes from `position` on to ask for at a time: at most `limit`, and no part of a row where
  /// whole rows are cheaper and fit.
  public func strip(from position: Int, limit: Int) -> Int {
    guard position + limit < byteCount else { return byteCount - position }
    let (run, start) = self.run(holding: position + limit)
    guard case .computed(let values) = run.origin, values.cut != .anywhere else { return limit }
    guard start <= position else { return start - position }
    return values.strip(of: run, from: position - start, limit: limit)
  }
}

extension ByteRun {
  fileprivate var cut: ComputedCut {
    if case .computed(let values) = origin { values.cut } else { .anywhere }
  }
}

extension ComputedBytes {
  /// How many bytes of a run to make at a time: whole rows, and no few that are left over.
  fileprivate func strip(of run: ByteRun, from position: Int, limit: Int) -> Int {
    let row = run.count > 1 ? run.length : rowBytes
    let inside = (run.count > 1 ? position : run.offset + position) % row
    // What is left of a row that was cut comes alone.
    if inside > 0 { return min(row - inside, limit) }
    let most = limit / row
    guard most > 0 else { return limit }
    let left =
      run.count > 1
      ? run.count - position / row : rowsTogether((run.offset + position) / row, atMost: most)
    let strips = (left + most - 1) / most
    return (left + strips - 1) / strips * row
  }
}
