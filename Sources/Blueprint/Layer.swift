/// A piece of a block: sizes and names, no numbers.
///
/// Conversion, counting and sharding walk the slots; the engine gives each layer its mathematics.
public protocol Layer: Sendable {
  /// The learned tensors, in the order of the forward pass, named relative to the block.
  var slots: [Slot] { get }

  /// Tensors that files may hold beside the learned ones (masks, frequencies), relative to the block.
  var buffers: [String] { get }

  /// What a norm directly before this layer is to Megatron.
  var normBefore: NormPlace { get }

  /// What a norm on this layer's output is to Megatron.
  var normAfter: NormPlace { get }

  /// The layers this one is made of; empty where it is no mere arrangement of others.
  var inner: [any Layer] { get }

  /// Says in Megatron's words what the layer computes.
  func describe(in arguments: inout MegatronArguments)
}

extension Layer {
  public var buffers: [String] { [] }
  public var normAfter: NormPlace { .afterMLP }
  public var inner: [any Layer] { [] }
  public func describe(in arguments: inout MegatronArguments) {}

  /// The layer itself, or those it arranges, in the order of the forward pass.
  public var leaves: [any Layer] { inner.isEmpty ? [self] : inner.flatMap(\.leaves) }
}

/// x + scale · after(layer(inputScale · before(x))).
public struct Residual: Layer {
  public var before: Norm?
  public var layer: any Layer
  public var after: Norm?
  /// The factor on what is added.
  public var scale: Double
  /// The factor on the layer's input, behind the norm.
  public var inputScale: Double

  public init(
    _ before: Norm?, _ layer: any Layer, after: Norm? = nil, scale: Double = 1,
    inputScale: Double = 1
  ) {
    self.before = before
    self.layer = layer
    self.after = after
    self.scale = scale
    self.inputScale = inputScale
  }

  public var slots: [Slot] {
    (before?.slots(.beforeLayer(layer)) ?? []) + layer.slots
      + (after?.slots(.afterLayer(layer)) ?? [])
  }

  public var buffers: [String] { layer.buffers }
  public var normBefore: NormPlace { layer.normBefore }
  public var inner: [any Layer] { [layer] }

  public func describe(in arguments: inout MegatronArguments) {
    arguments.residualScales.append(scale)
    if inputScale != 1 { arguments.inputScales.insert(inputScale) }
  }
}

/// x + attention(norm(x)) + mlp(norm(x)): a parallel block, with one norm for both or one for each.
///
/// Or attention and a Mamba layer, an MLP and experts, or whatever else works side by side. The sum of
/// the branches may be normed: x + after(a(x) + b(x)).
public struct ParallelResidual: Layer {
  /// The norm both branches share; `nil` where each has its own.
  public var shared: Norm?
  public var branches: [Residual]
  /// The norm of the branches' sum, before it is added.
  public var after: Norm?

  /// - Parameter layers: the branches, as residuals without norms where they have factors.
  public init(shared: Norm, _ layers: any Layer...) {
    self.shared = shared
    branches = layers.map { $0 as? Residual ?? Residual(nil, $0) }
  }

  /// - Parameter after: the norm of the branches' sum.
  public init(_ branches: Residual..., after: Norm? = nil) {
    shared = nil
    self.branches = branches
    self.after = after
    guard branches.contains(where: { $0.layer is Experts }) else { return }
    // An MLP beside experts is to Megatron the expert that every token passes.
    for index in branches.indices {
      guard var mlp = branches[index].layer as? MLP else { continue }
      mlp.isShared = true
      self.branches[index].layer = mlp
    }
  }

  public var slots: [Slot] {
    (shared?.slots(.place(normBefore)) ?? []) + branches.flatMap(\.slots)
      + (after?.slots(.place(.afterBoth)) ?? [])
  }

  public var buffers: [String] { branches.flatMap(\.buffers) }
  public var normBefore: NormPlace {
    branches.contains { $0.layer is Mamba } ? .beforeMambaAndAttention : .beforeBoth
  }
  public var inner: [any Layer] { branches }
}

/// Collects a block's layers from statements, with `if` and `switch`.
@resultBuilder
public enum BlockBuilder {
  public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
  public static func buildExpression(_ layers: [any Layer]) -> [any Layer] { layers }
  public static func buildBlock(_ parts: [any Layer]...) -> [any Layer] { parts.flatMap { $0 } }
  public static func buildOptional(_ part: [any Layer]?) -> [any Layer] { part ?? [] }
  public static func buildEither(first part: [any Layer]) -> [any Layer] { part }
  public static func buildEither(second part: [any Layer]) -> [any Layer] { part }
}
