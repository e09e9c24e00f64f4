import Blueprint
import CKernels
import Kernels

extension DeltaNet: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    let tape = pass.tape
    func required(_ part: Role.MixerPart) throws(EngineError) -> Parameter {
      try pass.required(.mixer(.delta, part))
    }
    let projected = tape.linear(x, try required(.input(.weight)))
    let shape = DeltaRuleShape(
      keyHeads: keyHeads, valueHeads: valueHeads, keySize: keySize, valueSize: valueSize)
    let input = Columns(projected, 0..<shape.channels)
    let memory = pass.cache?.state(pass.block, prefix) {
      MixerMemory(rows: kernel - 1, channels: shape.channels, pass.model.numbers)
    }
    let convolved = tape.convolved(
      input, weight: try required(.convolution(.weight)), bias: nil, activates: true,
      pass.batch.sequences, before: memory?.rows)
    memory?.remember(input.value)
    // Behind [q; k; v] come z, and then b and a.
    let gates = shape.channels + valueHeads * valueSize
    let y = tape.deltaRule(
      convolved, gates: Columns(projected, gates..<gates + 2 * valueHeads),
      decay: try required(.decay), stepBias: try required(.stepBias), shape,
      pass.batch.sequences, states: memory?.states(valueHeads, shape.stateSize))
    let norm = try required(.norm)
    // Packed weights are stored shifted.
    let rule = GatedNormRule(
      kind: NORM_THEN_GATE, eps: eps, offset: -norm.slot.slot.shift, width: valueSize,
      hasOwnWeights: false)
    let gated = tape.gatedNorm(
      y, gate: Columns(projected, shape.channels..<gates), rule, weight: norm)
    return tape.linear(gated, try required(.output(.weight)))
  }
}
