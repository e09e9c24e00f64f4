import Blueprint
import Kernels

/// A layer of the blueprint that the engine can compute.
///
/// Layers write forward only; the tape's operations know the way back.
protocol Computed: Layer {
  /// - Parameter x: [tokens, width].
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node
}

extension Pass {
  /// Computes a layer, whatever it is.
  ///
  /// - Throws: `EngineError.unknownPiece` for a layer without mathematics.
  func compute(_ layer: any Layer, _ x: Node) throws(EngineError) -> Node {
    guard let layer = layer as? any Computed else {
      throw .unknownPiece("a layer of the kind \(type(of: layer))", block: place)
    }
    return try layer.forward(x, self)
  }
}

extension Residual: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    pass.stream = x
    return pass.tape.sum(x, try branch(x, pass), scale: scale)
  }

  /// after(layer(inputScale · before(x))).
  ///
  /// - Parameter normed: what the layer reads where a norm is shared with others.
  func branch(_ x: Node, normed: Node? = nil, _ pass: Pass) throws(EngineError) -> Node {
    var y = normed ?? x
    if let before { y = pass.normalised(y, before) }
    y = pass.tape.scaled(y, by: inputScale)
    y = try pass.compute(layer, y)
    if let after { y = pass.normalised(y, after) }
    return y
  }
}

extension ParallelResidual: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    pass.stream = x
    let normed = shared.map { pass.normalised(x, $0) }
    var sum: Node?
    for branch in branches {
      let y = try branch.branch(x, normed: normed, pass)
      sum =
        sum.map { pass.tape.sum($0, y, scale: branch.scale) }
        ?? pass.tape.scaled(y, by: branch.scale)
    }
    guard var sum else { return x }
    if let after { sum = pass.normalised(sum, after) }
    return pass.tape.sum(x, sum)
  }
}
