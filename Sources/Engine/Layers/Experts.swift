import Blueprint
import CKernels
import Kernels

extension Experts: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    let tape = pass.tape
    let (weights, choice) = try router.routed(x, experts: count, pass)
    let dispatch = Dispatch(choice, experts: count, perToken: router.perToken)
    var y = x
    if latent != nil { y = tape.linear(y, try pass.required(.latentDown)) }
    y = try routed(y, tape.rowWeights(weights, dispatch), dispatch, pass)
    if latent != nil { y = tape.linear(y, try pass.required(.latentUp)) }
    guard let shared else { return y }
    return tape.sum(y, try everyToken(shared, x, pass))
  }

  /// What the chosen experts make of the tokens.
  private func routed(
    _ x: Node, _ weights: Node, _ dispatch: Dispatch, _ pass: Pass
  ) throws(EngineError) -> Node {
    guard let kind = activation.kernel else {
      throw .unknownPiece("the activation \(activation.rawValue) in experts", block: pass.place)
    }
    func bank(_ role: (Role.Kind) -> Role) throws(EngineError) -> Bank {
      Bank(
        weight: try pass.required(role(.weight)), bias: pass.parameter(role(.bias)), experts: count)
    }
    let (first, second) = (try bank(Role.expertFC1), try bank(Role.expertFC2))
    let onInput = router.scalesInput ? weights : nil
    let onInner = router.scalesInput ? nil : weights
    let inner = pass.tape.dispatched(x, first, dispatch, weights: onInput)
    // A factor on an expert's output is one on what its second matrix reads.
    let active =
      storage.isGated
      ? pass.tape.gated(
        inner, kind, Tape.Gate(limit: limit, offset: offset), weights: onInner)
      : pass.tape.activated(inner, kind, weights: onInner)
    return pass.tape.combined(active, second, dispatch, weights: onInner)
  }

  /// The expert that every token passes, behind its gate where it has one.
  private func everyToken(_ shared: MLP, _ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    let y = try pass.compute(shared, x)
    guard sharedGate != nil else { return y }
    let gate = pass.tape.preciseLinear(x, try pass.required(.sharedGate))
    return pass.tape.activated(
      y, ACTIVATION_IDENTITY, weights: pass.tape.activated(gate, ACTIVATION_SIGMOID))
  }
}
