import Tensors

/// One learned tensor: its Hugging Face parts and its packed form, the engine's and Megatron's.
public struct Slot: Hashable, Sendable {
  /// What the tensor is for; Megatron's name follows from it.
  public var role: Role
  /// The Hugging Face tensors, named relative to the block.
  public var parts: [Part]
  /// The packed shape: an expert bank is [experts, rows, columns] or, of biases, [experts, rows].
  public var shape: Shape
  public var layout: Layout
  public var split: Split
  /// Rows that Megatron keeps apart (each is cut for the ranks by itself), in packed order.
  public var fragments: [Fragment]
  /// Whether Megatron keeps the values in float32 whatever the model's precision.
  public var isFloat32: Bool
  /// What is added to Hugging Face's values to make them Megatron's.
  public var shift = 0.0
  /// Whether training leaves the values as they are.
  public var isConstant: Bool
  /// What Hugging Face's values are before training.
  public var initial: InitialValues

  public init(
    _ role: Role, _ parts: [Part], shape: Shape? = nil, layout: Layout? = nil,
    split: Split = .replicated, fragments: [Fragment] = [], isFloat32: Bool = false,
    isConstant: Bool = false
  ) {
    let shape = shape ?? parts.first?.shape ?? []
    self.role = role
    self.parts = parts
    self.shape = shape
    self.split = split
    self.fragments = fragments
    self.isFloat32 = isFloat32
    self.isConstant = isConstant
    initial = InitialValues(role, shape)
    let width = Slot.rowWidth(shape, split)
    self.layout = layout ?? .concatenated(parts.map { $0.shape.count / max(1, width) })
  }

  /// A tensor that Megatron has and Hugging Face has not, every element of one value.
  public init(_ role: Role, _ shape: Shape, filledWith value: Double) {
    self.init(role, [], shape: shape, layout: .filled(value))
  }

  /// The learned numbers that Hugging Face counts: none where there is no tensor for them.
  public var parameters: Int { parts.reduce(0) { $0 + $1.shape.count } }

  /// The elements of one row; an expert bank's rows are those of its matrices.
  public var rowWidth: Int { Slot.rowWidth(shape, split) }

  /// The number of packed rows, over all experts.
  public var rows: Int { rowWidth == 0 ? 0 : shape.count / rowWidth }

  private static func rowWidth(_ shape: Shape, _ split: Split) -> Int {
    shape.dimensions.dropFirst(split.isExpert ? 2 : 1).reduce(1, *)
  }
}

extension Slot {
  /// The same matrix out of parts that are stored [columns, rows].
  var storedTransposed: Slot {
    var copy = self
    copy.parts = parts.map { Part($0.name, [$0.shape[1], $0.shape[0]]) }
    copy.layout = layout.transposed()
    return copy
  }
}

/// One Hugging Face tensor of a slot.
public struct Part: Hashable, Sendable {
  public var name: String
  public var shape: Shape

  public init(_ name: String, _ shape: Shape) {
    self.name = name
    self.shape = shape
  }
}

/// How the ranks of a parallel run share a tensor.
public enum Split: Hashable, Sendable {
  /// Every rank has all of it.
  case replicated
  /// Tensor-parallel ranks share the rows of each fragment (a column-parallel layer).
  case rows
  /// Tensor-parallel ranks share the columns (a row-parallel layer).
  case columns
  /// Tensor-parallel ranks share the rows, padded to an even number.
  case vocabulary
  /// Expert-parallel ranks share the experts; within one the ranks share rows, columns or nothing.
  case expertRows
  case expertColumns
  case experts

  public var isExpert: Bool {
    switch self {
    case .expertRows, .expertColumns, .experts: true
    case .replicated, .rows, .columns, .vocabulary: false
    }
  }
}

/// Rows that stay together on every rank, with the name Megatron gives them where it needs one.
public struct Fragment: Hashable, Sendable {
  public var label: String
  /// The number of rows; in an expert bank, of each expert's matrix.
  public var rows: Int

  public init(_ label: String, _ rows: Int) {
    self.label = label
    self.rows = rows
  }

  /// The two halves of a gated layer, as Megatron labels them.
  public static func gated(_ inner: Int) -> [Fragment] {
    [Fragment("w", inner), Fragment("v", inner)]
  }
}

/// What a learned tensor is for.
public enum Role: Hashable, Sendable {
  case wordEmbeddings
  case positionEmbeddings
  case outputLayer(Kind)
  case finalNorm(Kind)
  /// A norm that stands in a block.
  case norm(NormPlace, Kind)

  case queryKeyValue(Kind)
  case queryNorm(Kind)
  case keyNorm(Kind)
  case attentionSinks
  case attentionOutput(Kind)

  case layerScalar
  case layerInput(LayerInputTensor)

  case query
  case queryDown
  /// Megatron fuses it with the matrix behind it, unless others read the normed latent too.
  case queryLatentNorm(isFused: Bool)
  case queryUp
  case keyValueDown
  case keyValueLatentNorm(isFused: Bool)
  case keyValueUp
  case indexer(IndexerPart)

  case fc1(Kind)
  case fc2(Kind)
  /// The one matrix in the place of attention or of a feed-forward layer.
  case attentionMap
  case mlpMap
  case activation(ActivationNumber)

  case router(Kind)
  case routerCorrection
  case routerScale(RouterScale)
  case expertFC1(Kind)
  case expertFC2(Kind)
  case sharedFC1(Kind)
  case sharedFC2(Kind)
  case sharedGate
  case latentDown
  case latentUp

  /// A part of what stands in attention's place, or beside it.
  case mixer(Mixer, MixerPart)

  case predictorEmbeddingNorm
  case predictorHiddenNorm
  case predictorMerge
  case predictorFinalNorm

  /// A tensor of the layer that picks the positions attention looks at, by Megatron's name.
  public enum IndexerPart: String, Hashable, Sendable {
    case queryUp = "linear_wq_b.weight"
    case key = "linear_wk.weight"
    case keyNormWeight = "k_norm.weight"
    case keyNormBias = "k_norm.bias"
    case headWeights = "linear_weights_proj.weight"
  }

  /// The numbers of an activation that has its own, as Hugging Face and Megatron name them.
  public enum ActivationNumber: String, CaseIterable, Hashable, Sendable {
    case alphaPositive = "alpha_p"
    case alphaNegative = "alpha_n"
    case beta
    case epsilon = "eps"
  }

  /// The factors on what a router looks at and on the weights it gives, as Megatron-Bridge names them.
  public enum RouterScale: String, Hashable, Sendable {
    case input = "scale"
    case experts = "per_expert_scale"
  }

  /// The tensors that tell blocks of a token besides the stream, as Megatron-Bridge names them.
  public enum LayerInputTensor: String, Hashable, Sendable {
    case table = "per_layer_embedding"
    case projection = "per_layer_model_proj"
    case norm = "per_layer_proj_norm"
    /// The way in and the way out of a block's layer.
    case gate = "per_layer_input_gate"
    case output = "per_layer_projection"
  }

  /// What has parts of these kinds.
  public enum Mixer: Hashable, Sendable {
    case mamba
    case delta
    case convolution
  }

  public enum MixerPart: Hashable, Sendable {
    case input(Kind)
    case convolution(Kind)
    case decay
    case skip
    case stepBias
    case norm
    case output(Kind)
  }

  /// Weight or bias of a layer that may have both.
  public enum Kind: String, Hashable, Sendable {
    case weight
    case bias
  }
}

/// Where a norm stands, which decides what Megatron calls it.
public enum NormPlace: Hashable, Sendable {
  case beforeAttention
  case beforeLatentAttention
  /// Before a layer in attention's place that begins with one projection.
  case beforeInputProjection
  case beforeMLP
  case beforeExperts
  case beforeMamba
  /// Around an MLP that works beside experts, behind experts, and behind the sum of both.
  case beforeShared
  case afterShared
  case afterExperts
  case afterBoth
  /// Behind a layer that reads the token's own input for it.
  case afterLayerInput
  case beforeAttentionMap
  case beforeMLPMap
  /// Before an attention and an MLP that work side by side on the same normed input.
  case beforeBoth
  /// Before an attention and a Mamba layer that do so.
  case beforeMambaAndAttention
  case afterAttention
  case afterMLP
}
