import CKernels
import Kernels

/// One operation's way back through what adapters add to its weight.
///
/// The operation calls `throughMagnitudes` before its own products and `backward` behind them, on a bank
/// for each expert with that expert's rows, in any order and side by side; and at the end `finish`.
struct LowRankWayBack {
  private let change: LowRankChange
  private let trace: LowRankChange.Trace
  /// Where the gradients of the factors gather: pair by pair, and for each expert by itself.
  private let inputs: [Matrix?]
  private let outputs: [Matrix?]
  private let magnitudes: [Matrix?]

  init(_ change: LowRankChange, _ trace: LowRankChange.Trace) {
    /// What experts share gathers in rows of their own first.
    func place(_ learned: LearnedMatrix, rows: Int) -> Matrix? {
      guard learned.isTrained else { return nil }
      if learned.value.rows == rows { return learned.gradientSum() }
      let own = Matrix(rows, learned.value.columns, learned.gradientNumbers)
      own.clear()
      return own
    }
    self.change = change
    self.trace = trace
    inputs = change.pairs.map { place($0.inputs, rows: change.matrices * $0.rank) }
    outputs = change.pairs.map { place($0.outputs, rows: change.matrices * $0.height) }
    magnitudes = change.pairs.map { $0.magnitude.flatMap { place($0, rows: 1) } }
  }

  /// The gradient of what comes through W, given that of the result; adds to the magnitudes' gradients.
  ///
  /// It is that of x · Vᵀ, unless V sees other inputs than W.
  ///
  /// - Parameters:
  ///   - rows: the tokens, of those the trace has; `nil` is all.
  ///   - expert: which matrix of a bank.
  func throughMagnitudes(_ dy: Matrix, rows: Range<Int>? = nil, expert: Int = 0) -> Matrix {
    // On the way there an expert without rows makes no factors.
    guard dy.rows > 0 else { return dy }
    let trace = rows.map { self.trace.rows($0) } ?? self.trace
    guard let plain = trace.plain, let factors = trace.factors?.rows(expert..<expert + 1),
      let inverse = trace.inverse?.rows(expert..<expert + 1)
    else { return dy }
    let sums = Matrix(1, change.height, inverse.numbers)
    sums.clear()
    Sums.reduce(dy.rows, into: sums) { rows, part in
      let first = rows.lowerBound
      dot_columns(
        dy.numbers.kernel, dy.address(first), dy.stride, plain.address(first), plain.stride,
        rows.count, sums.columns, part.start)
    }
    LowRankChange.scale(sums, by: inverse)
    for (pair, place) in zip(change.pairs, magnitudes) {
      guard let gradient = place?.columns(pair.magnitudes(expert)) else { continue }
      for span in pair.spans {
        gradient.columns(span.first..<span.first + span.packed.count)
          .add(sums.columns(span.packed))
      }
    }
    return trace.dropsInputs ? dy : Self.scaled(dy, by: factors)
  }

  private static func scaled(_ dy: Matrix, by factors: Matrix) -> Matrix {
    let result = dy.copied()
    LowRankChange.scale(result, by: factors)
    return result
  }

  /// Adds to the gradients of x and of the factors, given what `throughMagnitudes` gave.
  ///
  /// - Parameter dx: holds what came through W already; `nil` where x wants no gradient.
  func backward(
    _ dy: Matrix, _ x: Matrix, dx: Matrix?, rows: Range<Int>? = nil, expert: Int = 0
  ) {
    let trace = rows.map { self.trace.rows($0) } ?? self.trace
    let through = dy
    var dy = dy
    if trace.dropsInputs, let factors = trace.factors?.rows(expert..<expert + 1) {
      dy = Self.scaled(dy, by: factors)
    }
    if let mask = trace.mask, !mask.dropsInputs { dy = mask.dropped(dy) }
    let inner = Matrix(x.rows, change.rank, x.numbers)
    Product.multiply(dy, by: change.stackedOutputs(expert), into: inner)
    LowRankChange.scale(inner, by: change.scales)
    if let dx {
      if let mask = trace.mask, mask.dropsInputs {
        mask.add(ofDropped(dy, through, inner, dx.numbers, expert), to: dx)
      } else {
        Product.multiply(inner, by: change.stackedInputs(expert), into: dx, accumulates: true)
      }
    }
    let x = trace.input(x)
    learn(dy, inner, x, trace, expert)
  }

  /// The gradient of inputs of which some were left out.
  ///
  /// - Parameters:
  ///   - dy: that of their product with Vᵀ.
  ///   - through: that of the product of all inputs with Wᵀ, which theirs with Wᵀ was taken from.
  private func ofDropped(
    _ dy: Matrix, _ through: Matrix, _ inner: Matrix, _ numbers: Numbers, _ expert: Int
  ) -> Matrix {
    let result = Matrix(inner.rows, change.weight.value.columns, numbers)
    Product.multiply(inner, by: change.stackedInputs(expert), into: result)
    if change.hasMagnitudes {
      let difference = dy.copied()
      Sums.add(-1, through, to: difference)
      Product.multiply(difference, by: change.rows(expert), into: result, accumulates: true)
    }
    return result
  }

  /// Adds to the gradients of the factors.
  private func learn(
    _ dy: Matrix, _ inner: Matrix, _ x: Matrix, _ trace: LowRankChange.Trace, _ expert: Int
  ) {
    if outputs.contains(where: { $0 != nil }) {
      let gradient = Matrix(change.height, change.rank, x.numbers.accumulated)
      Product.multiply(dy, leftTransposed: true, by: trace.inner, into: gradient)
      for (index, columns) in change.columns.enumerated() {
        let pair = change.pairs[index]
        let target = outputs[index]?.rows(expert * pair.height..<(expert + 1) * pair.height)
        for span in pair.spans {
          target?.rows(span.first..<span.first + span.packed.count)
            .add(gradient.rows(span.packed).columns(columns))
        }
      }
    }
    if inputs.contains(where: { $0 != nil }) {
      let gradient = Matrix(change.rank, x.columns, x.numbers.accumulated)
      Product.multiply(inner, leftTransposed: true, by: x, into: gradient)
      for (index, columns) in change.columns.enumerated() {
        let rank = columns.count
        inputs[index]?.rows(expert * rank..<(expert + 1) * rank).add(gradient.rows(columns))
      }
    }
  }

  /// Adds up what experts gathered of factors that they share.
  func finish() {
    for (index, pair) in change.pairs.enumerated() {
      for (learned, own) in [(pair.inputs, inputs[index]), (pair.outputs, outputs[index])] {
        guard let own, own.rows > learned.value.rows else { continue }
        let sum = learned.gradientSum()
        for expert in 0..<change.matrices {
          sum.add(own.rows(expert * sum.rows..<(expert + 1) * sum.rows))
        }
      }
    }
  }
}

extension Parameter {
  /// The way back through what adapters add to the parameter; `nil` where there are none.
  func wayBack(_ trace: LowRankChange.Trace?) -> LowRankWayBack? {
    guard let change, let trace else { return nil }
    return LowRankWayBack(change, trace)
  }
}

extension Matrix {
  /// Adds numbers of any type.
  fileprivate func add(_ other: Matrix) { Sums.add(1, other.converted(to: numbers), to: self) }
}
