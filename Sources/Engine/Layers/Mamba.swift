import Blueprint
import CKernels
import Kernels

extension Mamba: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    let tape = pass.tape
    func role(_ part: Role.MixerPart) -> Role { .mixer(.mamba, part) }
    let projected = tape.linear(
      x, try pass.required(role(.input(.weight))), bias: pass.parameter(role(.input(.bias))))
    let channels = inner + 2 * groups * state
    for (columns, factor) in zip(parts, scales.list) {
      tape.scale(Columns(projected, columns), by: factor)
    }
    let memory = pass.cache?.state(pass.block, prefix) {
      MixerMemory(rows: kernel - 1, channels: channels, pass.model.numbers)
    }
    let input = Columns(projected, inner..<inner + channels)
    let convolved = tape.convolved(
      input, weight: try pass.required(role(.convolution(.weight))),
      bias: pass.parameter(role(.convolution(.bias))), activates: true, pass.batch.sequences,
      before: memory?.rows)
    memory?.remember(input.value)
    let own = StateSpaceParameters(
      decay: try pass.required(role(.decay)), skip: try pass.required(role(.skip)),
      stepBias: try pass.required(role(.stepBias)))
    let y = tape.stateSpace(
      convolved, steps: Columns(projected, inner + channels..<inner + channels + heads), own, shape,
      pass.batch.sequences, states: memory?.states(heads, shape.stateSize))
    let gated = tape.gatedNorm(
      y, gate: Columns(projected, 0..<inner), rule, weight: pass.parameter(role(.norm)))
    return tape.linear(
      gated, try pass.required(role(.output(.weight))),
      bias: pass.parameter(role(.output(.bias))))
  }

  private var shape: StateSpaceShape {
    StateSpaceShape(
      heads: heads, headSize: headSize, groups: groups, state: state, stepLimit: stepLimit)
  }

  private var rule: GatedNormRule {
    let kind =
      switch gating {
      case .thenNorm: GATE_THEN_NORM
      case .afterNorm: NORM_THEN_GATE
      case .withoutNorm: GATE_ALONE
      }
    return GatedNormRule(kind: kind, eps: eps, width: inner / groups, hasOwnWeights: true)
  }

  /// The columns of z, x, B, C and dt.
  private var parts: [Range<Int>] {
    let counts = [inner, inner, groups * state, groups * state, heads]
    var first = 0
    return counts.map { count in
      defer { first += count }
      return first..<first + count
    }
  }
}
