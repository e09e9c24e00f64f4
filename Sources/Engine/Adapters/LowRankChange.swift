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
    /// What is left out of the rows; `nil` for nothing.
    var mask: AdapterDropout.Mask?

    /// Of some of the tokens.
    func rows(_ range: Range<Int>) -> Trace {
      Trace(
        inner: inner.rows(range), plain: plain?.rows(range), factors: factors, inverse: inverse,
        mask: mask?.rows(range))
    }

    /// What A is multiplied with.
    func input(_ x: Matrix) -> Matrix {
      guard let mask, mask.dropsInputs else { return x }
      return mask.dropped(x)
    }

    /// Whether A and V see other inputs than W.
    var dropsInputs: Bool { mask?.dropsInputs ?? false }
  }

  /// Room for the trace of so many tokens.
  ///
  /// - Parameters:
  ///   - type: that of the operation's result.
  ///   - dropout: of the pass.
  func trace(_ tokens: Int, _ type: Numbers, _ dropout: AdapterDropout?) -> Trace {
    let (numbers, sums) = (weight.value.numbers, weight.value.numbers.accumulated)
    var trace = Trace(inner: Matrix(tokens, rank, numbers), mask: dropout?.mask(weight))
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
    let input = trace.input(x)
    Product.multiply(input, by: a, rightTransposed: true, into: trace.inner)
    LowRankChange.scale(trace.inner, by: scales)
    guard let plain = trace.plain, let factors = trace.factors?.rows(expert..<expert + 1),
      let inverse = trace.inverse?.rows(expert..<expert + 1)
    else { return addOutputs(b, trace, to: y) }
    setFactors(expert, a, b, factors, inverse)
    guard trace.dropsInputs else {
      addOutputs(b, trace, to: y)
      plain.copy(y)
      return LowRankChange.scale(y, by: factors)
    }
    // W goes on to see all of x: y = W · x - W · x' + m / ‖V‖ ∘ V · x', as in PEFT and Megatron-Bridge.
    Product.multiply(input, by: rows(expert), rightTransposed: true, into: plain)
    Sums.add(-1, plain, to: y)
    addOutputs(b, trace, to: plain)
    let scaled = plain.copied()
    LowRankChange.scale(scaled, by: factors)
    Sums.add(1, scaled, to: y)
  }

  /// The weights of one matrix.
  func rows(_ expert: Int) -> Matrix {
    weight.value.rows(expert * height..<(expert + 1) * height)
  }

  /// Adds scale · B · A · x, without what is left out of it.
  private func addOutputs(_ b: Matrix, _ trace: Trace, to y: Matrix) {
    guard let mask = trace.mask, !mask.dropsInputs else {
      return Product.multiply(
        trace.inner, by: b, rightTransposed: true, into: y, accumulates: true)
    }
    let change = Matrix(y.rows, y.columns, y.numbers)
    Product.multiply(trace.inner, by: b, rightTransposed: true, into: change)
    mask.add(change, to: y)
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
