/// Where a stretch of bytes comes from: pieces of equal length, evenly spaced in a file or in values
/// that are computed on the way, or zeros.
public struct ByteRun: Sendable {
  enum Origin: Sendable {
    case zeros
    case file(InputFile)
    case computed(any ComputedBytes)

    /// Whether positions in both mean the same bytes.
    func isSame(_ other: Origin) -> Bool {
      switch (self, other) {
      case (.zeros, .zeros): true
      case (.file(let left), .file(let right)): left === right
      case (.computed(let left), .computed(let right)): left === right
      default: false
      }
    }
  }

  var origin: Origin
  /// The first byte of the first piece.
  public var offset: Int
  /// The bytes in one piece.
  public var length: Int
  /// The number of pieces.
  public var count: Int
  /// The bytes from the start of one piece to the start of the next.
  public var stride: Int

  public init(file: InputFile, offset: Int, length: Int, count: Int = 1, stride: Int = 0) {
    self.init(.file(file), offset: offset, length: length, count: count, stride: stride)
  }

  init(_ origin: Origin, offset: Int, length: Int, count: Int = 1, stride: Int = 0) {
    self.origin = origin
    self.offset = offset
    // Pieces that touch are one piece: long runs are what the kernel copies cheaply.
    let merges = count > 1 && stride == length
    self.length = merges ? length * count : length
    self.count = merges ? 1 : count
    self.stride = merges ? 0 : stride
  }

  public static func zeros(_ length: Int) -> ByteRun {
    ByteRun(.zeros, offset: 0, length: length)
  }

  /// Pieces of the same file or values as this run's.
  public func moved(to offset: Int, length: Int, count: Int = 1, stride: Int = 0) -> ByteRun {
    ByteRun(origin, offset: offset, length: length, count: count, stride: stride)
  }

  public var byteCount: Int { length * count }
}

/// A tensor's bytes as an ordered list of runs: the one currency of every conversion.
///
/// A tensor in a file is one run. Packing, unpacking, cutting for a rank, gathering from chunks and
/// padding are all list operations; bytes move once, when the list is finally written. What is no
/// mere rearrangement of bytes is a run of `ComputedBytes`, which is cut and joined like any other.
public struct ByteRuns: Sendable {
  public private(set) var runs: [ByteRun] = []
  /// The position of each run's first byte in the concatenation.
  private var starts: [Int] = []
  public private(set) var byteCount = 0

  public init() {}

  public init(_ run: ByteRun) { append(run) }

  /// The bytes of a region of a strided array.
  ///
  /// - Parameters:
  ///   - file: holds the array; its element `[0, 0, …]` stands at byte `offset`.
  ///   - strides: in elements, one for each axis.
  ///   - region: the half-open range wanted on each axis; the whole array by default.
  public init(
    file: InputFile, offset: Int, shape: Shape, strides: [Int], elementSize: Int,
    region: [Range<Int>]? = nil
  ) {
    let region = region ?? shape.dimensions.map { 0..<$0 }
    var first = offset
    for (range, stride) in zip(region, strides) { first += range.lowerBound * stride * elementSize }
    // Trailing axes that follow each other in memory form one piece.
    var length = elementSize
    var axis = region.count - 1
    while axis >= 0, strides[axis] * elementSize == length || region[axis].count == 1 {
      length *= region[axis].count
      axis -= 1
    }
    if region.contains(where: \.isEmpty) { return }
    guard axis >= 0 else {
      append(ByteRun(file: file, offset: first, length: length))
      return
    }
    let step = strides[axis] * elementSize
    func visit(_ outer: Int, _ start: Int) {
      if outer == axis {
        append(
          ByteRun(
            file: file, offset: start, length: length, count: region[axis].count, stride: step))
        return
      }
      for index in 0..<region[outer].count {
        visit(outer + 1, start + index * strides[outer] * elementSize)
      }
    }
    visit(0, first)
  }

  public mutating func append(_ run: ByteRun) {
    guard run.byteCount > 0 else { return }
    byteCount += run.byteCount
    if let last = runs.last, last.count == 1, run.count == 1, last.origin.isSame(run.origin),
      last.isZeros || last.offset + last.length == run.offset
    {
      runs[runs.count - 1].length += run.length
      return
    }
    starts.append(byteCount - run.byteCount)
    runs.append(run)
  }

  public mutating func append(_ other: ByteRuns) {
    for run in other.runs { append(run) }
  }

  /// The runs of a range of the concatenation.
  public func slice(_ range: Range<Int>) -> ByteRuns {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    var result = ByteRuns()
    guard !range.isEmpty else { return result }
    var index = firstRun(holding: range.lowerBound)
    while index < runs.count, starts[index] < range.upperBound {
      let start = max(range.lowerBound - starts[index], 0)
      let end = min(range.upperBound - starts[index], runs[index].byteCount)
      runs[index].appendSlice(start..<end, to: &result)
      index += 1
    }
    return result
  }

  /// Every `stride`-th row, `count` rows in all, from `first` on; a row has `rowBytes` bytes.
  public func rows(first: Int, count: Int, stride: Int, rowBytes: Int) -> ByteRuns {
    if stride == 1 { return slice(first * rowBytes..<(first + count) * rowBytes) }
    var result = ByteRuns()
    if runs.count == 1, runs[0].count == 1, count > 0 {
      result.append(
        runs[0].moved(
          to: runs[0].offset + first * rowBytes, length: rowBytes, count: count,
          stride: stride * rowBytes))
      return result
    }
    for index in 0..<count {
      let row = first + index * stride
      result.append(slice(row * rowBytes..<(row + 1) * rowBytes))
    }
    return result
  }

  /// A range of bytes out of each row.
  public func columns(_ range: Range<Int>, rowBytes: Int) -> ByteRuns {
    guard range.count < rowBytes else { return self }
    let rows = byteCount / rowBytes
    var result = ByteRuns()
    for (run, start) in zip(runs, starts) {
      if !run.isZeros, start % rowBytes == 0 {
        // Whole rows, one after the other or evenly spaced: one strided run.
        if run.count == 1, run.length % rowBytes == 0 {
          result.append(
            run.moved(
              to: run.offset + range.lowerBound, length: range.count,
              count: run.length / rowBytes, stride: rowBytes))
          continue
        } else if run.length == rowBytes {
          result.append(
            run.moved(
              to: run.offset + range.lowerBound, length: range.count, count: run.count,
              stride: run.stride))
          continue
        }
      }
      // A run that does not hold whole rows: cut row by row, those that begin in it or reach into it.
      let from = start / rowBytes
      let to = min(rows, (start + run.byteCount + rowBytes - 1) / rowBytes)
      for row in from..<to {
        let lower = max(row * rowBytes + range.lowerBound, start)
        let upper = min(row * rowBytes + range.upperBound, start + run.byteCount)
        if lower < upper { run.appendSlice(lower - start..<upper - start, to: &result) }
      }
    }
    return result
  }

  /// The run with a byte of the concatenation, and where that run starts.
  func run(holding position: Int) -> (run: ByteRun, start: Int) {
    let index = firstRun(holding: position)
    return (runs[index], starts[index])
  }

  private func firstRun(holding position: Int) -> Int {
    var low = 0
    var high = starts.count
    while low + 1 < high {
      let middle = (low + high) / 2
      if starts[middle] <= position { low = middle } else { high = middle }
    }
    return low
  }
}

extension ByteRun {
  var isZeros: Bool { if case .zeros = origin { true } else { false } }

  /// Appends the bytes `range` of this run's concatenated pieces.
  fileprivate func appendSlice(_ range: Range<Int>, to result: inout ByteRuns) {
    if isZeros {
      result.append(.zeros(range.count))
      return
    }
    if count == 1 {
      result.append(moved(to: offset + range.lowerBound, length: range.count))
      return
    }
    var position = range.lowerBound
    while position < range.upperBound {
      let piece = position / length
      let inside = position % length
      let whole = (range.upperBound - position) / length
      if inside == 0, whole > 0 {
        result.append(
          moved(to: offset + piece * stride, length: length, count: whole, stride: stride))
        position += whole * length
      } else {
        let part = min(length - inside, range.upperBound - position)
        result.append(moved(to: offset + piece * stride + inside, length: part))
        position += part
      }
    }
  }
}
