import Blueprint
import CKernels
import Kernels

extension MLP: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    let isShared = pass.parameter(.fc1(.weight)) == nil
    let first = try pass.required(isShared ? .sharedFC1(.weight) : .fc1(.weight))
    let second = try pass.required(isShared ? .sharedFC2(.weight) : .fc2(.weight))
    let inner = pass.tape.linear(
      x, first, bias: pass.parameter(isShared ? .sharedFC1(.bias) : .fc1(.bias)))
    return pass.tape.linear(
      try activated(inner, pass), second,
      bias: pass.parameter(isShared ? .sharedFC2(.bias) : .fc2(.bias)))
  }

  private func activated(_ inner: Node, _ pass: Pass) throws(EngineError) -> Node {
    if activation == .xIELU { return pass.tape.xielu(inner, try ownNumbers(pass)) }
    guard let kind = activation.kernel else {
      throw .unknownPiece("the activation \(activation.rawValue)", block: pass.place)
    }
    guard input.isGated else { return pass.tape.activated(inner, kind) }
    return pass.tape.gated(
      inner, kind, Tape.Gate(scale: gateScale, limit: limit, offset: offset))
  }

  private func ownNumbers(_ pass: Pass) throws(EngineError) -> XieluNumbers {
    XieluNumbers(
      alphaPositive: try pass.required(.activation(.alphaPositive)),
      alphaNegative: try pass.required(.activation(.alphaNegative)),
      beta: try pass.required(.activation(.beta)), eps: try pass.required(.activation(.epsilon)))
  }
}
