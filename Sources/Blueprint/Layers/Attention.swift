import Tensors

/// A bias on the scores that falls linearly with the distance, steeper or flatter by head.
///
/// Head h of the largest power of two n ≤ heads has the slope 2^(-8(h+1)/n); the others take every
/// second slope of 2n heads (arXiv 2108.12409 and its reference code).
public struct ALiBi: Hashable, Sendable {
  /// Whether the factor on the scores is on the bias too (Falcon adds it before scaling).
  public var isScaled: Bool
  /// Whether slopes, positions and their products are those that bfloat16 can hold, as in the code of
  /// families that build the bias of a query's row from its keys' positions in bfloat16 (Falcon).
  public var isRounded: Bool

  public init(isScaled: Bool, isRounded: Bool = false) {
    self.isScaled = isScaled
    self.isRounded = isRounded
  }
}

/// A factor on queries that grows with the position p: 1 + slope · ln(1 + ⌊(p + first) / period⌋).
///
/// Positions count from 0; Llama 4 counts from 1, Ministral 3 does not.
public struct QueryTemperature: Hashable, Sendable {
  public var slope: Double
  public var period: Double
  public var first: Int

  public init(slope: Double, period: Double, first: Int) {
    self.slope = slope
    self.period = period
    self.first = first
  }
}

/// Which blocks of keys each block of queries sees (Phi-3-small).
///
/// With blocks of `size` positions, block q of query head h sees block k ≤ q where q − k < `local` or
/// (k + h · step + 1) mod `stride` = 0; no token sees later ones.
public struct BlockSparsity: Hashable, Sendable {
  public var size: Int
  public var local: Int
  public var stride: Int
  /// By how many blocks the stripe of one head is before that of the last.
  public var step: Int

  public init(size: Int, local: Int, stride: Int, step: Int) {
    self.size = size
    self.local = local
    self.stride = stride
    self.step = step
  }
}

/// Multi-head attention with grouped keys and values.
public struct Attention: Layer {
  public var width: Int
  public var heads: Int
  /// Key and value heads; each serves heads / groups query heads.
  public var groups: Int
  public var headSize: Int
  public var rotary: Rotary?
  public var alibi: ALiBi?
  public var headNorms: HeadNorms?
  /// How many positions back a token sees, itself included; `nil` sees all.
  public var window: Int?
  /// Tokens see only those of their own chunk of so many positions; `nil` is no chunks.
  public var chunk: Int?
  /// `nil` sees all blocks.
  public var sparsity: BlockSparsity?
  /// cap · tanh(scores / cap), before the mask.
  public var softCap: Double?
  /// The factor on the scores; 1 / √headSize where `nil`.
  public var scale: Double?
  /// The factor on keys, before the rotation.
  public var keyScale = 1.0
  /// Queries, keys and values are cut to ± this, behind norms of all heads and before the rotation.
  public var clip: Double?
  public var temperature: QueryTemperature?
  /// A learned score for each head that no value belongs to: the tensor's name, shape [heads].
  public var sinks: String?
  /// Values are divided by their root mean square, head by head, with this eps; `nil` leaves them.
  public var valueEps: Double?
  public var keySource = KeySource.own
  /// Whether the output is multiplied by sigmoid(gate); the query projection holds, head by head,
  /// the query's rows and then the gate's.
  public var isGated = false
  public var projection: Projection
  public var output: String
  /// Whether Hugging Face stores the matrices [inputs, outputs] (GPT-2's Conv1D).
  public var isTransposed = false
  public var hasInputBias: Bool
  public var hasOutputBias: Bool
  public var buffers: [String]

  /// How the Hugging Face side stores the three input projections.
  public enum Projection: Hashable, Sendable {
    /// Three tensors.
    case separate(query: String, key: String, value: String)
    /// One tensor [all queries; all keys; all values].
    case stacked(String)
    /// One tensor, by group: its queries, its key, its value (Megatron's own order).
    case grouped(String)
  }

  public init(
    _ width: Int, heads: Int, groups: Int, headSize: Int, rotary: Rotary?,
    inputBias: Bool = false, outputBias: Bool = false,
    projection: Projection = .separate(
      query: "self_attn.q_proj", key: "self_attn.k_proj", value: "self_attn.v_proj"),
    output: String = "self_attn.o_proj", buffers: [String] = ["self_attn.rotary_emb.inv_freq"]
  ) {
    self.width = width
    self.heads = heads
    self.groups = groups
    self.headSize = headSize
    self.rotary = rotary
    hasInputBias = inputBias
    hasOutputBias = outputBias
    self.projection = projection
    self.output = output
    self.buffers = buffers
  }

  /// The same with another window.
  public func windowed(_ window: Int?) -> Attention {
    var copy = self
    copy.window = window
    return copy
  }

  /// The same with other chunks.
  public func chunked(_ chunk: Int?) -> Attention {
    var copy = self
    copy.chunk = chunk
    return copy
  }

  /// The same without any rotation of queries and keys.
  public var withoutRotation: Attention {
    var copy = self
    copy.rotary = nil
    return copy
  }

  public var normBefore: NormPlace { .beforeAttention }
  public var normAfter: NormPlace { .afterAttention }

  public var slots: [Slot] {
    var slots = [queryKeyValue(.weight)]
    if hasInputBias { slots.append(queryKeyValue(.bias)) }
    if let headNorms {
      slots += headNorms.slots(
        heads: heads, groups: keySource.isElsewhere ? 0 : groups, headSize: headSize)
    }
    if let sinks {
      slots.append(Slot(.attentionSinks, [Part(sinks, [heads])], split: .rows))
    }
    let outputs = Slot(
      .attentionOutput(.weight), [Part(output + ".weight", [width, heads * headSize])],
      split: .columns)
    slots.append(isTransposed ? outputs.storedTransposed : outputs)
    if hasOutputBias {
      slots.append(Slot(.attentionOutput(.bias), [Part(output + ".bias", [width])]))
    }
    return slots
  }

  private func queryKeyValue(_ kind: Role.Kind) -> Slot {
    let columns = kind == .weight ? [width] : []
    let queries = heads * headSize * (isGated ? 2 : 1)
    let keys = groups * headSize
    func part(_ name: String, _ rows: Int) -> Part {
      Part("\(name).\(kind.rawValue)", Shape([rows] + columns))
    }
    let parts: [Part]
    let layout: Layout?
    switch projection {
    case .separate(let query, let key, let value):
      switch keySource {
      case .own:
        parts = [part(query, queries), part(key, keys), part(value, keys)]
        layout =
          isGated
          ? .groupedWithGate(heads: heads, groups: groups, headSize: headSize)
          : .grouped(heads: heads, groups: groups, headSize: headSize)
      case .sameProjection:
        parts = [part(query, queries), part(key, keys)]
        layout = .groupedWithKeysTwice(heads: heads, groups: groups, headSize: headSize)
      case .block:
        parts = [part(query, queries)]
        layout = .groupedQueries(heads: heads, groups: groups, headSize: headSize)
      }
    case .stacked(let name):
      parts = [part(name, queries + 2 * keys)]
      layout = .groupedFromStacked(heads: heads, groups: groups, headSize: headSize)
    case .grouped(let name):
      parts = [part(name, queries + 2 * keys)]
      layout = nil
    }
    let slot = Slot(
      .queryKeyValue(kind), parts, shape: Shape([queries + 2 * keys] + columns), layout: layout,
      split: .rows)
    return isTransposed && kind == .weight ? slot.storedTransposed : slot
  }
}
