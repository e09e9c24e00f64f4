import Tensors

/// Gated DeltaNet: attention's place taken by a recurrence (arXiv 2412.06464).
///
/// A causal convolution and SiLU go over the channels [q; k; v]. Queries and keys are divided by
/// √(their squares' sum + 1e-6), queries by √keySize besides. With β = sigmoid(b) and
/// g = −exp(decay) · softplus(a + step bias), a value head's state [keySize, valueSize] is
/// S ← exp(g) · S, then S ← S + k ⊗ β · (v − Sᵀ k); its output is Sᵀ q. The layer's is
/// out(rms(Sᵀ q) · w · silu(z)), each value head normed by itself.
public struct DeltaNet: Layer {
  public var width: Int
  /// Heads of queries and keys; each serves valueHeads / keyHeads heads in a row.
  public var keyHeads: Int
  public var valueHeads: Int
  public var keySize: Int
  public var valueSize: Int
  /// The convolution's length.
  public var kernel: Int
  /// Of the norm inside.
  public var eps: Double
  public var storage: Storage
  public var prefix: String

  /// How the Hugging Face side stores the input projections.
  public enum Storage: Hashable, Sendable {
    /// Two tensors, both by key head: its q, its k, the v and then the z of the heads it serves; and
    /// the b and then the a of those.
    case grouped(queryKeyValueGate: String, betaDecay: String)
    /// Four tensors: [all q; all k; all v], z, b and a.
    case flat(queryKeyValue: String, gate: String, beta: String, decay: String)
  }

  public init(
    _ width: Int, keyHeads: Int, valueHeads: Int, keySize: Int, valueSize: Int, kernel: Int,
    eps: Double, storage: Storage, prefix: String = "linear_attn"
  ) {
    self.width = width
    self.keyHeads = keyHeads
    self.valueHeads = valueHeads
    self.keySize = keySize
    self.valueSize = valueSize
    self.kernel = kernel
    self.eps = eps
    self.storage = storage
    self.prefix = prefix
  }

  public var normBefore: NormPlace { .beforeInputProjection }
  public var normAfter: NormPlace { .afterAttention }

  private var keys: Int { keyHeads * keySize }
  private var values: Int { valueHeads * valueSize }

  public var slots: [Slot] {
    let convolved = [
      Fragment("query", keys), Fragment("key", keys), Fragment("value", values),
    ]
    let channels = 2 * keys + values
    func slot(
      _ part: Role.MixerPart, _ name: String, _ shape: Shape, _ split: Split = .rows,
      _ fragments: [Fragment] = []
    ) -> Slot {
      Slot(
        .mixer(.delta, part), [Part("\(prefix).\(name)", shape)], split: split,
        fragments: fragments)
    }
    var norm = slot(.norm, "norm.weight", [valueSize], .replicated)
    // Megatron-Core's norms in such models hold weights about zero, this one too.
    norm.shift = -1
    return [
      input(convolved),
      slot(.convolution(.weight), "conv1d.weight", [channels, 1, kernel], .rows, convolved),
      slot(.decay, "A_log", [valueHeads]), slot(.stepBias, "dt_bias", [valueHeads]),
      norm, slot(.output(.weight), "out_proj.weight", [width, values], .columns),
    ]
  }

  /// The input projection: the rows of q, k, v, z, b and a, all heads of each.
  private func input(_ convolved: [Fragment]) -> Slot {
    let fragments =
      convolved + [
        Fragment("z", values), Fragment("beta", valueHeads), Fragment("alpha", valueHeads),
      ]
    func part(_ name: String, _ rows: Int) -> Part {
      Part("\(prefix).\(name).weight", [rows, width])
    }
    let parts: [Part]
    let layout: Layout?
    switch storage {
    case .grouped(let queryKeyValueGate, let betaDecay):
      parts = [part(queryKeyValueGate, 2 * (keys + values)), part(betaDecay, 2 * valueHeads)]
      layout = groupedLayout
    case .flat(let queryKeyValue, let gate, let beta, let decay):
      parts = [
        part(queryKeyValue, 2 * keys + values), part(gate, values), part(beta, valueHeads),
        part(decay, valueHeads),
      ]
      layout = nil
    }
    return Slot(
      .mixer(.delta, .input(.weight)), parts,
      shape: [2 * (keys + values + valueHeads), width], layout: layout, split: .rows,
      fragments: fragments)
  }

  /// Source: TRANSFORMS.md §8.
  private var groupedLayout: Layout {
    let served = valueHeads / keyHeads
    let sizes = [keySize, keySize, served * valueSize, served * valueSize]
    var segments: [Segment] = []
    for (kind, size) in sizes.enumerated() {
      let before = sizes[..<kind].reduce(0, +)
      for head in 0..<keyHeads {
        segments.append(
          Segment(part: 0, first: head * sizes.reduce(0, +) + before, count: size))
      }
    }
    for kind in 0..<2 {
      for head in 0..<keyHeads {
        segments.append(Segment(part: 1, first: (2 * head + kind) * served, count: served))
      }
    }
    return .rows(segments)
  }
}
