import Blueprint
import Tensors

/// A low-rank change of a slot's packed rows, as changes of the tensors that the files hold instead.
///
/// Rows of B go where rows of the weights go, so B is unpacked by the slot's layout.
struct PackedChange {
  var slot: Slot
  /// The packed rows that B has, in its order, which is theirs.
  var rows: [Range<Int>]
  /// [rank, inputs], by expert.
  var a: (Int) -> Factor
  /// [rows, rank], in packed order.
  var b: Factor
  var scale: Double

  /// The changes, by tensor.
  func parts() -> [(tensor: String, change: Change)] {
    guard let segments else { return [] }
    var result: [(String, Change)] = []
    for (index, part) in slot.parts.enumerated() {
      let touched = experts(of: index, segments)
      guard !touched.isEmpty else { continue }
      let unpacked = unpacked(index, segments)
      for expert in touched {
        // A part of one matrix is all of the expert's; of a stack, one matrix.
        let isStack = part.shape.rank == 3
        let height = isStack ? unpacked.shape[0] / part.shape[0] : unpacked.shape[0]
        let first = isStack ? expert * height : 0
        let change = LowRank(
          a: a(expert), b: unpacked.rows(first: first, count: height).named("[\(expert)]"),
          scale: scale, isTransposed: isTransposed)
        result.append((part.name, Change(.lowRank(change), matrix: isStack ? expert : nil)))
      }
    }
    return result
  }

  private var segments: [Segment]? {
    switch slot.layout {
    case .rows(let segments), .transposed(let segments, _): segments
    case .filled: nil
    }
  }

  private var isTransposed: Bool {
    if case .transposed = slot.layout { true } else { false }
  }

  /// The experts whose rows of a part the change touches, in order.
  private func experts(of part: Int, _ segments: [Segment]) -> [Int] {
    let height = slot.split.isExpert ? slot.rows / slot.shape[0] : slot.rows
    var experts: Set<Int> = []
    var start = 0
    for segment in segments {
      defer { start += segment.count }
      guard segment.part == part, segment.use == .own else { continue }
      let range = start..<start + segment.count
      for rows in rows where rows.overlaps(range) {
        let touched = rows.clamped(to: range)
        experts.formUnion(touched.lowerBound / height...(touched.upperBound - 1) / height)
      }
    }
    return experts.sorted()
  }

  /// B's rows as the part has them; zeros where B has none.
  private func unpacked(_ part: Int, _ segments: [Segment]) -> Factor {
    let rank = b.shape[1]
    let rowBytes = rank * b.dtype.byteWidth
    let count = segments.reduce(0) { $0 + ($1.part == part && $1.use == .own ? $1.count : 0) }
    var result = b
    result.shape = [count, rank]
    result.runs = { [rows, b] in
      let runs = try b.runs()
      return Layout.rows(segments).unpack(part: part, rowBytes: rowBytes, dtype: b.dtype) {
        (wanted: Range<Int>) -> ByteRuns in
        var found = ByteRuns()
        var (next, start) = (wanted.lowerBound, 0)
        for range in rows {
          let part = range.clamped(to: wanted)
          if !part.isEmpty {
            found.append(.zeros((part.lowerBound - next) * rowBytes))
            let first = start + part.lowerBound - range.lowerBound
            found.append(runs.slice(first * rowBytes..<(first + part.count) * rowBytes))
            next = part.upperBound
          }
          start += range.count
        }
        found.append(.zeros((wanted.upperBound - next) * rowBytes))
        return found
      }
    }
    return result
  }
}
