import Tensors

/// Matrices with what adapters add to them, computed tile by tile in float32 and rounded once.
///
/// Tiles of 128 rows and 512 columns stay in the second cache together with their parts of the factors.
final class MergedBytes: ComputedBytes {
  private static let tile = (rows: 128, columns: 512)

  private let base: ByteRuns
  private let dtype: DType
  /// Rows and columns of each matrix.
  private let height: Int
  private let width: Int
  private let terms: [Int: [LowRankTerm]]
  private let meter: ChangeMeter
  private let loaded = LoadedTerms()

  var byteCount: Int { base.byteCount }
  var rowBytes: Int { width * dtype.byteWidth }
  let cut = ComputedCut.strips

  func rowsTogether(_ row: Int, atMost: Int) -> Int { min(atMost, height - row % height) }

  init(
    _ base: ByteRuns, dtype: DType, height: Int, width: Int, terms: [Int: [LowRankTerm]],
    meter: ChangeMeter
  ) {
    self.base = base
    self.dtype = dtype
    self.height = height
    self.width = width
    self.terms = terms
    self.meter = meter
  }

  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) throws(FileError) {
    let size = dtype.byteWidth
    precondition(columns.lowerBound % size == 0 && columns.count % size == 0)
    let wanted = columns.lowerBound / size..<columns.upperBound / size
    var done = 0
    while done < rows.count {
      let (matrix, row) = rows[done].quotientAndRemainder(dividingBy: height)
      let together = rows.step == 1 ? min(Self.tile.rows, height - row, rows.count - done) : 1
      let terms = try loaded.terms(of: matrix) { () throws(FileError) in
        try load(matrix, scratch)
      }
      for left in stride(from: wanted.lowerBound, to: wanted.upperBound, by: Self.tile.columns) {
        let part = left..<min(wanted.upperBound, left + Self.tile.columns)
        let tile = Tile(rows: row..<row + together, columns: part)
        try compute(tile, matrix, terms, scratch)
        round(
          tile, scratch,
          into: UnsafeMutableRawBufferPointer(
            rebasing: target[(done * wanted.count + left - wanted.lowerBound) * size..<target.count]
          ),
          rowWidth: wanted.count)
      }
      done += together
    }
  }

  private struct Tile {
    var rows: Range<Int>
    var columns: Range<Int>
    var count: Int { rows.count * columns.count }
  }

  /// Reads a tile of one matrix: its bytes into `scratch.scratch`, its numbers into `scratch`.
  private func read(_ tile: Tile, _ matrix: Int, _ scratch: ByteBuffer) throws(FileError) {
    let first = matrix * height + tile.rows.lowerBound
    let rows = base.slice(first * rowBytes..<(first + tile.rows.count) * rowBytes)
    let size = dtype.byteWidth
    try scratch.scratch.fill(
      rows.columns(
        tile.columns.lowerBound * size..<tile.columns.upperBound * size, rowBytes: rowBytes))
    scratch.scratch.convert(0..<tile.count, from: dtype, to: .float32, into: scratch.memory)
  }

  /// The merged numbers of a tile, in `scratch`; the base's bytes stay in `scratch.scratch`.
  private func compute(
    _ tile: Tile, _ matrix: Int, _ terms: [LoadedTerm], _ scratch: ByteBuffer
  ) throws(FileError) {
    try read(tile, matrix, scratch)
    let sum = scratch.memory.assumingMemoryBound(to: Float.self)
    for term in terms where term.factors == nil {
      term.add(term.weight * term.scale, tile.rows, tile.columns, to: sum)
    }
    guard terms.contains(where: { $0.factors != nil }) else { return }
    let base = [Float](unsafeUninitializedCapacity: tile.count) { buffer, count in
      scratch.scratch.convert(
        0..<tile.count, from: dtype, to: .float32, into: UnsafeMutableRawBufferPointer(buffer))
      count = tile.count
    }
    for term in terms {
      guard let factors = term.factors else { continue }
      var values = base
      values.withUnsafeMutableBufferPointer { values in
        term.add(term.scale, tile.rows, tile.columns, to: values)
        for row in 0..<tile.rows.count {
          for column in 0..<tile.columns.count {
            let output =
              term.outputsAreColumns
              ? column + tile.columns.lowerBound : row + tile.rows.lowerBound
            let index = row * tile.columns.count + column
            sum[index] += term.weight * (factors[output] * values[index] - base[index])
          }
        }
      }
    }
  }

  /// Rounds a tile to the stored type, row by row, and notes the largest change.
  private func round(
    _ tile: Tile, _ scratch: ByteBuffer, into target: UnsafeMutableRawBufferPointer, rowWidth: Int
  ) {
    meter.note(
      scratch.scratch.largestDifference(tile.count, dtype, from: scratch))
    let size = dtype.byteWidth
    let width = tile.columns.count
    if width == rowWidth {
      scratch.convert(0..<tile.count, from: .float32, to: dtype, into: target)
      return
    }
    for row in 0..<tile.rows.count {
      scratch.convert(
        row * width..<(row + 1) * width, from: .float32, to: dtype,
        into: UnsafeMutableRawBufferPointer(rebasing: target[(row * rowWidth * size)...]))
    }
  }

  // MARK: - Terms

  private func load(_ matrix: Int, _ scratch: ByteBuffer) throws(FileError) -> [LoadedTerm] {
    var result: [LoadedTerm] = []
    for term in terms[matrix] ?? [] {
      var loaded = LoadedTerm(
        left: try term.left.values(), right: try term.right.values(), rank: term.left.columns,
        width: width, scale: term.scale, weight: term.weight,
        outputsAreColumns: term.outputsAreColumns)
      if let lengths = term.lengths {
        loaded.factors = try factors(try lengths.values(), loaded, matrix, scratch)
      }
      result.append(loaded)
    }
    return result
  }

  /// m / ‖V‖ of each output.
  private func factors(
    _ lengths: [Float], _ term: LoadedTerm, _ matrix: Int, _ scratch: ByteBuffer
  ) throws(FileError) -> [Float] {
    var squares = [Double](repeating: 0, count: lengths.count)
    for top in stride(from: 0, to: height, by: Self.tile.rows) {
      for left in stride(from: 0, to: width, by: Self.tile.columns) {
        let tile = Tile(
          rows: top..<min(height, top + Self.tile.rows),
          columns: left..<min(width, left + Self.tile.columns))
        try read(tile, matrix, scratch)
        let values = scratch.memory.assumingMemoryBound(to: Float.self)
        term.add(term.scale, tile.rows, tile.columns, to: values)
        for row in 0..<tile.rows.count {
          for column in 0..<tile.columns.count {
            let value = Double(values[row * tile.columns.count + column])
            squares[term.outputsAreColumns ? left + column : top + row] += value * value
          }
        }
      }
    }
    return zip(lengths, squares).map { length, square in
      Float(Double(length) / square.squareRoot())
    }
  }
}

extension ByteRuns {
  /// The matrices of this concatenation with what adapters add to them, rounded to their own type once.
  ///
  /// - Parameters:
  ///   - height: the rows of each matrix.
  ///   - width: its columns.
  ///   - terms: by the matrix's index.
  ///   - meter: is told how much changes.
  public func merged(
    dtype: DType, height: Int, width: Int, terms: [Int: [LowRankTerm]], meter: ChangeMeter
  ) -> ByteRuns {
    precondition(dtype.isFloat && byteCount % max(1, height * width * dtype.byteWidth) == 0)
    for term in terms.values.joined() {
      precondition(term.left.rows == height && term.right.columns == width)
    }
    guard byteCount > 0, !terms.isEmpty else { return self }
    return ByteRuns(
      computed: MergedBytes(
        self, dtype: dtype, height: height, width: width, terms: terms, meter: meter))
  }
}
