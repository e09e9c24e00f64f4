import Blueprint
import Kernels

extension ShortConvolution: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    let tape = pass.tape
    func role(_ part: Role.MixerPart) -> Role { .mixer(.convolution, part) }
    let projected = tape.linear(
      x, try pass.required(role(.input(.weight))), bias: pass.parameter(role(.input(.bias))))
    func part(_ index: Int) -> Columns {
      Columns(projected, index * width..<(index + 1) * width)
    }
    let input = Columns(tape.product(part(0), part(2)))
    let memory = pass.cache?.state(pass.block, prefix) {
      MixerMemory(rows: kernel - 1, channels: width, pass.model.numbers)
    }
    let convolved = tape.convolved(
      input, weight: try pass.required(role(.convolution(.weight))),
      bias: pass.parameter(role(.convolution(.bias))), activates: false, pass.batch.sequences,
      before: memory?.rows)
    memory?.remember(input.value)
    return tape.linear(
      tape.product(part(1), Columns(convolved)), try pass.required(role(.output(.weight))),
      bias: pass.parameter(role(.output(.bias))))
  }
}
