import Blueprint
import Kernels

extension Parameter {
  /// Settles the gradient of packed rows that are not learned by themselves: rows that stand twice get
  /// the sum of both, so that they stay alike, and rows of zeros get none.
  ///
  /// To be done once when a gradient is complete.
  public func settleGradient() {
    guard let gradient else { return }
    settle(gradient) { copy, original in
      Sums.add(1, copy, to: original)
      copy.copy(original)
    }
  }

  /// Makes fresh values such as files hold: rows that stand twice alike, and zeros where no tensor is.
  func settleCopies() {
    settle(value) { copy, original in copy.copy(original) }
  }

  /// The gradients of what is learned by itself, each once: all rows but copies and zeros.
  var ownGradients: [Matrix] {
    guard let gradient else { return [] }
    let segments = slot.slot.layout.allSegments
    guard segments.contains(where: { $0.use != .own }) else { return [gradient] }
    let rows = gradient.reshaped(slot.slot.rows, slot.slot.rowWidth)
    var start = 0
    return segments.compactMap { segment in
      defer { start += segment.count }
      return segment.use == .own ? rows.rows(start..<start + segment.count) : nil
    }
  }

  /// - Parameter body: given the rows of a copy and those it is of.
  private func settle(_ matrix: Matrix, _ body: (Matrix, Matrix) -> Void) {
    let segments = slot.slot.layout.allSegments
    guard segments.contains(where: { $0.use != .own }) else { return }
    let rows = matrix.reshaped(slot.slot.rows, slot.slot.rowWidth)
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
        var source = segment
        source.use = .own
        guard let original = segments.firstIndex(of: source) else { continue }
        body(place(index), place(original))
      }
    }
  }
}
