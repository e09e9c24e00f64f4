import Blueprint
import Kernels

/// One way through the model: the tape, the batch, and what layers tell each other.
public final class Pass {
  public let model: Model
  public let tape: Tape
  public let batch: Batch
  /// The block at work.
  public internal(set) var block = 0
  /// What the block's residuals add to: what a router looks at that skips the norm before it.
  public internal(set) var stream: Node?
  /// What each block is told of each token besides the stream, [tokens, depth · size].
  public internal(set) var layerInputs: Node?
  /// Finished keys and values of blocks whose attention later ones reuse.
  var sharedKeys: [Int: KeyValues] = [:]
  /// How the tokens' heads turn, as far as layers have asked.
  var rotations: [Rotary: Rotation] = [:]
  /// Whether the model learns, which a few families compute otherwise.
  public var isTraining = false
  /// What routers add to the loss.
  public var routerLosses = RouterLosses()
  /// Losses beside the model's own, as of routers, each with its factor, by the name of who adds them.
  public internal(set) var auxiliaryLosses: [String: Double] = [:]
  /// The sum of those.
  public var auxiliaryLoss: Double {
    auxiliaryLosses.sorted { $0.key < $1.key }.reduce(0) { $0 + $1.value }
  }
  /// What earlier tokens left behind; `nil` where a pass sees whole sequences.
  public let cache: Cache?

  public init(_ model: Model, _ tape: Tape, _ batch: Batch, cache: Cache? = nil) {
    self.model = model
    self.tape = tape
    self.batch = batch
    self.cache = cache
  }

  /// Where the pass is, for messages.
  public var place: String {
    model.blueprint.blocks.indices.contains(block)
      ? model.blueprint.blocks[block].name : "the model"
  }

  /// A parameter of the block at work, `nil` where the blueprint has none.
  func parameter(_ role: Role) -> Parameter? { model.blocks[block].byRole[role] }

  /// A parameter of the block at work.
  ///
  /// - Throws: `EngineError.missingParameter`.
  func required(_ role: Role) throws(EngineError) -> Parameter {
    guard let found = parameter(role) else {
      throw .missingParameter("\(role)", block: place)
    }
    return found
  }

  /// A parameter of the block at work by the name of its first part, relative to the block.
  func parameter(named name: String) -> Parameter? { model.blocks[block].byName[name] }

  /// Norms with the weights that stand under the norm's name.
  func normalised(_ x: Node, _ norm: Norm) -> Node {
    normalised(x, norm) { parameter(named: $0) }
  }

  func normalised(_ x: Node, _ norm: Norm, _ parameter: (String) -> Parameter?) -> Node {
    tape.normalised(
      x, NormRule(norm.kind, eps: norm.eps), weight: parameter(norm.name + ".weight"),
      bias: parameter(norm.name + ".bias"), Stretches(width: norm.width))
  }
}

/// Finished keys and values, as attention reads them.
struct KeyValues {
  var keys: Heads
  var values: Heads
}
