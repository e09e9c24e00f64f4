import Tensors

extension Layout {
  /// The packed tensor's bytes, given each part's.
  ///
  /// - Parameters:
  ///   - parts: the whole tensors, row-major, all of one element size.
  ///   - rowBytes: the bytes of one packed row.
  ///   - elementSize: needed only to transpose.
  public func pack(_ parts: [ByteRuns], rowBytes: Int, elementSize: Int) -> ByteRuns {
    switch self {
    case .rows(let segments):
      if segments.count == 1, segments[0].stride == 1, parts.count == 1 { return parts[0] }
      var packed = ByteRuns()
      for segment in segments {
        packed.append(
          parts[segment.part].rows(
            first: segment.first, count: segment.count, stride: segment.stride, rowBytes: rowBytes))
      }
      return packed
    case .transposed:
      // The part is [columns, rows] of the packed matrix.
      return parts[0].transposed(
        rows: rowBytes / elementSize, rowBytes: parts[0].byteCount / rowBytes * elementSize,
        elementSize: elementSize)
    }
  }

  /// One part's bytes, given the packed tensor's: the inverse of `pack`.
  public func unpack(
    _ packed: ByteRuns, part: Int, rowBytes: Int, elementSize: Int
  ) -> ByteRuns {
    switch self {
    case .rows(let segments):
      if segments.count == 1, segments[0].stride == 1 { return packed }
      return unpackRows(packed, segments: segments, part: part, rowBytes: rowBytes)
    case .transposed:
      return packed.transposed(
        rows: packed.byteCount / rowBytes, rowBytes: rowBytes, elementSize: elementSize)
    }
  }

  private func unpackRows(
    _ packed: ByteRuns, segments: [Segment], part: Int, rowBytes: Int
  ) -> ByteRuns {
    // Where each of the part's segments stands among the packed rows.
    var placed: [(segment: Segment, row: Int)] = []
    var row = 0
    for segment in segments {
      if segment.part == part { placed.append((segment, row)) }
      row += segment.count
    }
    placed.sort { $0.segment.first < $1.segment.first }
    var result = ByteRuns()
    if placed.allSatisfy({ $0.segment.stride == 1 }) {
      for (segment, row) in placed {
        result.append(packed.slice(row * rowBytes..<(row + segment.count) * rowBytes))
      }
      return result
    }
    // Strided segments interleave: go through the part's rows one by one.
    let rows = placed.reduce(0) { $0 + $1.segment.count }
    var source = [Int](repeating: 0, count: rows)
    for (segment, row) in placed {
      for index in 0..<segment.count {
        source[segment.first + index * segment.stride] = row + index
      }
    }
    for row in source { result.append(packed.slice(row * rowBytes..<(row + 1) * rowBytes)) }
    return result
  }
}

extension ByteRuns {
  /// The matrix with rows and columns exchanged.
  fileprivate func transposed(rows: Int, rowBytes: Int, elementSize: Int) -> ByteRuns {
    var result = ByteRuns()
    for column in stride(from: 0, to: rowBytes, by: elementSize) {
      result.append(columns(column..<column + elementSize, rowBytes: rowBytes))
    }
    return result
  }
}
