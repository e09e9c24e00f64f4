import Kernels

/// The matrices of all experts, one below the other, and their biases.
///
/// What one expert's matrix does is in `apply`, `applyBack` and `learn` alone, with what adapters add to it.
struct Bank {
  var weight: Parameter
  var bias: Parameter?
  var experts: Int

  var outputs: Int { weight.value.rows / experts }
  var inputs: Int { weight.value.columns }
  var isTrained: Bool { weight.learns || bias?.isTrained ?? false }

  private func rows(_ expert: Int) -> Range<Int> { expert * outputs..<(expert + 1) * outputs }

  /// The output x · Wᵀ.
  ///
  /// - Parameter trace: of the rows of x.
  func apply(
    _ expert: Int, _ x: Matrix, into output: Matrix, _ trace: LowRankChange.Trace?
  ) {
    Product.multiply(x, by: weight.value.rows(rows(expert)), rightTransposed: true, into: output)
    if let trace { weight.change?.forward(x, into: output, trace, expert: expert) }
  }

  /// The gradient dx = dy · W, or the matrix plus that.
  func applyBack(_ expert: Int, _ dy: Matrix, into dx: Matrix, accumulates: Bool = false) {
    Product.multiply(dy, by: weight.value.rows(rows(expert)), into: dx, accumulates: accumulates)
  }

  /// Where the gradient of the weights goes; `nil` where nobody wants it.
  func gradientPlace() -> (target: Matrix, accumulates: Bool)? {
    weight.isTrained ? weight.gradientPlace() : nil
  }

  /// The gradient dW = dyᵀ · x, added where the place says so; zeros for an expert without rows.
  func learn(
    _ expert: Int, _ dy: Matrix, _ x: @autoclosure () -> Matrix,
    _ place: (target: Matrix, accumulates: Bool)?
  ) {
    guard let place else { return }
    let target = place.target.rows(rows(expert))
    if dy.rows == 0 {
      if !place.accumulates { target.clear() }
    } else {
      Product.multiply(
        dy, leftTransposed: true, by: x(), into: target, accumulates: place.accumulates)
    }
  }

  /// The part of a row over all experts' outputs that is one's own.
  func part(_ expert: Int, of row: Matrix) -> Matrix { row.columns(rows(expert)) }
}
