import Blueprint
import Engine

/// Where the packed rows of one matrix of a slot come from.
struct PackedOrigins {
  /// A row of one of the tensors that each matrix is made of.
  struct Row: Hashable {
    var part: Int
    var row: Int
  }

  /// By packed rows; `nil` for rows that stand for no tensor.
  let rows: [Row?]
  /// How many rows of a matrix each tensor has.
  let heights: [Int]

  init(_ slot: Slot) {
    let height = slot.rows / slot.matrices
    var rows: [Row?] = []
    var heights = [Int](repeating: 0, count: slot.partsOfMatrix)
    let segments: [Segment] =
      switch slot.layout {
      case .rows(let segments), .transposed(let segments, _): segments
      case .filled: []
      }
    for segment in segments where rows.count < height {
      let count = min(segment.count, height - rows.count)
      if segment.use == .zeros {
        rows += [Row?](repeating: nil, count: count)
        continue
      }
      rows += (0..<count).map {
        Row(part: segment.part, row: segment.first + $0 * segment.stride)
      }
      if segment.use == .own, heights.indices.contains(segment.part) {
        heights[segment.part] += count
      }
    }
    self.rows = rows
    self.heights = heights
  }
}
