import Blueprint
import Glibc
import Kernels

extension Attention: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    let tape = pass.tape
    let packed = tape.linear(
      x, try pass.required(.queryKeyValue(.weight)), bias: pass.parameter(.queryKeyValue(.bias)))
    let heads = Heads.grouped(
      packed, heads: heads, groups: groups, headSize: headSize, isGated: isGated)
    let queries = finished(heads.queries, headNorms?.query, temperature: temperature, pass)
    let other = try others(heads.keys, heads.values, pass)
    var source: Int?
    if case .block(let block) = keySource { source = block }
    var y = pass.attention(
      queries: queries, keys: other.keys, values: other.values, AttentionRule(self), from: source,
      sinks: pass.parameter(.attentionSinks))
    if let gates = heads.gates { y = tape.gated(y, by: gates) }
    return tape.linear(
      y, try pass.required(.attentionOutput(.weight)),
      bias: pass.parameter(.attentionOutput(.bias)))
  }

  /// The keys and values that the queries look at, finished.
  private func others(
    _ keys: Heads, _ values: Heads, _ pass: Pass
  ) throws(EngineError) -> KeyValues {
    if case .block(let block) = keySource {
      guard let shared = pass.sharedKeys[block] else {
        throw .unknownPiece("keys of a block that comes later", block: pass.place)
      }
      return shared
    }
    var values = values
    if let valueEps {
      values = pass.tape.normalised(values, NormRule(.rmsWithoutWeight, eps: valueEps))
    }
    if let clip { values = pass.tape.clipped(values, at: clip) }
    let result = KeyValues(
      keys: finished(keys, headNorms?.key, scale: keyScale, pass), values: values)
    if pass.model.lendsKeys.contains(pass.block) { pass.sharedKeys[pass.block] = result }
    return result
  }

  /// Queries or keys as they are compared.
  ///
  /// - Parameter norm: the name of theirs.
  private func finished(
    _ heads: Heads, _ norm: String?, scale: Double = 1, temperature: QueryTemperature? = nil,
    _ pass: Pass
  ) -> Heads {
    let tape = pass.tape
    var heads = heads
    func normalise() {
      guard let headNorms, let norm else { return }
      heads = tape.normalised(
        heads, NormRule(headNorms.kind, eps: headNorms.eps), together: headNorms.reach == .allHeads,
        pass.weights(headNorms, norm))
    }
    if !(headNorms?.followsRotation ?? false) { normalise() }
    if let clip { heads = tape.clipped(heads, at: clip) }
    if scale != 1 { tape.scale(heads, by: Matrix([scale], pass.model.numbers.accumulated)) }
    if let rotary { tape.rotate(heads, pass.rotation(rotary)) }
    if headNorms?.followsRotation ?? false { normalise() }
    if let temperature { tape.scale(heads, by: temperature.factors(pass)) }
    return heads
  }
}

extension QueryTemperature {
  /// The factor on each token's queries.
  fileprivate func factors(_ pass: Pass) -> Matrix {
    let positions = pass.batch.positions
    let factors = positions.map {
      1 + slope * log1p((Double(Int($0) + first) / period).rounded(.down))
    }
    return Matrix(factors, pass.model.numbers.accumulated).reshaped(positions.count, 1)
  }
}

extension Pass {
  /// The weights of a norm of heads, which stand under its name, or as a list below it.
  fileprivate func weights(_ norms: HeadNorms, _ name: String) -> HeadWeights {
    let name = norms.reach == .listedHeads ? "\(name).norms.0" : name
    return HeadWeights(
      weight: parameter(named: name + ".weight"), bias: parameter(named: name + ".bias"),
      hasOwn: norms.reach != .head)
  }
}

extension LinearMap: Continuing {
  func forward(_ x: Node, _ pass: Pass) throws(EngineError) -> Node {
    pass.tape.linear(x, try pass.required(place == .attention ? .attentionMap : .mlpMap))
  }
}
