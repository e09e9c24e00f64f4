import Tensors

/// Blocks that predict one token further ahead than the model before them (DeepSeek-V3 §2.2).
///
/// They read merge([norm(embedding of the next token); norm(hidden state)]).
public struct Predictor: Sendable {
  /// What stands before the names of what is around the blocks: norms and the merging matrix.
  public var prefix: String
  /// One block; several where the model is a stack of single layers.
  public var blocks: [Block]
  public var embeddingNorm: Norm
  public var hiddenNorm: Norm
  /// The name of the matrix [width, 2 · width] that merges the two.
  public var merge: String
  /// The norm before the output layer; `nil` where it is the model's own.
  public var final: Norm?
  /// The embedding and the output layer that files may hold for the predictor alone: full name → the
  /// model's own, which Megatron uses.
  public var copies: [String: String] = [:]
  /// Whether config.json says that the model has it; where it does not, files may hold it or not.
  public var isStated = true

  public init(
    prefix: String, blocks: [Block], embeddingNorm: Norm, hiddenNorm: Norm, merge: String,
    final: Norm?
  ) {
    self.prefix = prefix
    self.blocks = blocks
    self.embeddingNorm = embeddingNorm
    self.hiddenNorm = hiddenNorm
    self.merge = merge
    self.final = final
  }

  /// A predictor of one block.
  ///
  /// - Parameter block: the prefix of the block's own names; `prefix` where it is `nil`.
  public init(
    prefix: String, block: String? = nil, layers: [any Layer], embeddingNorm: Norm,
    hiddenNorm: Norm, merge: String, final: Norm?
  ) {
    self.init(
      prefix: prefix, blocks: [Block(prefix: block ?? prefix, layers: layers)],
      embeddingNorm: embeddingNorm, hiddenNorm: hiddenNorm, merge: merge, final: final)
  }

  /// Whether Megatron can hold it: its predictors end in a norm of their own.
  public var isInMegatron: Bool { final != nil }

  /// - Parameter isHybrid: whether the blocks are layers of a hybrid stack.
  func slots(_ depth: Int, isHybrid: Bool) -> [PlacedSlot] {
    let width = embeddingNorm.width
    let outer =
      embeddingNorm.slots(.role(.predictorEmbeddingNorm))
      + hiddenNorm.slots(.role(.predictorHiddenNorm))
      + [Slot(.predictorMerge, [Part(merge + ".weight", [width, 2 * width])], split: .rows)]
    let last = final?.slots(.role(.predictorFinalNorm)) ?? []
    func placed(_ slot: Slot) -> PlacedSlot { PlacedSlot(.predictor(depth), prefix, slot) }
    let inside = blocks.enumerated().flatMap { index, block in
      block.slots.map {
        PlacedSlot(.predictorBlock(depth, layer: isHybrid ? index : nil), block.prefix, $0)
      }
    }
    return outer.map(placed) + inside + last.map(placed)
  }
}

extension Blueprint {
  /// Adds predictors that are numbered on after the blocks, each with copies of embedding and head.
  ///
  /// - Parameter layers: the layers of each predictor's block.
  public mutating func addNumberedPredictors(
    _ count: Int, eps: Double, @BlockBuilder layers: () -> [any Layer]
  ) {
    let names = frame.names
    for index in frame.depth..<frame.depth + count {
      let prefix = "\(names.blocks).\(index)."
      func norm(_ name: String) -> Norm { Norm(frame.width, eps: eps, name) }
      var predictor = Predictor(
        prefix: prefix, layers: layers(), embeddingNorm: norm("enorm"),
        hiddenNorm: norm("hnorm"), merge: "eh_proj", final: norm("shared_head.norm"))
      predictor.copies = [
        prefix + "embed_tokens.weight": names.embedding,
        prefix + "shared_head.head.weight": frame.isTied ? names.embedding : names.head,
      ]
      predictors.append(predictor)
    }
  }

  /// Adds a predictor stored beside the decoder, below `mtp` (Qwen3-Next and after it).
  ///
  /// Its norms are of the kind of the model's last one.
  public mutating func addMergedPredictor(
    isStated: Bool, @BlockBuilder layers: () -> [any Layer]
  ) {
    func norm(_ name: String) -> Norm { Norm(frame.width, eps: final.eps, name, final.kind) }
    var predictor = Predictor(
      prefix: "mtp.", block: "mtp.layers.0.", layers: layers(),
      embeddingNorm: norm("pre_fc_norm_embedding"), hiddenNorm: norm("pre_fc_norm_hidden"),
      merge: "fc", final: norm("norm"))
    predictor.isStated = isStated
    predictors.append(predictor)
  }

  /// Adds a predictor of several layers, numbered from 0, as Nemotron-H's files have it: what leads in
  /// stands with the first layer, the last norm with the last.
  ///
  /// - Parameter stack: the layers; without any there is no predictor.
  public mutating func addStackedPredictor(eps: Double, _ stack: [[any Layer]]) {
    guard !stack.isEmpty else { return }
    func norm(_ name: String) -> Norm { Norm(frame.width, eps: eps, name) }
    predictors.append(
      Predictor(
        prefix: "mtp.layers.",
        blocks: stack.enumerated().map { Block(prefix: "mtp.layers.\($0).", layers: $1) },
        embeddingNorm: norm("0.enorm"), hiddenNorm: norm("0.hnorm"), merge: "0.eh_proj",
        final: norm("\(stack.count - 1).final_layernorm")))
  }

  /// What files may hold for predictors alone: name → the tensor of the model that it may equal.
  public var copies: [String: String] {
    predictors.reduce(into: [:]) { $0.merge($1.copies) { first, _ in first } }
  }

  /// The duplicates of the model and the copies of its predictors.
  public var everyDuplicate: [String: String] {
    duplicates.merging(copies) { duplicate, _ in duplicate }
  }

  /// The predictors that Megatron holds, with their slots.
  var predictorSlots: [PlacedSlot] {
    predictors.filter(\.isInMegatron).enumerated().flatMap {
      $1.slots($0, isHybrid: isHybrid)
    }
  }

  /// The names of predictors' tensors that Megatron has no place for.
  var predictorsBeside: [String] {
    predictors.filter { !$0.isInMegatron }.flatMap { predictor in
      predictor.slots(0, isHybrid: isHybrid).flatMap(\.slot.parts).map(\.name)
    }
  }
}
