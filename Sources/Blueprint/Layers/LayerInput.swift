import Tensors

/// What every block is told of each token besides the stream (Gemma's per-layer embeddings).
///
/// Block i reads pᵢ, the i-th stretch of (norm(projection(h) / √width) + table[token] · √size) / √2,
/// where h is the embedding behind its factor and the norm works on each stretch by itself.
public struct LayerInputs: Hashable, Sendable {
  public var vocabulary: Int
  /// The numbers each block reads.
  public var size: Int
  /// The tensor [vocabulary, depth · size].
  public var table: String
  /// The matrix [depth · size, width].
  public var projection: String
  /// An RMS norm over `size` numbers.
  public var norm: Norm

  public init(vocabulary: Int, size: Int, table: String, projection: String, norm: Norm) {
    self.vocabulary = vocabulary
    self.size = size
    self.table = table
    self.projection = projection
    self.norm = norm
  }

  func slots(_ frame: Frame) -> [Slot] {
    let rows = frame.depth * size
    return [
      Slot(.layerInput(.table), [Part(table + ".weight", [vocabulary, rows])]),
      Slot(.layerInput(.projection), [Part(projection + ".weight", [rows, frame.width])]),
    ] + norm.slots(.role(.layerInput(.norm)))
  }
}

/// out(activation(gate(x)) · p), where p is what the block is told of the token (`LayerInputs`).
public struct LayerInput: Layer {
  public var width: Int
  public var size: Int
  public var activation: Activation
  /// The matrix [size, width].
  public var gate: String
  /// The matrix [width, size].
  public var output: String

  public init(_ width: Int, size: Int, _ activation: Activation, gate: String, output: String) {
    self.width = width
    self.size = size
    self.activation = activation
    self.gate = gate
    self.output = output
  }

  public var normBefore: NormPlace { .beforeMLP }
  public var normAfter: NormPlace { .afterLayerInput }

  public var slots: [Slot] {
    [
      Slot(.layerInput(.gate), [Part(gate + ".weight", [size, width])]),
      Slot(.layerInput(.output), [Part(output + ".weight", [width, size])]),
    ]
  }
}

/// x · s, with a stored number s that training leaves as it is.
public struct Scalar: Layer {
  /// The tensor [1].
  public var name: String

  public init(_ name: String) { self.name = name }

  public var normBefore: NormPlace { .beforeMLP }
  public var slots: [Slot] { [Slot(.layerScalar, [Part(name, [1])], isConstant: true)] }
}
