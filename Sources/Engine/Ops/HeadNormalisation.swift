import Blueprint
import CKernels
import Kernels

/// The weights that a norm of heads has.
struct HeadWeights {
  /// [head size], or [heads · head size] where each head has its own; none is ones.
  var weight: Parameter?
  var bias: Parameter?
  var hasOwn = false
}

extension Tape {
  /// (x − mean) / √(variance + eps) · (offset + w) + b over each head, or over all heads of a token.
  ///
  /// - Returns: the heads side by side.
  func normalised(
    _ heads: Heads, _ rule: NormRule, together: Bool = false, _ weights: HeadWeights = HeadWeights()
  ) -> Heads {
    let source = heads.node
    let (weight, bias) = (weights.weight, weights.bias)
    let (count, size) = (heads.count, heads.headSize)
    let isTrained = weight?.isTrained ?? false || bias?.isTrained ?? false
    let y = node(source.rows, count * size, from: [source], isTrained: isTrained)
    let type = numbers.kernel
    let units = together ? 1 : count
    let inverse = Matrix(y.rows, units, numbers.accumulated)
    let mean = rule.centres ? Matrix(y.rows, units, numbers.accumulated) : nil
    /// What the kernels are told; its addresses are good while the parameters live.
    func norm() -> head_norm {
      head_norm(
        count: count, size: size, together: together, centres: rule.centres, eps: rule.eps,
        offset: rule.offset, weight: weight.map { .init($0.value.start) },
        bias: bias.map { .init($0.value.start) }, weight_step: weights.hasOwn ? size : 0)
    }
    forward("head norm", y) {
      Team.split(y.rows, grain: Sums.rows(y.columns)) { rows in
        var (norm, place) = (norm(), heads.place(source.value))
        head_norm_forward(
          type, &norm, &place, y.value.start, y.value.stride, rows.lowerBound, rows.count,
          inverse.start, mean?.start)
      }
    }
    backward("head norm", y) { dy in
      let dw = weight.flatMap { $0.isTrained ? $0.gradientSum() : nil }
      let db = bias.flatMap { $0.isTrained ? $0.gradientSum() : nil }
      let gradient =
        source.isTracked ? source.gradientSum() : Matrix(y.rows, source.columns, self.numbers)
      let width = (dw ?? db)?.count ?? 1
      let both = Matrix(1, 2 * width, self.numbers.accumulated)
      both.clear()
      Sums.reduce(y.rows, into: both) { rows, sums in
        var (norm, place, target) = (norm(), heads.place(source.value), heads.place(gradient))
        head_norm_backward(
          type, &norm, &place, dy.start, dy.stride, &target, rows.lowerBound, rows.count,
          inverse.start, mean?.start, dw == nil ? nil : sums.start,
          db == nil ? nil : sums.address(0, width))
      }
      if let dw { Sums.add(1, both.columns(0..<width), to: dw.reshaped(1, width)) }
      if let db { Sums.add(1, both.columns(width..<2 * width), to: db.reshaped(1, width)) }
    }
    return Heads(y, count: count, headSize: size)
  }
}
