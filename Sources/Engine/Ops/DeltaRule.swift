import CKernels
import Kernels

/// The sizes of a gated delta rule.
struct DeltaRuleShape {
  var keyHeads: Int
  var valueHeads: Int
  var keySize: Int
  var valueSize: Int
  /// Under the roots that queries and keys are divided by.
  var eps = 1e-6
  /// The rows computed at once; no change of the result.
  ///
  /// Of 1024 tokens and heads of 128 in bfloat16, a key
  /// head with two value heads took one thread 1.13, 1.05 and 1.12 ms forward and 3.5, 3.4 and 3.9 ms back in
  /// chunks of 32, 64 and 128.
  var chunk = 64

  /// The columns of [q; k; v] of all heads.
  var channels: Int { 2 * keyHeads * keySize + valueHeads * valueSize }
  /// The numbers of one head's state in memory.
  var stateSize: Int { delta_rule_state_size(keySize, valueSize) }

  /// The work: a key head of a sequence and the value heads it serves, the longest sequences first.
  func units(_ sequences: [Range<Int>]) -> [(sequence: Int, unit: delta_rule_unit)] {
    let longest = sequences.enumerated().sorted { $0.element.count > $1.element.count }
    return longest.filter { !$0.element.isEmpty }.flatMap { sequence, rows in
      (0..<keyHeads).map { head in
        let unit = delta_rule_unit(
          first_row: rows.lowerBound, rows: rows.count, key_head: head)
        return (sequence, unit)
      }
    }
  }
}

extension Tape {
  /// The gated delta rule: with β = sigmoid(b), g = −exp(decay) · softplus(a + step bias), and q and k
  /// of unit length, q divided by √keySize besides, S ← exp(g) · S, then S ← S + k ⊗ β · (v − Sᵀ k),
  /// y = Sᵀ q.
  ///
  /// - Parameters:
  ///   - channels: [tokens, q of all key heads; k; v of all value heads].
  ///   - gates: [tokens, b of all value heads; a].
  ///   - decay: [value heads], and so is `stepBias`.
  ///   - states: what earlier tokens of the only sequence left, changed to what these leave:
  ///     [value heads, numbers of a state], of sums' type.
  /// - Returns: [tokens, value heads · valueSize].
  func deltaRule(
    _ channels: Node, gates: Columns, decay: Parameter, stepBias: Parameter,
    _ shape: DeltaRuleShape, _ sequences: [Range<Int>], states: Matrix? = nil
  ) -> Node {
    let y = node(
      channels.rows, shape.valueHeads * shape.valueSize, from: [channels, gates.node],
      isTrained: decay.isTrained || stepBias.isTrained)
    let (x, raw, accumulated) = (channels.value, gates.value, numbers.accumulated)
    let units = shape.units(sequences)
    func layer() -> delta_rule {
      delta_rule(
        type: x.numbers.kernel, key_heads: shape.keyHeads, value_heads: shape.valueHeads,
        key_size: shape.keySize, value_size: shape.valueSize, chunk: shape.chunk, eps: shape.eps,
        channels: x.start, channels_row: x.stride, gates: raw.start, gates_row: raw.stride,
        decay: decay.value.start, step_bias: stepBias.value.start)
    }
    forward("delta rule", y) {
      Team.forEach(units.count) { index in
        var (layer, unit) = (layer(), units[index].unit)
        let room = Matrix(1, delta_rule_forward_room(&layer, &unit), accumulated)
        delta_rule_forward(&layer, &unit, y.value.start, y.value.stride, states?.start, room.start)
      }
    }
    backward("delta rule", y) { dy in
      let (dx, accumulates) = Tape.place(channels)
      let dgates = Tape.sum(gates)
      // A row for each sequence: [decay; step bias].
      let sums = Matrix(sequences.count, 2 * shape.valueHeads, accumulated)
      sums.clear()
      Team.forEach(units.count) { index in
        let (sequence, place) = units[index]
        var (layer, unit) = (layer(), place)
        let room = Matrix(1, delta_rule_backward_room(&layer, &unit), accumulated)
        var gradients = delta_rule_gradients(
          y: dy.start, y_row: dy.stride, channels: dx.start, channels_row: dx.stride,
          accumulates: accumulates, gates: dgates.start, gates_row: dgates.stride,
          decay: sums.address(sequence), step_bias: sums.address(sequence, shape.valueHeads))
        delta_rule_backward(&layer, &unit, &gradients, room.start)
      }
      for (index, parameter) in [decay, stepBias].enumerated() where parameter.isTrained {
        let part = sums.columns(index * shape.valueHeads..<(index + 1) * shape.valueHeads)
        Tape.addColumnSums(part, to: parameter.gradientSum())
      }
    }
    return y
  }
}
