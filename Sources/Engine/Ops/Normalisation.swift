import Blueprint
import CKernels
import Kernels

/// Stretches of a matrix's rows that are normalised by themselves.
struct Stretches {
  /// Of each row's first stretch, the first column.
  var first = 0
  /// How many there are in a row.
  var perRow = 1
  /// How far apart they begin.
  var step = 0
  var width: Int
  /// Whether each has weights of its own rather than all the same.
  var hasOwnWeights = false
}

/// What a norm does to its stretches, without its weights.
struct NormRule {
  var eps: Double
  /// Whether the mean is taken away.
  var centres: Bool
  /// What is added to the weights.
  var offset: Double

  init(_ kind: Norm.Kind, eps: Double) {
    self.eps = eps
    switch kind {
    case .rms, .rmsWithoutWeight: (centres, offset) = (false, 0)
    case .rmsUnitOffset: (centres, offset) = (false, 1)
    case .layer, .layerWithoutWeight: (centres, offset) = (true, 0)
    case .layerUnitOffset: (centres, offset) = (true, 1)
    }
  }
}

extension Tape {
  /// (x − mean) / √(variance + eps) · (offset + w) + b over rows, or over stretches of them.
  ///
  /// - Parameters:
  ///   - x: [tokens, columns]; columns outside the stretches have no counterpart in the result.
  ///   - weight: [stretch width], or [stretches · width] if each has its own; none is ones.
  /// - Returns: [tokens, stretches · width].
  func normalised(
    _ x: Node, _ rule: NormRule, weight: Parameter?, bias: Parameter?, _ stretches: Stretches
  ) -> Node {
    let isTrained = weight?.isTrained ?? false || bias?.isTrained ?? false
    let y = node(x.rows, stretches.perRow * stretches.width, from: [x], isTrained: isTrained)
    let count = x.rows * stretches.perRow
    let inverse = Matrix(1, count, numbers.accumulated)
    let mean = rule.centres ? Matrix(1, count, numbers.accumulated) : nil
    let weightStep = stretches.hasOwnWeights ? stretches.width : 0
    let type = numbers.kernel
    // What is read is packed like what is written, or lies `step` apart in wider rows.
    let input = Tape.compact(x.value, stretches)
    forwardCheaply("norm", y) { y in
      Team.split(count, grain: Sums.rows(stretches.width)) { range in
        norm_forward(
          type, input.start, input.stride, y.start, y.stride, range.lowerBound,
          range.count, stretches.perRow, stretches.width, stretches.width, weight?.value.start,
          bias?.value.start, weightStep, rule.offset, rule.eps, rule.centres, inverse.start,
          mean?.start)
      }
    }
    backward("norm", y) { dy in
      let dw = weight.flatMap { $0.isTrained ? $0.gradientSum() : nil }
      let db = bias.flatMap { $0.isTrained ? $0.gradientSum() : nil }
      let isWhole = stretches.perRow * stretches.width == x.columns
      let (dx, accumulates) =
        isWhole ? x.gradientPlace() : (Matrix(dy.rows, dy.columns, dy.numbers), false)
      let width = (dw ?? db)?.columns ?? 1
      let both = Matrix(1, 2 * width, self.numbers.accumulated)
      both.clear()
      Sums.reduce(count, into: both) { range, sums in
        norm_backward(
          type, input.start, input.stride, dy.start, dy.stride, dx.start, dx.stride,
          range.lowerBound, range.count, stretches.perRow, stretches.width, stretches.width,
          weight?.value.start, weightStep, rule.offset, rule.centres, inverse.start, mean?.start,
          accumulates, dw == nil ? nil : sums.start,
          db == nil ? nil : sums.address(0, width))
      }
      if let dw { Sums.add(1, both.columns(0..<width), to: dw.reshaped(1, width)) }
      if let db { Sums.add(1, both.columns(width..<2 * width), to: db.reshaped(1, width)) }
      if !isWhole { Tape.spread(dx, into: x.gradientSum(), stretches) }
    }
    return y
  }

  /// The stretches one behind the other.
  private static func compact(_ x: Matrix, _ stretches: Stretches) -> Matrix {
    let (perRow, width) = (stretches.perRow, stretches.width)
    if stretches.step == width || perRow == 1 {
      return x.columns(stretches.first..<stretches.first + perRow * width)
    }
    let packed = Matrix(x.rows, perRow * width, x.numbers)
    for index in 0..<perRow {
      let from = stretches.first + index * stretches.step
      packed.columns(index * width..<(index + 1) * width).copy(x.columns(from..<from + width))
    }
    return packed
  }

  /// Adds packed stretches to where they lie in wider rows.
  private static func spread(_ packed: Matrix, into target: Matrix, _ stretches: Stretches) {
    let width = stretches.width
    for index in 0..<stretches.perRow {
      let to = stretches.first + index * stretches.step
      Sums.add(
        1, packed.columns(index * width..<(index + 1) * width), to: target.columns(to..<to + width))
    }
  }
}
