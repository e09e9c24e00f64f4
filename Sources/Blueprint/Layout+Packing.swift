import Tensors

extension Layout {
  /// The packed tensor's bytes, given each part's.
  ///
  /// - Parameters:
  ///   - parts: the whole tensors, row-major, all of one type.
  ///   - rowBytes: the bytes of one packed row.
  public func pack(_ parts: [ByteRuns], rowBytes: Int, dtype: DType) -> ByteRuns {
    let rows =
      switch self {
      case .rows(let segments), .transposed(let segments, _): segments.reduce(0) { $0 + $1.count }
      case .filled: 0
      }
    return pack(rows: 0..<rows, rowBytes: rowBytes, dtype: dtype) { parts[$0] }
  }

  /// A range of packed rows, given a way to get parts; asks only for those it needs.
  public func pack<Failure: Error>(
    rows: Range<Int>, rowBytes: Int, dtype: DType, part: (Int) throws(Failure) -> ByteRuns
  ) throws(Failure) -> ByteRuns {
    switch self {
    case .rows(let segments):
      return try Self.pack(segments, rows, rowBytes, part: part)
    case .transposed(let segments, let stack):
      return try Self.pack(segments, rows, rowBytes) { index throws(Failure) in
        try part(index).transposed(
          matrices: stack, height: rowBytes / dtype.byteWidth, elementSize: dtype.byteWidth)
      }
    case .filled(let value):
      let count = rows.count * rowBytes / dtype.byteWidth
      return ByteRuns(repeating: value, count: count, dtype: dtype)
    }
  }

  private static func pack<Failure: Error>(
    _ segments: [Segment], _ rows: Range<Int>, _ rowBytes: Int,
    part: (Int) throws(Failure) -> ByteRuns
  ) throws(Failure) -> ByteRuns {
    var packed = ByteRuns()
    // One part serves many segments; what is computed keeps its identity.
    var known: (index: Int, runs: ByteRuns)?
    var start = 0
    for segment in segments {
      defer { start += segment.count }
      let lower = max(rows.lowerBound, start) - start
      let upper = min(rows.upperBound, start + segment.count) - start
      guard lower < upper else { continue }
      guard segment.use != .zeros else {
        packed.append(.zeros((upper - lower) * rowBytes))
        continue
      }
      let runs =
        if let known, known.index == segment.part { known.runs } else { try part(segment.part) }
      known = (segment.part, runs)
      packed.append(
        runs.rows(
          first: segment.first + lower * segment.stride, count: upper - lower,
          stride: segment.stride, rowBytes: rowBytes))
    }
    return packed
  }

  /// One part's bytes, given the packed tensor's: the inverse of `pack`.
  public func unpack(_ packed: ByteRuns, part: Int, rowBytes: Int, dtype: DType) -> ByteRuns {
    unpack(part: part, rowBytes: rowBytes, dtype: dtype) { range in
      packed.slice(range.lowerBound * rowBytes..<range.upperBound * rowBytes)
    }
  }

  /// One part's bytes, given a way to get ranges of packed rows; asks only for those it needs.
  public func unpack<Failure: Error>(
    part: Int, rowBytes: Int, dtype: DType, packed: (Range<Int>) throws(Failure) -> ByteRuns
  ) throws(Failure) -> ByteRuns {
    switch self {
    case .rows(let segments):
      return try Self.unpack(segments, part: part, rowBytes, packed: packed)
    case .transposed(let segments, let stack):
      let rows = segments.reduce(0) { $0 + ($1.part == part && $1.use == .own ? $1.count : 0) }
      return try Self.unpack(segments, part: part, rowBytes, packed: packed)
        .transposed(
          matrices: stack, height: rows / max(1, stack), elementSize: dtype.byteWidth)
    case .filled:
      return ByteRuns()
    }
  }

  private static func unpack<Failure: Error>(
    _ segments: [Segment], part: Int, _ rowBytes: Int,
    packed: (Range<Int>) throws(Failure) -> ByteRuns
  ) throws(Failure) -> ByteRuns {
    var placed: [(segment: Segment, row: Int)] = []
    var row = 0
    for segment in segments {
      if segment.part == part, segment.use == .own { placed.append((segment, row)) }
      row += segment.count
    }
    var result = ByteRuns()
    if placed.allSatisfy({ $0.segment.stride == 1 }) {
      placed.sort { $0.segment.first < $1.segment.first }
      for (segment, row) in placed { result.append(try packed(row..<row + segment.count)) }
      return result
    }
    // Strided segments interleave: their rows are put in their places when the bytes are read.
    var spreads: [ByteRuns.Spread] = []
    var source = 0
    for (segment, row) in placed {
      result.append(try packed(row..<row + segment.count))
      spreads.append(
        .init(
          source: source, first: segment.first, count: segment.count, stride: segment.stride))
      source += segment.count
    }
    return result.spread(spreads, rowBytes: rowBytes)
  }
}
