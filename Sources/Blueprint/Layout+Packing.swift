import Tensors

extension Layout {
  /// The packed tensor's bytes, given each part's.
  ///
  /// - Parameters:
  ///   - parts: the whole tensors, row-major, all of one element size.
  ///   - rowBytes: the bytes of one packed row.
  ///   - elementSize: needed only to transpose.
  public func pack(_ parts: [ByteRuns], rowBytes: Int, elementSize: Int) -> ByteRuns {
    let rows = parts.reduce(0) { $0 + $1.byteCount } / max(1, rowBytes)
    return pack(rows: 0..<rows, rowBytes: rowBytes, elementSize: elementSize) { parts[$0] }
  }

  /// A range of packed rows, given a way to get parts; asks only for those it needs.
  public func pack<Failure: Error>(
    rows: Range<Int>, rowBytes: Int, elementSize: Int,
    part: (Int) throws(Failure) -> ByteRuns
  ) throws(Failure) -> ByteRuns {
    var packed = ByteRuns()
    switch self {
    case .rows(let segments):
      var start = 0
      for segment in segments {
        defer { start += segment.count }
        let lower = max(rows.lowerBound, start) - start
        let upper = min(rows.upperBound, start + segment.count) - start
        guard lower < upper else { continue }
        packed.append(
          try part(segment.part).rows(
            first: segment.first + lower * segment.stride, count: upper - lower,
            stride: segment.stride, rowBytes: rowBytes))
      }
    case .transposed:
      // The part is [columns, rows] of the packed matrix: packed rows are its columns.
      let whole = try part(0)
      let partRowBytes = whole.byteCount / rowBytes * elementSize
      for row in rows {
        packed.append(
          whole.columns(row * elementSize..<(row + 1) * elementSize, rowBytes: partRowBytes))
      }
    }
    return packed
  }

  /// One part's bytes, given the packed tensor's: the inverse of `pack`.
  public func unpack(
    _ packed: ByteRuns, part: Int, rowBytes: Int, elementSize: Int
  ) -> ByteRuns {
    let rows = packed.byteCount / max(1, rowBytes)
    return unpack(part: part, rows: rows, rowBytes: rowBytes, elementSize: elementSize) { range in
      packed.slice(range.lowerBound * rowBytes..<range.upperBound * rowBytes)
    }
  }

  /// One part's bytes, given a way to get ranges of packed rows; asks only for those it needs.
  ///
  /// - Parameter rows: the number of packed rows.
  public func unpack<Failure: Error>(
    part: Int, rows: Int, rowBytes: Int, elementSize: Int,
    packed: (Range<Int>) throws(Failure) -> ByteRuns
  ) throws(Failure) -> ByteRuns {
    var result = ByteRuns()
    switch self {
    case .rows(let segments):
      var placed: [(segment: Segment, row: Int)] = []
      var row = 0
      for segment in segments {
        if segment.part == part { placed.append((segment, row)) }
        row += segment.count
      }
      placed.sort { $0.segment.first < $1.segment.first }
      if placed.allSatisfy({ $0.segment.stride == 1 }) {
        for (segment, row) in placed { result.append(try packed(row..<row + segment.count)) }
        return result
      }
      // Strided segments interleave: go through the part's rows one by one.
      var source = [Int](repeating: 0, count: placed.reduce(0) { $0 + $1.segment.count })
      for (segment, row) in placed {
        for index in 0..<segment.count {
          source[segment.first + index * segment.stride] = row + index
        }
      }
      for row in source { result.append(try packed(row..<row + 1)) }
    case .transposed:
      let whole = try packed(0..<rows)
      for column in stride(from: 0, to: rowBytes, by: elementSize) {
        result.append(whole.columns(column..<column + elementSize, rowBytes: rowBytes))
      }
    }
    return result
  }
}
