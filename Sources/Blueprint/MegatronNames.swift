import Tensors

/// Megatron's name for every learned tensor: the only place that knows.
///
/// A name follows from what the tensor is for and where it stands, not from the family. Sources:
/// FORMATS.md B.3 to B.8, MAPPINGS.md "Conventions", BRIDGE.md.
public struct MegatronNames: Sendable {
  /// The spelling of a checkpoint: stated when writing, detected tensor by tensor when reading.
  public struct Dialect: Hashable, Sendable {
    /// Layers under one key with a leading axis, or a key for each.
    public var stacksLayers: Bool
    /// Norms inside the following linear layer (Transformer Engine) or as modules of their own.
    public var fusesNorms = true
    public var experts = ExpertKeys.stacked
    /// The halves of gated layers as keys of their own (`_w`, `_v`).
    public var splitsGates = false

    public init(stacksLayers: Bool) { self.stacksLayers = stacksLayers }
  }

  /// How the keys of routed experts are spelled.
  public enum ExpertKeys: Hashable, Sendable, CaseIterable {
    /// `experts.experts.linear_fc1.weight`, all under one key with an expert axis.
    case stacked
    /// `experts.experts.3.linear_fc1.weight`.
    case listed
    /// `experts.linear_fc1.weight3`, as modules of Transformer Engine hold them.
    case numbered
    /// `experts.local_experts.3.linear_fc1.weight`, as modules one for each expert hold them.
    case local
  }

  public let depth: Int
  public let stacksLayers: Bool
  /// Hybrid stacks call their last norm `final_norm`.
  public let isHybrid: Bool
  /// Whether norms are modules of their own where the checkpoint's writer had the choice.
  let separatesNorms: Bool
  /// What a Mamba layer's module is called.
  let mamba: String

  public init(_ blueprint: Blueprint) {
    depth = blueprint.stackDepth
    mamba = blueprint.hasMambaBeside ? "mamba_mixer" : "mixer"
    stacksLayers = blueprint.stacksLayers
    separatesNorms = blueprint.separatesNorms
    isHybrid = blueprint.isHybrid
  }

  /// The spelling that is written.
  var dialect: Dialect {
    var dialect = Dialect(stacksLayers: stacksLayers)
    dialect.fusesNorms = !separatesNorms
    return dialect
  }

  /// The keys a slot is written under, as Megatron-Bridge spells them.
  public func pieces(of slot: PlacedSlot) -> [MegatronPiece] {
    pieces(of: slot, dialect)
  }

  /// Every spelling of a slot that checkpoints are known to have, the likeliest first.
  public func spellings(of slot: PlacedSlot) -> [[MegatronPiece]] {
    let hasHalves = slot.slot.fragments.count > 1 && !slot.slot.role.hasNamedFragments
    var dialects: [Dialect] = []
    for stacksLayers in [stacksLayers, !stacksLayers] {
      for fusesNorms in slot.slot.role.isNorm ? [!separatesNorms, separatesNorms] : [true] {
        for experts in slot.slot.split.isExpert ? ExpertKeys.allCases : [.stacked] {
          for splitsGates in hasHalves ? [false, true] : [false] {
            var dialect = Dialect(stacksLayers: stacksLayers)
            dialect.fusesNorms = fusesNorms
            dialect.experts = experts
            dialect.splitsGates = splitsGates
            dialects.append(dialect)
          }
        }
      }
    }
    var seen: Set<[String]> = []
    var spellings: [[MegatronPiece]] = []
    for dialect in dialects {
      for prefix in prefixes(slot.section, dialect) {
        for module in modules(slot.slot.role, slot.section, dialect) {
          let pieces = pieces(of: slot, key: prefix.key + module, lead: prefix.lead, dialect)
          if seen.insert(pieces.map(\.key)).inserted { spellings.append(pieces) }
        }
      }
    }
    return spellings
  }

  private func pieces(of slot: PlacedSlot, _ dialect: Dialect) -> [MegatronPiece] {
    let prefix = prefixes(slot.section, dialect)[0]
    let module = modules(slot.slot.role, slot.section, dialect)[0]
    return pieces(of: slot, key: prefix.key + module, lead: prefix.lead, dialect)
  }

  // MARK: - Keys

  /// What stands before the module's name, likeliest first.
  func prefixes(
    _ section: PlacedSlot.Section, _ dialect: Dialect
  ) -> [(key: String, lead: [MegatronPiece.Axis])] {
    switch section {
    case .embedding, .head: [("", [])]
    case .final: [("decoder.", [])]
    case .block(let index):
      dialect.stacksLayers
        ? [("decoder.layers.", [MegatronPiece.Axis(index: index, count: depth)])]
        : [("decoder.layers.\(index).", [])]
    case .predictor(let depth): [("mtp.layers.\(depth).", [])]
    case .predictorBlock(let depth, let layer?):
      [("mtp.layers.\(depth).mtp_model_layer.layers.\(layer).", [])]
    case .predictorBlock(let depth, nil):
      // Megatron-Core renamed the module, but writes it under its first name.
      [
        ("mtp.layers.\(depth).transformer_layer.", []),
        ("mtp.layers.\(depth).mtp_model_layer.", []),
      ]
    }
  }

  /// The pieces of a slot under its key: several where Megatron keeps fragments or experts apart.
  private func pieces(
    of placed: PlacedSlot, key: String, lead: [MegatronPiece.Axis], _ dialect: Dialect
  ) -> [MegatronPiece] {
    let slot = placed.slot
    let whole = MegatronPiece(
      key: key, lead: lead, rows: 0..<slot.rows, shape: slot.shape, fragments: slot.fragments)
    if slot.split.isExpert {
      // The halves of stacked experts never have keys of their own.
      guard dialect.experts != .stacked else {
        var bank = whole
        bank.isBank = true
        return [bank]
      }
      return (0..<slot.shape[0]).flatMap { expert in
        let rows = slot.shape[1]
        let piece = MegatronPiece(
          key: key.naming(expert: expert, dialect.experts), lead: lead,
          rows: expert * rows..<(expert + 1) * rows,
          shape: Shape(Array(slot.shape.dimensions.dropFirst())), fragments: slot.fragments)
        return dialect.splitsGates && slot.fragments.count > 1 ? piece.split("_") : [piece]
      }
    }
    if slot.role.hasNamedFragments, !slot.fragments.isEmpty { return whole.split(".") }
    return dialect.splitsGates && slot.fragments.count > 1 ? whole.split("_") : [whole]
  }

  // MARK: - Modules

  /// The module and parameter name below the layer, likeliest first.
  func modules(
    _ role: Role, _ section: PlacedSlot.Section, _ dialect: Dialect
  ) -> [String] {
    switch role {
    case .wordEmbeddings: ["embedding.word_embeddings.weight"]
    case .layerInput(let tensor): [tensor.rawValue + ".weight"]
    case .layerScalar: ["layer_scalar"]
    case .positionEmbeddings: ["embedding.position_embeddings.weight"]
    case .outputLayer(let kind): ["output_layer.\(kind.rawValue)"]
    case .finalNorm(let kind):
      isHybrid
        ? ["final_norm.\(kind.rawValue)", "final_layernorm.\(kind.rawValue)"]
        : ["final_layernorm.\(kind.rawValue)", "final_norm.\(kind.rawValue)"]
    case .norm(let place, let kind): norm(place, kind, dialect)
    case .queryKeyValue(let kind): ["self_attention.linear_qkv.\(kind.rawValue)"]
    case .queryNorm(let kind): ["self_attention.q_layernorm.\(kind.rawValue)"]
    case .keyNorm(let kind): ["self_attention.k_layernorm.\(kind.rawValue)"]
    case .attentionSinks: ["self_attention.core_attention.softmax_offset"]
    case .attentionOutput(let kind): ["self_attention.linear_proj.\(kind.rawValue)"]
    case .query: ["self_attention.linear_q_proj.weight"]
    case .queryDown: ["self_attention.linear_q_down_proj.weight"]
    case .queryLatentNorm(let isFused):
      dialect.fusesNorms == isFused
        ? ["self_attention.linear_q_up_proj.layer_norm_weight"]
        : ["self_attention.q_layernorm.weight"]
    case .queryUp: ["self_attention.linear_q_up_proj.weight"]
    case .keyValueDown: ["self_attention.linear_kv_down_proj.weight"]
    case .keyValueLatentNorm(let isFused):
      dialect.fusesNorms == isFused
        ? ["self_attention.linear_kv_up_proj.layer_norm_weight"]
        : ["self_attention.kv_layernorm.weight"]
    case .keyValueUp: ["self_attention.linear_kv_up_proj.weight"]
    case .indexer(let part): ["self_attention.core_attention.indexer.\(part.rawValue)"]
    case .fc1(let kind): ["mlp.linear_fc1.\(kind.rawValue)"]
    case .fc2(let kind): ["mlp.linear_fc2.\(kind.rawValue)"]
    case .attentionMap: ["self_attention.weight"]
    case .mlpMap: ["mlp.weight"]
    case .activation(let number): ["mlp.activation_func.\(number.rawValue)"]
    case .router(let kind): ["mlp.router.\(kind.rawValue)"]
    case .routerCorrection: ["mlp.router.expert_bias"]
    case .routerScale(let scale): ["mlp.router.\(scale.rawValue)"]
    case .expertFC1(let kind): ["mlp.experts.experts.linear_fc1.\(kind.rawValue)"]
    case .expertFC2(let kind): ["mlp.experts.experts.linear_fc2.\(kind.rawValue)"]
    case .sharedFC1(let kind): ["mlp.shared_experts.linear_fc1.\(kind.rawValue)"]
    case .sharedFC2(let kind): ["mlp.shared_experts.linear_fc2.\(kind.rawValue)"]
    case .sharedGate: ["mlp.shared_experts.gate_weight"]
    case .latentDown: ["mlp.fc1_latent_proj.weight"]
    case .latentUp: ["mlp.fc2_latent_proj.weight"]
    case .mixer(let mixer, let part): [self.mixer(mixer, part)]
    case .predictorEmbeddingNorm: ["enorm.weight"]
    case .predictorHiddenNorm: ["hnorm.weight"]
    case .predictorMerge: ["eh_proj.weight"]
    case .predictorFinalNorm: ["final_layernorm.weight"]
    }
  }

  private func mixer(_ mixer: Role.Mixer, _ part: Role.MixerPart) -> String {
    let module =
      switch mixer {
      case .mamba: mamba
      case .delta, .convolution: "self_attention"
      }
    let parameter =
      switch part {
      case .input(let kind): "in_proj.\(kind.rawValue)"
      case .convolution(let kind): "conv1d.\(kind.rawValue)"
      case .decay: "A_log"
      case .skip: "D"
      case .stepBias: "dt_bias"
      case .norm: mixer == .mamba ? "norm.weight" : "out_norm.weight"
      case .output(let kind): "out_proj.\(kind.rawValue)"
      }
    return "\(module).\(parameter)"
  }

  private func norm(_ place: NormPlace, _ kind: Role.Kind, _ dialect: Dialect) -> [String] {
    let name = kind.rawValue
    return switch (place, dialect.fusesNorms) {
    case (.beforeAttention, true): ["self_attention.linear_qkv.layer_norm_\(name)"]
    case (.beforeInputProjection, true): ["self_attention.in_proj.layer_norm_\(name)"]
    case (.beforeMLP, true): ["mlp.linear_fc1.layer_norm_\(name)"]
    case (.beforeMamba, true): ["mixer.in_proj.layer_norm_\(name)"]
    case (.beforeMamba, false), (.beforeMambaAndAttention, _): ["norm.\(name)"]
    case (.beforeAttentionMap, true): ["self_attention.layer_norm_\(name)"]
    case (.beforeMLPMap, true): ["mlp.layer_norm_\(name)"]
    case (.beforeAttention, false), (.beforeAttentionMap, false), (.beforeInputProjection, false),
      (.beforeLatentAttention, _), (.beforeBoth, _):
      ["input_layernorm.\(name)"]
    case (.beforeMLP, false), (.beforeMLPMap, false), (.beforeExperts, true):
      ["pre_mlp_layernorm.\(name)"]
    // The local specification's key map names it after a layer that is not there (FORMATS.md B.4).
    case (.beforeExperts, false): ["mlp.linear_fc1.layer_norm_\(name)"]
    case (.afterAttention, true): ["self_attention.linear_proj.post_layernorm.\(name)"]
    case (.afterAttention, false): ["post_self_attn_layernorm.\(name)"]
    case (.afterMLP, true): ["mlp.linear_fc2.post_layernorm.\(name)"]
    case (.afterMLP, false): ["post_mlp_layernorm.\(name)"]
    case (.beforeShared, _): ["pre_shared_expert_layernorm.\(name)"]
    case (.afterShared, _): ["mlp.post_shared_expert_layernorm.\(name)"]
    case (.afterExperts, _): ["mlp.post_moe_layernorm.\(name)"]
    case (.afterBoth, _): ["post_ffn_layernorm.\(name)"]
    case (.afterLayerInput, _): ["post_per_layer_input_norm.\(name)"]
    }
  }
}

extension Blueprint {
  /// Whether Megatron builds the model as a hybrid stack: some block is a Mamba layer, or each is one
  /// layer where a transformer has attention and MLP.
  public var isHybrid: Bool {
    let leaves = blocks.map(\.leaves)
    return leaves.allSatisfy { $0.count == 1 } || leaves.contains { $0.contains { $0 is Mamba } }
  }

  /// Whether blocks have a Mamba layer beside their attention, which is one layer to Megatron.
  var hasMambaBeside: Bool {
    blocks.contains { block in
      block.layers.contains { ($0 as? ParallelResidual)?.normBefore == .beforeMambaAndAttention }
    }
  }
}

/// A part of a slot under one key of a Megatron checkpoint.
public struct MegatronPiece: Sendable {
  /// An axis in front of the tensor's own, where layers are stacked.
  public struct Axis: Hashable, Sendable {
    public var index: Int
    public var count: Int
  }

  public var key: String
  public var lead: [Axis]
  /// The packed rows of the slot that it holds.
  public var rows: Range<Int>
  /// Its shape behind the leading axes.
  public var shape: Shape
  /// The rows that are cut for the ranks each by itself; empty where all are one.
  public var fragments: [Fragment]
  /// Whether the first axis of `shape` counts experts.
  public var isBank = false

  /// The shape of the whole key.
  public var keyShape: Shape { Shape(lead.map(\.count) + shape.dimensions) }

  /// One piece for each fragment, the label joined to the key.
  func split(_ separator: String) -> [MegatronPiece] {
    var start = rows.lowerBound
    return fragments.map { fragment in
      defer { start += fragment.rows }
      return MegatronPiece(
        key: key + separator + fragment.label, lead: lead, rows: start..<start + fragment.rows,
        shape: Shape([fragment.rows] + shape.dimensions.dropFirst()), fragments: [])
    }
  }
}

extension Role {
  /// Whether the fragments always have keys of their own.
  fileprivate var hasNamedFragments: Bool {
    switch self {
    case .mixer(_, .input), .mixer(_, .convolution): true
    default: false
    }
  }

  /// Whether the name depends on where norms are kept.
  fileprivate var isNorm: Bool {
    switch self {
    case .norm, .queryLatentNorm, .keyValueLatentNorm: true
    default: false
    }
  }
}

extension String {
  /// `…mlp.experts.experts.linear_fc1.weight` for one expert.
  func naming(expert: Int, _ keys: MegatronNames.ExpertKeys) -> String {
    let marker = "experts.experts."
    guard let place = firstRange(of: marker) else { return self }
    let head = self[..<place.lowerBound]
    let tail = self[place.upperBound...]
    return switch keys {
    case .stacked: self
    case .listed: "\(head)experts.experts.\(expert).\(tail)"
    case .numbered: "\(head)experts.\(tail)\(expert)"
    case .local: "\(head)experts.local_experts.\(expert).\(tail)"
    }
  }

  private func firstRange(of text: String) -> Range<String.Index>? {
    let (bytes, wanted) = (utf8, text.utf8)
    guard let first = wanted.first else { return nil }
    var start = bytes.startIndex
    while let found = bytes[start...].firstIndex(of: first) {
      if bytes[found...].starts(with: wanted) {
        return found..<bytes.index(found, offsetBy: wanted.count)
      }
      start = bytes.index(after: found)
    }
    return nil
  }
}
