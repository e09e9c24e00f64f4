import Tensors

/// Picks, for each position, the keys that attention looks at (DeepSeek-V3.2, "lightning indexer").
///
/// With latent q of the query and input x: index keys k = norm(key x), index queries from queryUp q;
/// both turn the leading `rotary.dimensions` of `headSize`. The score of a key s before position t is
/// Σ_h (headWeights x)_h / √heads · relu(query_h(t) · k(s) / √headSize); the `kept` highest are seen.
public struct Indexer: Hashable, Sendable {
  public var heads: Int
  public var headSize: Int
  /// How many keys each position sees.
  public var kept: Int
  public var rotary: Rotary
  /// Of the norm (with mean and bias) on the index keys.
  public var eps: Double
  public var prefix: String

  public init(
    heads: Int, headSize: Int, kept: Int, rotary: Rotary, eps: Double = 1e-6,
    prefix: String = "self_attn.indexer"
  ) {
    self.heads = heads
    self.headSize = headSize
    self.kept = kept
    self.rotary = rotary
    self.eps = eps
    self.prefix = prefix
  }

  func slots(width: Int, queryRank: Int) -> [Slot] {
    func slot(_ part: Role.IndexerPart, _ name: String, _ shape: Shape) -> Slot {
      Slot(.indexer(part), [Part("\(prefix).\(name)", shape)])
    }
    return [
      slot(.queryUp, "wq_b.weight", [heads * headSize, queryRank]),
      slot(.key, "wk.weight", [headSize, width]),
      slot(.keyNormWeight, "k_norm.weight", [headSize]),
      slot(.keyNormBias, "k_norm.bias", [headSize]),
      slot(.headWeights, "weights_proj.weight", [heads, width]),
    ]
  }
}

/// DeepSeek's latent attention: queries and keys/values pass through narrow latents (MLA).
public struct LatentAttention: Layer {
  public var width: Int
  public var heads: Int
  /// The width of the query latent; `nil` projects queries directly.
  public var queryRank: Int?
  public var keyValueRank: Int
  /// Dimensions of a head without position, with position, and of its value.
  public var plainSize: Int
  /// Of the packed tensors, whose turning dimensions are always neighbours in pairs.
  public var rotary: Rotary
  /// Whether the Hugging Face side has them as two halves; packing interleaves those, because
  /// Megatron-Core's latent attention knows no other order (TRANSFORMS.md §9).
  public var storesHalves: Bool
  public var valueSize: Int
  /// Of the norms on the latents.
  public var eps: Double
  /// The factor on the scores; 1 / √(plainSize + rotary.dimensions) where `nil`.
  public var scale: Double?
  /// Picks the keys that are looked at; `nil` looks at all.
  ///
  /// It reads the normed latent of the queries.
  public var indexer: Indexer?
  public var prefix: String

  /// - Parameter rotary: as the family's own code turns its tensors.
  public init(
    _ width: Int, heads: Int, queryRank: Int?, keyValueRank: Int, plainSize: Int,
    rotary: Rotary, valueSize: Int, eps: Double, scale: Double? = nil,
    prefix: String = "self_attn"
  ) {
    self.width = width
    self.heads = heads
    self.queryRank = queryRank
    self.keyValueRank = keyValueRank
    self.plainSize = plainSize
    storesHalves = !rotary.isInterleaved
    self.rotary = rotary
    self.rotary.isInterleaved = true
    self.valueSize = valueSize
    self.eps = eps
    self.scale = scale
    self.prefix = prefix
  }

  public var normBefore: NormPlace { .beforeLatentAttention }
  public var normAfter: NormPlace { .afterAttention }
  public var buffers: [String] { [prefix + ".rotary_emb.inv_freq"] }

  public var slots: [Slot] {
    let queryRows = heads * (plainSize + rotary.dimensions)
    func matrix(
      _ role: Role, _ name: String, _ rows: Int, _ columns: Int, _ split: Split,
      _ layout: Layout? = nil
    ) -> Slot {
      Slot(
        role, [Part("\(prefix).\(name).weight", [rows, columns])],
        layout: storesHalves ? layout : nil, split: split)
    }
    let queries = Layout.interleavingHalves(
      blocks: heads, plain: plainSize, turning: rotary.dimensions)
    var slots: [Slot] = []
    if let queryRank {
      slots.append(matrix(.queryDown, "q_a_proj", queryRank, width, .replicated))
      slots += Norm(queryRank, eps: eps, "\(prefix).q_a_layernorm").slots(
        .role(.queryLatentNorm(isFused: indexer == nil)))
      slots.append(matrix(.queryUp, "q_b_proj", queryRows, queryRank, .rows, queries))
    } else {
      slots.append(matrix(.query, "q_proj", queryRows, width, .rows, queries))
    }
    slots.append(
      matrix(
        .keyValueDown, "kv_a_proj_with_mqa", keyValueRank + rotary.dimensions, width, .replicated,
        .interleavingHalves(blocks: 1, plain: keyValueRank, turning: rotary.dimensions)))
    slots += Norm(keyValueRank, eps: eps, "\(prefix).kv_a_layernorm")
      .slots(.role(.keyValueLatentNorm(isFused: indexer == nil)))
    slots.append(
      matrix(.keyValueUp, "kv_b_proj", heads * (plainSize + valueSize), keyValueRank, .rows))
    slots.append(
      matrix(.attentionOutput(.weight), "o_proj", width, heads * valueSize, .columns))
    if let indexer, let queryRank {
      slots += indexer.slots(width: width, queryRank: queryRank)
    }
    return slots
  }
}
