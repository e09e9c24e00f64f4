import CKernels
import Kernels

/// The sizes of a state-space layer's recurrence.
struct StateSpaceShape {
  var heads: Int
  var headSize: Int
  var groups: Int
  var state: Int
  /// The bounds of dt.
  var stepLimit: (low: Double, high: Double)
  /// The rows computed at once; no change of the result.
  ///
  /// Of 1024 tokens, 24 heads of 64 and a state of 128 in
  /// bfloat16, half the heads took one thread 2.3, 1.9, 2.1 and 2.7 ms forward and 6.3, 4.7, 5.5 and 6.4 ms
  /// back in chunks of 32, 64, 128 and 256; with factors in float 2.7 and 7.6 ms in chunks of 64.
  var chunk = 64
}

/// The numbers that each head has for itself, [heads] each.
struct StateSpaceParameters {
  var decay: Parameter
  var skip: Parameter
  var stepBias: Parameter

  var all: [Parameter] { [decay, skip, stepBias] }
}

extension Tape {
  /// Mamba-2's recurrence: S ← exp(dt · A) · S + B ⊗ dt · x, y = C · S + skip · x, with
  /// dt = clip(softplus(steps + step bias)) and A = −exp(decay).
  ///
  /// - Parameters:
  ///   - channels: [tokens, x of all heads; B of all groups; C of all groups].
  ///   - steps: [tokens, heads].
  ///   - states: what earlier tokens of the only sequence left, changed to what these leave:
  ///     [heads, numbers of a state], of sums' type.
  /// - Returns: [tokens, heads · headSize].
  func stateSpace(
    _ channels: Node, steps: Columns, _ own: StateSpaceParameters, _ shape: StateSpaceShape,
    _ sequences: [Range<Int>], states: Matrix? = nil
  ) -> Node {
    let y = node(
      channels.rows, shape.heads * shape.headSize, from: [channels, steps.node],
      isTrained: own.all.contains(where: \.isTrained))
    let layer = Tape.layer(channels.value, steps.value, own, shape)
    let accumulated = numbers.accumulated
    forward("state space", y) {
      let units = shape.units(sequences)
      Team.forEach(units.count) { index in
        var (layer, unit) = (layer(), units[index].unit)
        let room = Matrix(1, state_space_forward_room(&layer, &unit), accumulated)
        state_space_forward(
          &layer, &unit, y.value.start, y.value.stride, states?.start, room.start)
      }
    }
    backward("state space", y) { dy in
      let units = shape.units(sequences)
      let (dx, accumulates) = Tape.place(channels)
      let dt = Tape.sum(steps)
      // A row for each sequence: [decay; skip; step bias].
      let sums = Matrix(sequences.count, 3 * shape.heads, accumulated)
      sums.clear()
      let parts = units.map { unit in
        unit.slices == 1 ? nil : Matrix(unit.unit.rows, 2 * shape.state, accumulated)
      }
      Team.forEach(units.count) { index in
        let place = units[index]
        var (layer, unit) = (layer(), place.unit)
        let room = Matrix(1, state_space_backward_room(&layer, &unit), accumulated)
        var gradients = state_space_gradients(
          y: dy.start, y_row: dy.stride, channels: dx.start, channels_row: dx.stride,
          accumulates: accumulates, shared: parts[index]?.start, steps: dt.start,
          steps_row: dt.stride, decay: sums.address(place.sequence),
          skip: sums.address(place.sequence, shape.heads),
          step_bias: sums.address(place.sequence, 2 * shape.heads))
        state_space_backward(&layer, &unit, &gradients, room.start)
      }
      Tape.addShared(parts, units, shape, to: dx, accumulates: accumulates)
      for (index, parameter) in own.all.enumerated() where parameter.isTrained {
        let part = sums.columns(index * shape.heads..<(index + 1) * shape.heads)
        Tape.addColumnSums(part, to: parameter.gradientSum())
      }
    }
    return y
  }

  private static func layer(
    _ channels: Matrix, _ steps: Matrix, _ own: StateSpaceParameters, _ shape: StateSpaceShape
  ) -> () -> state_space {
    let (decay, skip, bias) = (own.decay.value, own.skip.value, own.stepBias.value)
    return {
      state_space(
        type: channels.numbers.kernel, heads: shape.heads, head_size: shape.headSize,
        groups: shape.groups, state: shape.state, chunk: shape.chunk, low: shape.stepLimit.low,
        high: shape.stepLimit.high, channels: channels.start, channels_row: channels.stride,
        steps: steps.start, steps_row: steps.stride, decay: decay.start, skip: skip.start,
        step_bias: bias.start)
    }
  }
}

extension StateSpaceShape {
  /// The numbers of one head's state in memory.
  var stateSize: Int { state_space_state_size(state, headSize) }
}
