import CKernels
import Kernels

/// All that adapters add to one parameter: y = x · Wᵀ becomes m / ‖V‖ ∘ (x · Vᵀ) with
/// V = W + Σ scale · B · A, and without the first factor where a pair has no magnitudes.
///
/// The operation that multiplies by the parameter calls `forward` when its own product is there, and
/// going back `backwardThroughMagnitudes` before its own products, `backward` behind them. An operation
/// on a bank does so for each expert with that expert's tokens.
public final class LowRankChange {
  public let pairs: [LowRankPair]
  unowned let weight: Parameter
  /// How many matrices stand one below the other, and the rows of each.
  let matrices: Int
  let height: Int
  /// The ranks of all pairs together.
  let rank: Int
  let hasMagnitudes: Bool
  /// The squares of the weights' rows, kept while the weights are frozen.
  private lazy var frozenSquares = LowRankChange.squares(weight.value)

  init(_ pairs: [LowRankPair], on weight: Parameter, matrices: Int) {
    self.pairs = pairs
    self.weight = weight
    self.matrices = matrices
    height = weight.value.rows / matrices
    rank = pairs.reduce(0) { $0 + $1.rank }
    hasMagnitudes = pairs.contains { $0.magnitude != nil }
  }

  public var isTrained: Bool { pairs.contains(where: \.isTrained) }

  /// What the way back needs to know of the way there.
  struct Trace {
    /// scale · x · Aᵀ, [tokens, rank].
    var inner: Matrix
    /// x · Vᵀ, and m / ‖V‖ and 1 / ‖V‖ by columns, where there are magnitudes.
    var plain: Matrix?
    var factors: Matrix?
    var inverse: Matrix?
  }

  // MARK: There

  /// Adds to x · Wᵀ what the pairs make of it.
  ///
  /// - Parameters:
  ///   - x: [tokens, inputs].
  ///   - y: x · Wᵀ without a bias, [tokens, rows of one matrix].
  ///   - expert: which matrix of a bank.
  func forward(_ x: Matrix, into y: Matrix, expert: Int = 0) -> Trace {
    let (a, b) = (stackedInputs(expert), stackedOutputs(expert))
    let inner = Matrix(x.rows, rank, x.numbers)
    Product.multiply(x, by: a, rightTransposed: true, into: inner)
    LowRankChange.scale(inner, by: scales)
    Product.multiply(inner, by: b, rightTransposed: true, into: y, accumulates: true)
    var trace = Trace(inner: inner)
    guard hasMagnitudes else { return trace }
    let (factors, inverse) = factors(expert, a, b)
    trace.plain = y.copied()
    trace.factors = factors
    trace.inverse = inverse
    LowRankChange.scale(y, by: factors)
    return trace
  }

  // MARK: Back

  /// The gradient of x · Vᵀ, given that of the result; adds to the magnitudes' gradients.
  func backwardThroughMagnitudes(_ dy: Matrix, _ trace: Trace, expert: Int = 0) -> Matrix {
    guard let plain = trace.plain, let factors = trace.factors, let inverse = trace.inverse else {
      return dy
    }
    let sums = Matrix(1, height, inverse.numbers)
    sums.clear()
    Sums.reduce(dy.rows, into: sums) { rows, part in
      let first = rows.lowerBound
      dot_columns(
        dy.numbers.kernel, dy.address(first), dy.stride, plain.address(first), plain.stride,
        rows.count, height, part.start)
    }
    LowRankChange.scale(sums, by: inverse)
    for pair in pairs {
      guard let magnitude = pair.magnitude, magnitude.isTrained else { continue }
      let gradient = magnitude.gradientSum().columns(pair.magnitudes(expert))
      for span in pair.spans {
        let target = gradient.columns(span.first..<span.first + span.packed.count)
        Sums.add(1, sums.columns(span.packed), to: target)
      }
    }
    let result = dy.copied()
    LowRankChange.scale(result, by: factors)
    return result
  }

  /// Adds to the gradients of x and of the factors, given that of x · Vᵀ.
  ///
  /// - Parameter dx: holds what came through W already; `nil` where x wants no gradient.
  func backward(_ dy: Matrix, _ x: Matrix, _ trace: Trace, dx: Matrix?, expert: Int = 0) {
    let inner = Matrix(x.rows, rank, x.numbers)
    Product.multiply(dy, by: stackedOutputs(expert), into: inner)
    LowRankChange.scale(inner, by: scales)
    if let dx { Product.multiply(inner, by: stackedInputs(expert), into: dx, accumulates: true) }
    if pairs.contains(where: \.outputs.isTrained) {
      let gradient = Matrix(height, rank, x.numbers.accumulated)
      Product.multiply(dy, leftTransposed: true, by: trace.inner, into: gradient)
      addToOutputs(gradient, expert)
    }
    if pairs.contains(where: \.inputs.isTrained) {
      let gradient = Matrix(rank, x.columns, x.numbers.accumulated)
      Product.multiply(inner, leftTransposed: true, by: x, into: gradient)
      addToInputs(gradient, expert)
    }
  }

  private func addToOutputs(_ gradient: Matrix, _ expert: Int) {
    for (pair, columns) in zip(pairs, columns) where pair.outputs.isTrained {
      let target = pair.outputs.gradientSum().rows(pair.outputRows(expert))
      for span in pair.spans {
        let part = target.rows(span.first..<span.first + span.packed.count)
        add(gradient.rows(span.packed).columns(columns), to: part)
      }
    }
  }

  private func addToInputs(_ gradient: Matrix, _ expert: Int) {
    for (pair, rows) in zip(pairs, columns) where pair.inputs.isTrained {
      add(gradient.rows(rows), to: pair.inputs.gradientSum().rows(pair.inputRows(expert)))
    }
  }

  private func add(_ gradient: Matrix, to sum: Matrix) {
    Sums.add(1, gradient.numbers == sum.numbers ? gradient : gradient.copied(as: sum.numbers), to: sum)
  }
}

extension LowRankChange {
  // MARK: All pairs as one

  /// Which of the common rank's columns each pair has.
  private var columns: [Range<Int>] {
    var start = 0
    return pairs.map { pair in
      defer { start += pair.rank }
      return start..<start + pair.rank
    }
  }

  /// The scale of each of the common rank's columns.
  private var scales: Matrix {
    Matrix(
      pairs.flatMap { Array(repeating: $0.scale, count: $0.rank) },
      weight.value.numbers.accumulated)
  }

  /// The A of all pairs, one below the other, [rank, inputs].
  private func stackedInputs(_ expert: Int) -> Matrix {
    if pairs.count == 1 { return pairs[0].inputs.value.rows(pairs[0].inputRows(expert)) }
    let result = Matrix(rank, weight.value.columns, weight.value.numbers)
    for (pair, rows) in zip(pairs, columns) {
      result.rows(rows).copy(pair.inputs.value.rows(pair.inputRows(expert)))
    }
    return result
  }

  /// The B of all pairs side by side, each where its rows are packed and zeros elsewhere, [height, rank].
  ///
  /// One product with these zeros costs less than many small ones: all of them wait for memory.
  private func stackedOutputs(_ expert: Int) -> Matrix {
    if pairs.count == 1, pairs[0].spans == [.init(packed: 0..<height, first: 0)] {
      return pairs[0].outputs.value.rows(pairs[0].outputRows(expert))
    }
    let result = Matrix(height, rank, weight.value.numbers)
    result.clear()
    for (pair, columns) in zip(pairs, columns) {
      let source = pair.outputs.value.rows(pair.outputRows(expert))
      for span in pair.spans {
        result.rows(span.packed).columns(columns)
          .copy(source.rows(span.first..<span.first + span.packed.count))
      }
    }
    return result
  }

  /// Σ scale · B · A for one matrix, in the type of sums.
  func product(_ expert: Int) -> Matrix {
    let sums = weight.value.numbers.accumulated
    let outputs = stackedOutputs(expert).copied(as: sums)
    LowRankChange.scale(outputs, by: scales)
    let result = Matrix(height, weight.value.columns, sums)
    Product.multiply(outputs, by: stackedInputs(expert).copied(as: sums), into: result)
    return result
  }

  // MARK: Magnitudes

  /// m / ‖V‖ of each row of a matrix.
  func rowFactors(_ expert: Int) -> Matrix {
    factors(expert, stackedInputs(expert), stackedOutputs(expert)).0
  }

  /// m / ‖V‖ and 1 / ‖V‖ of each row of a matrix; where there are no magnitudes, the first is 1.
  private func factors(_ expert: Int, _ a: Matrix, _ b: Matrix) -> (Matrix, Matrix) {
    let norms = norms(expert, a, b)
    let factors = Matrix([Double](repeating: 1, count: height), norms.numbers)
    let inverse = Matrix(1, height, norms.numbers)
    // Rows of zeros, which stand for no tensor, stay zeros.
    for row in 0..<height { inverse[0, row] = norms[0, row] > 0 ? 1 / norms[0, row] : 0 }
    for pair in pairs {
      guard let magnitude = pair.magnitude?.value.columns(pair.magnitudes(expert)) else { continue }
      for span in pair.spans {
        for (offset, row) in span.packed.enumerated() {
          factors[0, row] = magnitude[0, span.first + offset] * inverse[0, row]
        }
      }
    }
    return (factors, inverse)
  }

  /// ‖V‖ of each row of a matrix, [1, height].
  func norms(expert: Int) -> Matrix {
    norms(expert, stackedInputs(expert), stackedOutputs(expert))
  }

  private func norms(_ expert: Int, _ a: Matrix, _ b: Matrix) -> Matrix {
    let rows = weight.value.rows(expert * height..<(expert + 1) * height)
    let sums = weight.value.numbers.accumulated
    let all = weight.isTrained ? LowRankChange.squares(weight.value) : frozenSquares
    let squares = all.columns(expert * height..<(expert + 1) * height)
    let products = Matrix(height, rank, sums)
    Product.multiply(rows, by: a, rightTransposed: true, into: products)
    LowRankChange.scale(products, by: scales)
    let gram = Matrix(rank, rank, sums)
    Product.multiply(a, by: a, rightTransposed: true, into: gram)
    LowRankChange.scale(gram, by: scales)
    for row in 0..<rank {
      let line = gram.rows(row..<row + 1)
      Sums.add(scales[0, row], line, to: line, share: 0)
    }
    let norms = Matrix(1, height, sums)
    Team.split(height, grain: Sums.rows(rank * rank)) { range in
      let first = range.lowerBound
      changed_row_norms(
        rows.numbers.kernel, squares.address(0, first), products.address(first), products.stride,
        b.address(first), b.stride, gram.start, rank, range.count, norms.address(0, first))
    }
    return norms
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

  private static func scale(_ matrix: Matrix, by factors: Matrix) {
    Team.split(matrix.rows, grain: Sums.rows(matrix.columns)) { rows in
      let first = rows.lowerBound
      scale_columns(
        matrix.numbers.kernel, matrix.address(first), matrix.stride, factors.start,
        matrix.address(first), matrix.stride, rows.count, matrix.columns)
    }
  }
}
