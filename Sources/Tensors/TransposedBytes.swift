/// Matrices turned: the rows are the columns of matrices elsewhere.
///
/// A filling reads strips: of every source row the columns that become wanted rows. So the wider the
/// buffer that is filled, the longer the pieces; each source byte is read once for the whole strip.
final class TransposedBytes: ComputedBytes {
  private let source: ByteRuns
  /// Rows and columns of each matrix at the source.
  private let height: Int
  private let width: Int
  private let elementSize: Int

  var byteCount: Int { source.byteCount }
  var rowBytes: Int { height * elementSize }
  let cut = ComputedCut.strips

  /// - Parameters:
  ///   - source: matrices [height, width], row-major, one after the other.
  ///   - height: the rows of each.
  init(_ source: ByteRuns, matrices: Int, height: Int, elementSize: Int) {
    self.source = source
    self.height = height
    self.elementSize = elementSize
    width = source.byteCount / max(1, matrices * height * elementSize)
    precondition(matrices * height * width * elementSize == source.byteCount)
  }

  /// All that is left of the matrix, and as many whole ones as there is room for.
  func rowsTogether(_ row: Int, atMost: Int) -> Int {
    let left = width - row % width
    return left + max(0, atMost - left) / width * width
  }

  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) throws(FileError) {
    let lines = columns.lowerBound / elementSize..<columns.upperBound / elementSize
    precondition(lines.count * elementSize == columns.count)
    var done = 0
    while done < rows.count {
      let (matrix, first) = rows[done].quotientAndRemainder(dividingBy: width)
      let count = min(rows.count - done, (width - first + rows.step - 1) / rows.step)
      let strip = RowSteps(first: first, count: count, step: rows.step)
      let part = target[done * columns.count..<(done + count) * columns.count]
      try fill(
        UnsafeMutableRawBufferPointer(rebasing: part), matrix, strip, lines, scratch)
      done += count
    }
  }

  /// Turns the columns `strip` of the rows `lines` of one matrix, tile by tile.
  private func fill(
    _ target: UnsafeMutableRawBufferPointer, _ matrix: Int, _ strip: RowSteps, _ lines: Range<Int>,
    _ scratch: ByteBuffer
  ) throws(FileError) {
    let sourceRow = width * elementSize
    // Tiles with at least eight lines, and so many eights: what turning is fast at.
    let widest = max(1, scratch.capacity / (8 * elementSize * strip.step))
    for left in stride(from: 0, to: strip.count, by: widest) {
      let part = strip.part(left..<min(strip.count, left + widest))
      let span = (part.count - 1) * part.step + 1
      // Reading all of a row costs less than a call for every third of one.
      let isWhole = 3 * span >= width && 8 * sourceRow <= scratch.capacity
      let taken = isWhole ? 0..<width : part.first..<part.first + span
      let most = scratch.capacity / (taken.count * elementSize)
      let highest = most < 8 ? max(1, most) : most & ~7
      let bytes = taken.lowerBound * elementSize..<taken.upperBound * elementSize
      for top in stride(from: lines.lowerBound, to: lines.upperBound, by: highest) {
        let count = min(highest, lines.upperBound - top)
        let start = (matrix * height + top) * sourceRow
        let tile = source.slice(start..<start + count * sourceRow)
        try scratch.fill(tile.columns(bytes, rowBytes: sourceRow))
        let first = (left * lines.count + top - lines.lowerBound) * elementSize
        Turning(
          source: UnsafeRawBufferPointer(
            rebasing: scratch.memory[((part.first - taken.lowerBound) * elementSize)...]),
          sourceRow: taken.count, step: part.step,
          target: UnsafeMutableRawBufferPointer(rebasing: target[first...]),
          targetRow: lines.count, rows: count, columns: part.count
        ).turn(elementSize: elementSize)
      }
    }
  }
}

extension ByteRuns {
  /// The matrices of this concatenation, each turned.
  ///
  /// - Parameters:
  ///   - matrices: how many there are.
  ///   - height: the rows of each, which become the length of the new rows.
  public func transposed(matrices: Int, height: Int, elementSize: Int) -> ByteRuns {
    guard byteCount > 0 else { return self }
    return ByteRuns(
      computed: TransposedBytes(self, matrices: matrices, height: height, elementSize: elementSize))
  }
}

/// One tile being turned: `target[column][row] = source[row][column · step]`, all sizes in elements.
private struct Turning {
  var source: UnsafeRawBufferPointer
  var sourceRow: Int
  var step: Int
  var target: UnsafeMutableRawBufferPointer
  var targetRow: Int
  var rows: Int
  var columns: Int

  func turn(elementSize: Int) {
    switch elementSize {
    case 1: turn(UInt8.self)
    case 2: turn(UInt16.self)
    case 4: turn(UInt32.self)
    default:
      precondition(elementSize == 8)
      turn(UInt64.self)
    }
  }

  private func turn<Element: SIMDScalar & BitwiseCopyable>(_: Element.Type) {
    guard let from = source.baseAddress?.assumingMemoryBound(to: Element.self),
      let into = target.baseAddress?.assumingMemoryBound(to: Element.self)
    else { return }
    let (evenRows, evenColumns) = (rows & ~7, step == 1 ? columns & ~7 : 0)
    for column in stride(from: 0, to: evenColumns, by: 8) {
      for row in stride(from: 0, to: evenRows, by: 8) {
        Block(from + row * sourceRow + column, sourceRow).turned()
          .store(into + column * targetRow + row, targetRow)
      }
    }
    // What is left over below and to the right of the blocks.
    turn(from, into, rows: evenRows..<rows, columns: 0..<evenColumns)
    turn(from, into, rows: 0..<rows, columns: evenColumns..<columns)
  }

  private func turn<Element>(
    _ from: UnsafePointer<Element>, _ into: UnsafeMutablePointer<Element>, rows: Range<Int>,
    columns: Range<Int>
  ) {
    for column in columns {
      let line = into + column * targetRow
      for row in rows { line[row] = from[row * sourceRow + column * step] }
    }
  }
}

/// Eight times eight elements in registers.
private struct Block<Element: SIMDScalar & BitwiseCopyable> {
  typealias Row = SIMD8<Element>
  var rows: (Row, Row, Row, Row, Row, Row, Row, Row)

  @inline(__always)
  init(_ from: UnsafePointer<Element>, _ stride: Int) {
    func row(_ index: Int) -> Row {
      UnsafeRawPointer(from + index * stride).loadUnaligned(as: Row.self)
    }
    rows = (row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7))
  }

  @inline(__always)
  func store(_ into: UnsafeMutablePointer<Element>, _ stride: Int) {
    func store(_ index: Int, _ row: Row) {
      UnsafeMutableRawPointer(into + index * stride).storeBytes(of: row, as: Row.self)
    }
    store(0, rows.0)
    store(1, rows.1)
    store(2, rows.2)
    store(3, rows.3)
    store(4, rows.4)
    store(5, rows.5)
    store(6, rows.6)
    store(7, rows.7)
  }

  /// Three rounds in which each row of the upper half is shuffled with its partner in the lower half.
  @inline(__always)
  func turned() -> Block { shuffled().shuffled().shuffled() }

  @inline(__always)
  private func shuffled() -> Block {
    func low(_ left: Row, _ right: Row) -> Row {
      var row = Row()
      row.evenHalf = left.lowHalf
      row.oddHalf = right.lowHalf
      return row
    }
    func high(_ left: Row, _ right: Row) -> Row {
      var row = Row()
      row.evenHalf = left.highHalf
      row.oddHalf = right.highHalf
      return row
    }
    var result = self
    result.rows = (
      low(rows.0, rows.4), high(rows.0, rows.4), low(rows.1, rows.5), high(rows.1, rows.5),
      low(rows.2, rows.6), high(rows.2, rows.6), low(rows.3, rows.7), high(rows.3, rows.7)
    )
    return result
  }
}
