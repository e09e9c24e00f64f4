extension Attention {
  /// Where keys and values are from.
  public enum KeySource: Hashable, Sendable {
    /// Projections of their own.
    case own
    /// One projection: values are what it gives, before keys are normed and turned.
    case sameProjection
    /// The finished keys and values of the block with this index, which comes before.
    case block(Int)

    public var isElsewhere: Bool { if case .block = self { true } else { false } }
  }

  /// The same with the keys and values of an earlier block.
  ///
  /// Its own projections, which files may hold all the same, are no part of the model.
  public func reusingKeys(of block: Int) -> Attention {
    var copy = self
    copy.keySource = .block(block)
    if case .separate(_, let key, let value) = projection {
      for name in [key, value] { copy.buffers += [name + ".weight", name + ".bias"] }
    }
    if let headNorms { copy.buffers.append(headNorms.key + ".weight") }
    return copy
  }
}

extension [Attention] {
  /// The attentions of a model whose last layers reuse keys and values: each those of the last layer
  /// before them all that sees as far as it does.
  ///
  /// - Throws: `ConfigError.contradiction` where there is none.
  public func reusingKeys(last reusing: Int) throws(ConfigError) -> [Attention] {
    let first = count - reusing
    var result = self
    for index in indices where index >= first {
      let own = self[index]
      let source = self[..<first].lastIndex { other in
        other.window == own.window && other.headSize == own.headSize
      }
      guard let source else {
        throw .contradiction("no layer has keys and values for layer \(index), which has none")
      }
      result[index] = own.reusingKeys(of: source)
    }
    return result
  }
}
