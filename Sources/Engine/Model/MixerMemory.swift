import Kernels

/// What a layer with a convolution keeps of earlier tokens: the rows that the convolution reads again,
/// and, where a recurrence follows, its states.
final class MixerMemory: CacheState {
  /// The last inputs of the convolution, [kernel - 1, channels]; zeros at the beginning.
  private(set) var rows: Matrix
  private var states: Matrix?

  init(rows: Int, channels: Int, _ numbers: Numbers) {
    self.rows = Matrix(rows, channels, numbers)
    self.rows.clear()
  }

  /// Keeps the last rows of what the convolution has read.
  func remember(_ input: Matrix) {
    let kept = Matrix(rows.rows, rows.columns, rows.numbers)
    let fresh = min(kept.rows, input.rows)
    let old = kept.rows - fresh
    kept.rows(0..<old).copy(rows.rows(rows.rows - old..<rows.rows))
    kept.rows(old..<kept.rows).copy(input.rows(input.rows - fresh..<input.rows))
    rows = kept
  }

  /// The states of all heads, zeros at the beginning: [heads, size], of sums' type.
  func states(_ heads: Int, _ size: Int) -> Matrix {
    if let states { return states }
    let fresh = Matrix(heads, size, rows.numbers.accumulated)
    fresh.clear()
    states = fresh
    return fresh
  }

  /// A recurrence keeps what all tokens came to, from which none can be taken away.
  func drop(_ tokens: Int) -> Bool { false }
}
