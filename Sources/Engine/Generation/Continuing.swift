import Blueprint

/// A layer that can go on with a sequence whose earlier tokens are gone: it looks at no other tokens, or
/// it keeps in `Pass.cache` what it needs of them.
protocol Continuing: Computed {}

extension Model {
  /// Checks that every layer can go on with a sequence.
  ///
  /// - Throws: `EngineError.cannotContinue` for the first one that cannot.
  func checkCache() throws(EngineError) {
    for block in blueprint.blocks {
      for layer in block.layers.flatMap(\.withInner) where !(layer is any Continuing) {
        throw .cannotContinue("a layer of the kind \(type(of: layer))", block: block.name)
      }
    }
  }
}

extension Layer {
  /// The layer and all that it is made of.
  fileprivate var withInner: [any Layer] { [self] + inner.flatMap(\.withInner) }
}

extension Block {
  /// As messages call it.
  var name: String { String(prefix.dropLast()) }
}
