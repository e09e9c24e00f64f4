import Tensors

/// An architecture at one size: a tree of layers, each listing its learned tensors.
///
/// Everything that converts, merges, shards, counts or computes is a walk over this value.
public struct Blueprint: Sendable {
  public var frame: Frame
  public var blocks: [Block]
  public var final: Norm
  /// Blocks that predict further tokens ahead (multi-token prediction).
  public var predictors: [Predictor] = []
  /// Tensors that files may hold although they equal another one: name → the one it equals.
  public var duplicates: [String: String] = [:]
  /// What every block is told of each token besides the stream; `nil` where nothing.
  public var layerInputs: LayerInputs?
  /// Whether Megatron keeps norms apart from the linear layers that they stand before or behind.
  public var separatesNorms = false
  /// What stands before the names of tensors that are no part of the model told here, as a vision
  /// tower's: they are passed by.
  public var bystanders: [String] = []
  /// Whether Megatron numbers the layers' keys although the blocks are alike.
  public var numbersLayers = false
  /// The factor on the embedding's output.
  public var embeddingScale: Double?
  /// The factor on the logits.
  public var logitScale: Double?
  /// cap · tanh(logits / cap).
  public var logitSoftCap: Double?
  /// Whether the output layer's rows are scaled to length one each time they are used.
  public var normalizesHead = false
  /// Tokens that are never predicted: their logits are -∞.
  public var silencedTokens: [Int] = []
  /// What flows past blocks, in the order in which it is mixed in.
  public var skips: [BlockSkip] = []
  /// How Hugging Face's files store matrices that are no plain numbers.
  public var quantisation: Quantisation?
  /// Whether the sums between the layers are kept in float32 whatever the model's precision.
  public var keepsResidualFloat32 = false

  /// A blueprint whose blocks are described one by one.
  ///
  /// - Parameter block: the layers of the block with the given index.
  public init(_ frame: Frame, final: Norm, @BlockBuilder block: (Int) -> [any Layer]) {
    self.frame = frame
    self.final = final
    blocks = (0..<frame.depth).map { index in
      Block(prefix: "\(frame.names.blocks).\(index).", layers: block(index))
    }
    if frame.isTied { duplicates[frame.names.head] = frame.names.embedding }
  }

  /// Every learned tensor in the order of the forward pass.
  public var slots: [PlacedSlot] {
    let inside = stack.enumerated().flatMap { index, layer in
      layer.layers.flatMap(\.slots).map { PlacedSlot(.block(index), layer.prefix, $0) }
    }
    return leadingSlots + inside + trailingSlots
  }

  /// The layers as Megatron numbers them: the blocks, or in a hybrid stack what each is made of.
  private var stack: [Block] {
    guard isHybrid, !hasMambaBeside else { return blocks }
    return blocks.flatMap { block in
      block.layers.map { Block(prefix: block.prefix, layers: [$0]) }
    }
  }

  /// The number of layers as Megatron counts them.
  public var stackDepth: Int { stack.count }

  /// The slots outside the blocks.
  var surroundingSlots: [PlacedSlot] { leadingSlots + trailingSlots }

  private var leadingSlots: [PlacedSlot] {
    [PlacedSlot(.embedding, "", embedding)]
      + (frame.positionTable.map { [PlacedSlot(.embedding, "", $0)] } ?? [])
      + (layerInputs?.slots(frame).map { PlacedSlot(.embedding, "", $0) } ?? [])
  }

  private var trailingSlots: [PlacedSlot] {
    final.slots(.final).map { PlacedSlot(.final, "", $0) }
      + predictorSlots
      + (frame.isTied ? [] : [PlacedSlot(.head, "", head)])
      + (frame.headBias.map { [PlacedSlot(.head, "", $0)] } ?? [])
  }

  /// The full names of tensors that may be in a file and have no place in Megatron: those that hold no
  /// learned values, and predictors that its own cannot stand for.
  public var buffers: Set<String> {
    let inside = blocks.flatMap { block in block.buffers.map { block.prefix + $0 } }
    return Set(frame.names.buffers + inside + predictorsBeside)
  }

  /// Whether a tensor is no part of the model told here.
  public func isBystander(_ name: String) -> Bool {
    bystanders.contains { name.hasPrefix($0) }
  }

  private var embedding: Slot {
    Slot(
      .wordEmbeddings, [Part(frame.names.embedding, [frame.vocabulary, frame.width])],
      split: .vocabulary)
  }

  private var head: Slot {
    Slot(
      .outputLayer(.weight), [Part(frame.names.head, [frame.vocabulary, frame.width])],
      split: .vocabulary)
  }

  /// Whether Megatron stacks the layers of the decoder under one key.
  ///
  /// It does where all blocks hold the same tensors and the model is no hybrid (FORMATS.md B.3).
  public var stacksLayers: Bool {
    guard !numbersLayers, !isHybrid, let first = blocks.first else { return false }
    if first.leaves.contains(where: { $0 is DeltaNet }) { return false }
    let signature = first.slots.map(SlotSignature.init)
    return blocks.allSatisfy { $0.slots.map(SlotSignature.init) == signature }
  }

  /// What must be equal for the tensors of two blocks to be stacked.
  private struct SlotSignature: Equatable {
    var role: Role
    var shape: Shape

    init(_ slot: Slot) {
      role = slot.role
      shape = slot.shape
    }
  }
}

/// What surrounds the blocks.
public struct Frame: Sendable {
  public var vocabulary: Int
  public var width: Int
  /// The number of blocks.
  public var depth: Int
  /// Whether the output layer is the embedding.
  public var isTied: Bool
  /// The longest context of the configuration; `nil` where it names none.
  public var positions: Int?
  /// The standard deviation of fresh weights.
  public var initialDeviation: Double
  public var names: Names

  /// The Hugging Face names around the blocks.
  public struct Names: Sendable {
    public var embedding: String
    public var head: String
    public var blocks: String
    /// The output layer's bias; `nil` where it has none.
    public var headBias: String?
    /// A learned vector for each position, added to the embedding; `nil` where there are none.
    public var positions: String?
    /// Tensors that hold no learned values and may be in a file.
    public var buffers: [String]

    public init(
      embedding: String = "model.embed_tokens.weight", head: String = "lm_head.weight",
      blocks: String = "model.layers", headBias: String? = nil, positions: String? = nil,
      buffers: [String] = []
    ) {
      self.embedding = embedding
      self.head = head
      self.blocks = blocks
      self.headBias = headBias
      self.positions = positions
      self.buffers = buffers
    }
  }

  public init(
    vocabulary: Int, width: Int, depth: Int, isTied: Bool, positions: Int?,
    initialDeviation: Double = 0.02, names: Names = Names()
  ) {
    self.vocabulary = vocabulary
    self.width = width
    self.depth = depth
    self.isTied = isTied
    self.positions = positions
    self.initialDeviation = initialDeviation
    self.names = names
  }

  var headBias: Slot? {
    names.headBias.map {
      Slot(.outputLayer(.bias), [Part($0, [vocabulary])], split: .vocabulary)
    }
  }

  /// The learned positions; a table without a length has no rows.
  var positionTable: Slot? {
    names.positions.map {
      Slot(.positionEmbeddings, [Part($0, [positions ?? 0, width])])
    }
  }
}

/// What enters one block and is mixed into what enters a later one (Solar).
///
/// With xᵢ what reaches block i before anything is mixed in, block `to` reads
/// share · x_from + (1 − share) · x, where x is x_to or what an earlier skip made of it.
public struct BlockSkip: Hashable, Sendable {
  public var from: Int
  public var to: Int
  public var share: Double
  /// The share that the family's own code takes while training.
  public var trainingShare: Double

  public init(from: Int, to: Int, share: Double, trainingShare: Double) {
    self.from = from
    self.to = to
    self.share = share
    self.trainingShare = trainingShare
  }
}

/// One block: a run of layers under one prefix of names.
public struct Block: Sendable {
  public var prefix: String
  public var layers: [any Layer]

  public init(prefix: String, layers: [any Layer]) {
    self.prefix = prefix
    self.layers = layers
  }

  public var slots: [Slot] { layers.flatMap(\.slots) }
  public var buffers: [String] { layers.flatMap(\.buffers) }

  /// The layers without the arrangement around them.
  public var leaves: [any Layer] { layers.flatMap(\.leaves) }
}

/// A slot with its place in the model.
public struct PlacedSlot: Sendable {
  public enum Section: Hashable, Sendable {
    case embedding
    /// A layer of Megatron's stack, by its number.
    case block(Int)
    case final
    case predictor(Int)
    /// A block of a predictor; its place where it is one layer of a hybrid stack.
    case predictorBlock(Int, layer: Int?)
    case head
  }

  public var section: Section
  /// The slot, its parts under their full Hugging Face names.
  public var slot: Slot

  init(_ section: Section, _ prefix: String, _ slot: Slot) {
    self.section = section
    self.slot = slot
    for index in slot.parts.indices {
      self.slot.parts[index].name = prefix + slot.parts[index].name
    }
  }

  /// Whether the slot belongs to a predictor, which many files leave out.
  public var isPredictor: Bool {
    switch section {
    case .predictor, .predictorBlock: true
    default: false
    }
  }
}
