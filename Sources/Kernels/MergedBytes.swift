import Tensors

/// Matrices with what adapters add to them, computed tile by tile in float32 and rounded once.
///
/// Rows are read in strips and computed in tiles: those of 128 rows and 512 columns stay in the second
/// cache together with their parts of the factors.
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
    let strip = Strip(wanted)
    var done = 0
    while done < rows.count {
      let (matrix, row) = rows[done].quotientAndRemainder(dividingBy: height)
      let most = rows.step == 1 ? min(strip.most(size), height - row, rows.count - done) : 1
      let terms = try loaded.terms(of: matrix) { () throws(FileError) in
        try load(matrix, scratch)
      }
      try read(strip, row..<row + most, matrix)
      for tile in strip.tiles {
        compute(tile, strip, terms, scratch)
        let first = (done * wanted.count + tile.columns.lowerBound - wanted.lowerBound) * size
        round(
          tile, strip, scratch, into: UnsafeMutableRawBufferPointer(rebasing: target[first...]))
      }
      done += most
    }
  }

  private struct Tile {
    var rows: Range<Int>
    var columns: Range<Int>
    var count: Int { rows.count * columns.count }
  }

  /// Some rows of one matrix as they are stored, read in one go: in tiles it would be a system call for
  /// every row of each, which is half of the time.
  private final class Strip {
    let columns: Range<Int>
    private(set) var rows = 0..<0
    private(set) var buffer = ByteBuffer(capacity: 0)

    /// The bytes of a strip, or of one row where that is more.
    private static let size = 4 << 20

    init(_ columns: Range<Int>) { self.columns = columns }

    /// The rows a strip has room for.
    func most(_ elementSize: Int) -> Int {
      max(1, min(MergedBytes.tile.rows, Self.size / max(1, columns.count * elementSize)))
    }

    func hold(_ rows: Range<Int>, elementSize: Int) {
      self.rows = rows
      let needed = rows.count * columns.count * elementSize
      if buffer.capacity < needed { buffer = ByteBuffer(capacity: needed) }
    }

    var tiles: [Tile] {
      stride(from: columns.lowerBound, to: columns.upperBound, by: MergedBytes.tile.columns).map {
        Tile(rows: rows, columns: $0..<min(columns.upperBound, $0 + MergedBytes.tile.columns))
      }
    }

    /// The strip's elements that are one row of a tile.
    func elements(_ tile: Tile, row: Int) -> Range<Int> {
      let start = row * columns.count + tile.columns.lowerBound - columns.lowerBound
      return start..<start + tile.columns.count
    }
  }

  private func read(_ strip: Strip, _ rows: Range<Int>, _ matrix: Int) throws(FileError) {
    let size = dtype.byteWidth
    strip.hold(rows, elementSize: size)
    let first = matrix * height + rows.lowerBound
    let found = base.slice(first * rowBytes..<(first + rows.count) * rowBytes)
    try strip.buffer.fill(
      found.columns(
        strip.columns.lowerBound * size..<strip.columns.upperBound * size, rowBytes: rowBytes))
  }

  /// The stored numbers of a tile.
  private func widen(_ tile: Tile, _ strip: Strip, into target: UnsafeMutableRawBufferPointer) {
    let rowBytes = tile.columns.count * 4
    for row in 0..<tile.rows.count {
      strip.buffer.convert(
        strip.elements(tile, row: row), from: dtype, to: .float32,
        into: UnsafeMutableRawBufferPointer(rebasing: target[(row * rowBytes)...]))
    }
  }

  /// The merged numbers of a tile, in `scratch`.
  private func compute(_ tile: Tile, _ strip: Strip, _ terms: [LoadedTerm], _ scratch: ByteBuffer) {
    widen(tile, strip, into: scratch.memory)
    let sum = scratch.memory.assumingMemoryBound(to: Float.self)
    for term in terms where term.factors == nil {
      term.add(term.weight * term.scale, tile.rows, tile.columns, to: sum)
    }
    guard terms.contains(where: { $0.factors != nil }) else { return }
    let base = [Float](unsafeUninitializedCapacity: tile.count) { buffer, count in
      widen(tile, strip, into: UnsafeMutableRawBufferPointer(buffer))
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
    _ tile: Tile, _ strip: Strip, _ scratch: ByteBuffer, into target: UnsafeMutableRawBufferPointer
  ) {
    let width = tile.columns.count
    let rowBytes = strip.columns.count * dtype.byteWidth
    for row in 0..<tile.rows.count {
      meter.note(
        strip.buffer.largestDifference(
          strip.elements(tile, row: row), dtype, from: scratch, at: row * width))
      scratch.convert(
        row * width..<(row + 1) * width, from: .float32, to: dtype,
        into: UnsafeMutableRawBufferPointer(rebasing: target[(row * rowBytes)...]))
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
    let strip = Strip(0..<width)
    let most = strip.most(dtype.byteWidth)
    for top in stride(from: 0, to: height, by: most) {
      try read(strip, top..<min(height, top + most), matrix)
      for tile in strip.tiles {
        widen(tile, strip, into: scratch.memory)
        let values = scratch.memory.assumingMemoryBound(to: Float.self)
        term.add(term.scale, tile.rows, tile.columns, to: values)
        for row in 0..<tile.rows.count {
          for column in 0..<tile.columns.count {
            let value = Double(values[row * tile.columns.count + column])
            let output =
              term.outputsAreColumns ? tile.columns.lowerBound + column : top + row
            squares[output] += value * value
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
