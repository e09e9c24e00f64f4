import CKernels
import Kernels

/// All that adapters add to one parameter: y = x · Wᵀ becomes m / ‖V‖ ∘ (x · Vᵀ) with
/// V = W + Σ scale · B · A, and without the first factor where a pair has no magnitudes.
///
/// The operation that multiplies by the parameter takes a `trace` and calls `forward` when its own product
/// is there; an operation on a bank does that for each expert with that expert's rows, in any order and
/// side by side. `LowRankWayBack` is for the way back.
public final class LowRankChange {
  public let pairs: [LowRankPair]
  unowned let weight: Parameter
  /// How many matrices stand one below the other, and the rows of each.
  let matrices: Int
  let height: Int
  /// The ranks of all pairs together.
  let rank: Int
  let hasMagnitudes: Bool
  /// The squares of the frozen weights' rows, where there are magnitudes.
  private let squares: Matrix?

  init(_ pairs: [LowRankPair], on weight: Parameter, matrices: Int) {
    self.pairs = pairs
    self.weight = weight
    self.matrices = matrices
    height = weight.value.rows / matrices
    rank = pairs.reduce(0) { $0 + $1.rank }
    hasMagnitudes = pairs.contains { $0.magnitude != nil }
    squares = hasMagnitudes && !weight.isTrained ? LowRankChange.squares(weight.value) : nil
  }

  public var isTrained: Bool { pairs.contains(where: \.isTrained) }

  /// What the way back needs to know of the way there.
  struct Trace {
    /// scale · x · Aᵀ, [tokens, rank].
    var inner: Matrix
    /// x · Vᵀ, [tokens, rows], and m / ‖V‖ and 1 / ‖V‖, [matrices, rows], where there are magnitudes.
    var plain: Matrix?
    var factors: Matrix?
    var inverse: Matrix?

    /// Of some of the tokens.
    func rows(_ range: Range<Int>) -> Trace {
      Trace(
        inner: inner.rows(range), plain: plain?.rows(range), factors: factors, inverse: inverse)
    }
  }

  /// Room for the trace of so many tokens.
  ///
  /// - Parameter type: that of the operation's result.
  func trace(_ tokens: Int, _ type: Numbers) -> Trace {
    let (numbers, sums) = (weight.value.numbers, weight.value.numbers.accumulated)
    var trace = Trace(inner: Matrix(tokens, rank, numbers))
    guard hasMagnitudes else { return trace }
    trace.plain = Matrix(tokens, height, type)
    trace.factors = Matrix(matrices, height, sums)
    trace.inverse = Matrix(matrices, height, sums)
    return trace
  }

  /// Adds to x · Wᵀ what the pairs make of it.
  ///
  /// - Parameters:
  ///   - x: [tokens, inputs].
  ///   - y: x · Wᵀ without a bias, [tokens, rows of one matrix].
  ///   - expert: which matrix of a bank.
  func forward(_ x: Matrix, into y: Matrix, _ trace: Trace, expert: Int = 0) {
    let (a, b) = (stackedInputs(expert), stackedOutputs(expert))
    Product.multiply(x, by: a, rightTransposed: true, into: trace.inner)
    LowRankChange.scale(trace.inner, by: scales)
    Product.multiply(trace.inner, by: b, rightTransposed: true, into: y, accumulates: true)
    guard let plain = trace.plain, let factors = trace.factors?.rows(expert..<expert + 1),
      let inverse = trace.inverse?.rows(expert..<expert + 1)
    else { return }
    setFactors(expert, a, b, factors, inverse)
    plain.copy(y)
    LowRankChange.scale(y, by: factors)
  }

  /// The squares of the lengths of one matrix' rows, [1, height].
  func squares(_ expert: Int) -> Matrix {
    let rows = expert * height..<(expert + 1) * height
    return squares?.columns(rows) ?? LowRankChange.squares(weight.value.rows(rows))
  }

  private static func squares(_ weight: Matrix) -> Matrix {
    let squares = Matrix(1, weight.rows, weight.numbers.accumulated)
    Team.split(weight.rows, grain: Sums.rows(weight.columns)) { rows in
      let first = rows.lowerBound
      row_squares(
        weight.numbers.kernel, weight.address(first), weight.stride, rows.count, weight.columns,
        squares.address(0, first))
    }
    return squares
  }

  static func scale(_ matrix: Matrix, by factors: Matrix) {
    Team.split(matrix.rows, grain: Sums.rows(matrix.columns)) { rows in
      let first = rows.lowerBound
      scale_columns(
        matrix.numbers.kernel, matrix.address(first), matrix.stride, factors.start,
        matrix.address(first), matrix.stride, rows.count, matrix.columns)
    }
  }
}
