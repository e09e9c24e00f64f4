import Blueprint
import Kernels

extension Parameter {
  /// Settles the gradient of packed rows that are not learned by themselves: rows that stand twice get
  /// the sum of both, so that they stay alike, and rows of zeros get none.
  ///
  /// To be done once when a gradient is complete.
  public func settleGradient() {
    guard let gradient else { return }
    let segments: [Segment]
    switch slot.slot.layout {
    case .rows(let found), .transposed(let found, _): segments = found
    case .filled: return
    }
    guard segments.contains(where: { $0.use != .own }) else { return }
    let rows = gradient.reshaped(slot.slot.rows, slot.slot.rowWidth)
    var ends: [Int] = []
    for segment in segments { ends.append((ends.last ?? 0) + segment.count) }
    func place(_ index: Int) -> Matrix {
      rows.rows(ends[index] - segments[index].count..<ends[index])
    }
    for (index, segment) in segments.enumerated() {
      switch segment.use {
      case .own: continue
      case .zeros: place(index).clear()
      case .copy:
        guard
          let original = segments.firstIndex(where: {
            $0.use == .own && $0.part == segment.part && $0.first == segment.first
              && $0.count == segment.count && $0.stride == segment.stride
          })
        else { continue }
        Sums.add(1, place(index), to: place(original))
        place(index).copy(place(original))
      }
    }
  }
}
