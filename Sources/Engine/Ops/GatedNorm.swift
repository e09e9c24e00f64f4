import Blueprint
import CKernels
import Kernels

/// A gate by SiLU and an RMS norm that follow each other, without weights.
struct GatedNormRule {
  var kind: gated_norm_kind
  var eps: Double
  /// Added to the weights.
  var offset = 0.0
  /// The numbers that are normed together, and whether each such stretch has weights of its own.
  var width: Int
  var hasOwnWeights: Bool
}

extension Tape {
  /// rms(x · silu(gate)) · w, rms(x) · w · silu(gate), or x · silu(gate).
  ///
  /// - Parameters:
  ///   - x: [tokens, stretches · width].
  ///   - gate: as many columns.
  ///   - weight: [stretches · width], or [width] if all stretches have the same.
  func gatedNorm(_ x: Node, gate: Columns, _ rule: GatedNormRule, weight: Parameter?) -> Node {
    let y = node(x.rows, x.columns, from: [x, gate.node], isTrained: weight?.isTrained ?? false)
    let type = numbers.kernel
    func layer() -> gated_norm {
      gated_norm(
        type: type, kind: rule.kind, stretches: x.columns / rule.width, width: rule.width,
        eps: rule.eps, offset: rule.offset, weight: weight?.value.start,
        weight_step: rule.hasOwnWeights ? rule.width : 0, x: x.value.start, x_row: x.value.stride,
        gate: gate.value.start, gate_row: gate.value.stride)
    }
    forward("gated norm", y) {
      Team.split(x.rows, grain: Sums.rows(x.columns)) { rows in
        var layer = layer()
        gated_norm_forward(&layer, rows.lowerBound, rows.count, y.value.start, y.value.stride)
      }
    }
    backward("gated norm", y) { dy in
      let dw = weight.flatMap { $0.isTrained ? $0.gradientSum() : nil }
      let (dx, accumulates) = Tape.place(x)
      let dgate = Tape.sum(gate)
      let sums = Matrix(1, dw?.count ?? 1, self.numbers.accumulated)
      sums.clear()
      Sums.reduce(x.rows, into: sums) { rows, sums in
        var layer = layer()
        gated_norm_backward(
          &layer, rows.lowerBound, rows.count, dy.start, dy.stride, dx.start, dx.stride,
          accumulates, dgate.start, dgate.stride, dw == nil ? nil : sums.start)
      }
      if let dw { Sums.add(1, sums, to: dw.reshaped(1, dw.count)) }
    }
    return y
  }
}
