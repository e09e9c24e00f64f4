import Tensors

/// How tokens choose experts.
public struct Router: Hashable, Sendable {
  public enum Score: Hashable, Sendable {
    case softmax
    case sigmoid
    /// PhiMoE's two experts, one after the other, each by a softmax over the experts near the best
    /// (with s the logits, an expert is near where (max − s) / max(|s|, max) ≤ 2 · jitter).
    case sparseMixer(jitter: Double)
  }

  public var name: String
  public var score: Score
  public var perToken: Int
  /// Whether the chosen experts' weights are scaled to sum to one.
  public var isNormalized: Bool
  /// The smallest sum that normalising divides by.
  public var normMinimum = 0.0
  /// The factor on the chosen weights.
  public var scale: Double
  /// The tensor [experts] whose numbers multiply the chosen weights, each its expert's.
  public var expertScale: String?
  /// What the router looks at, where it is not the experts' input; `nil` is that.
  public var input: Input?
  /// Whether the weights multiply the experts' inputs rather than their outputs.
  public var scalesInput = false
  public var hasBias = false
  /// The tensor added to the scores when choosing, and only then.
  public var correction: String?
  /// Whether that tensor's shape is [1, experts] rather than [experts].
  public var correctionIsRow = false
  /// Experts in groups, of which each token first keeps the best.
  public var groups: Groups?
  /// The factor on the training loss that keeps experts evenly used.
  public var balance: Double
  /// Whether that loss is taken for each sequence by itself rather than for all tokens at once.
  public var balancesSequences: Bool { score == .sigmoid }

  public struct Groups: Hashable, Sendable {
    public var count: Int
    public var kept: Int
    /// How many of a group's best scores are summed to rank it.
    public var ranked: Int

    public init(count: Int, kept: Int, ranked: Int = 2) {
      self.count = count
      self.kept = kept
      self.ranked = ranked
    }
  }

  /// The stream x itself in place of its norm: x / rms(x) · s / √width.
  public struct Input: Hashable, Sendable {
    /// The name of the tensor s, [width].
    public var scale: String
    public var eps: Double

    public init(scale: String, eps: Double) {
      self.scale = scale
      self.eps = eps
    }
  }

  public init(
    _ name: String, _ score: Score, perToken: Int, isNormalized: Bool, scale: Double = 1,
    correction: String? = nil, groups: Groups? = nil, balance: Double = 0
  ) {
    self.name = name
    self.score = score
    self.perToken = perToken
    self.isNormalized = isNormalized
    self.scale = scale
    self.correction = correction
    self.groups = groups
    self.balance = balance
  }

  func slots(width: Int, count: Int) -> [Slot] {
    var slots = [Slot(.router(.weight), [Part(name + ".weight", [count, width])])]
    if let input { slots.append(Slot(.routerScale(.input), [Part(input.scale, [width])])) }
    if let expertScale { slots.append(Slot(.routerScale(.experts), [Part(expertScale, [count])])) }
    if hasBias { slots.append(Slot(.router(.bias), [Part(name + ".bias", [count])])) }
    if let correction {
      let shape: Shape = correctionIsRow ? [1, count] : [count]
      slots.append(
        Slot(
          .routerCorrection, [Part(correction, shape)], shape: [count],
          layout: .concatenated([count]),
          isFloat32: true))
    }
    return slots
  }
}
