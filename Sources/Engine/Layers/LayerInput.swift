import Blueprint
import CKernels
import Kernels

extension LayerInputs {
  /// What all blocks are told, [tokens, depth · size].
  ///
  /// - Parameter embedded: the embedding behind its factor, [tokens, width].
  func computed(_ embedded: Node, _ pass: Pass) throws(EngineError) -> Node {
    let (tape, model) = (pass.tape, pass.model)
    let found = model.surroundings.byRole
    guard let projection = found[.layerInput(.projection)], let table = found[.layerInput(.table)]
    else { throw .missingParameter("the layers' inputs", block: "the model") }
    for (index, token) in pass.batch.tokens.enumerated() where token >= vocabulary {
      throw .tokenOutOfRange(token: Int(token), index: index, vocabulary: vocabulary)
    }
    let projected = tape.scaled(
      tape.linear(embedded, projection), by: 1 / Double(embedded.columns).squareRoot())
    let normed = tape.normalised(
      projected, NormRule(norm.kind, eps: norm.eps),
      weight: model.surroundings.byName[norm.name + ".weight"], bias: nil,
      Stretches(perRow: projected.columns / size, step: size, width: size))
    let own = tape.embedding(pass.batch.tokens, table, scale: Double(size).squareRoot())
    return tape.scaled(tape.sum(normed, own), by: 0.5.squareRoot())
  }
}

extension LayerInput: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    guard let inputs = pass.layerInputs else {
      throw .missingParameter("the layers' inputs", block: pass.place)
    }
    guard let kind = activation.kernel else {
      throw .unknownPiece("the activation \(activation.rawValue) here", block: pass.place)
    }
    let gate = pass.tape.linear(x, try pass.required(.layerInput(.gate)))
    let first = pass.block * size
    let gated = pass.tape.gated(gate, kind, inputs, columns: first..<first + size)
    return pass.tape.linear(gated, try pass.required(.layerInput(.output)))
  }
}

extension Scalar: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    pass.tape.scaled(x, by: try pass.required(.layerScalar).value[0, 0])
  }
}
