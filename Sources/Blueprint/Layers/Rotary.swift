import Glibc

/// Rotary position embedding: which dimensions of a head turn, how fast, and how long contexts stretch it.
public struct Rotary: Hashable, Sendable {
  public var theta: Double
  /// The leading dimensions of a head that are rotated; pair i by position · theta^(-2i / dimensions).
  public var dimensions: Int
  /// The pairs that turn, from the first on, where the others stay as they are; `nil` where all turn.
  public var pairs: Int?
  /// Whether neighbours form a pair (GPT-J) rather than the two halves (GPT-NeoX, Llama).
  public var isInterleaved: Bool
  public var scaling: Scaling

  public init(
    theta: Double, dimensions: Int, pairs: Int? = nil, isInterleaved: Bool = false,
    scaling: Scaling = .none
  ) {
    self.theta = theta
    self.dimensions = dimensions
    self.pairs = pairs
    self.isInterleaved = isInterleaved
    self.scaling = scaling
  }

  /// The way frequencies change for contexts beyond those of the first training.
  public enum Scaling: Hashable, Sendable {
    case none
    case linear(factor: Double)
    case dynamic(factor: Double, original: Int)
    /// theta · alpha^(n / (n - 2)) in place of theta at every length, n being the dimensions (HunYuan).
    case stretchedBase(alpha: Double)
    case llama3(factor: Double, low: Double, high: Double, original: Int)
    case yarn(Yarn)
    case long(LongRope)
  }

  /// YaRN (arXiv 2309.00071), with DeepSeek's two magnitude factors.
  public struct Yarn: Hashable, Sendable {
    public var factor: Double
    public var original: Int
    public var betaFast: Double
    public var betaSlow: Double
    public var attentionFactor: Double?
    public var mscale: Double?
    public var mscaleAllDimensions: Double?
    /// Whether the borders between the frequencies are rounded to whole ones.
    public var truncates: Bool

    public init(
      factor: Double, original: Int, betaFast: Double = 32, betaSlow: Double = 1,
      attentionFactor: Double? = nil, mscale: Double? = nil, mscaleAllDimensions: Double? = nil,
      truncates: Bool = true
    ) {
      self.factor = factor
      self.original = original
      self.betaFast = betaFast
      self.betaSlow = betaSlow
      self.attentionFactor = attentionFactor
      self.mscale = mscale
      self.mscaleAllDimensions = mscaleAllDimensions
      self.truncates = truncates
    }

    /// 0.1 · m · ln(factor) + 1: how much stronger attention must be on a context stretched so far.
    public func magnitude(_ mscale: Double) -> Double {
      factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1
    }
  }

  /// LongRoPE (Phi-3): one factor for each frequency, short or long by the sequence's length.
  public struct LongRope: Hashable, Sendable {
    public var short: [Double]
    public var long: [Double]
    public var original: Int
    public var attentionFactor: Double?
    public var shortAttentionFactor: Double?
    public var longAttentionFactor: Double?
    /// max_position_embeddings / original where the configuration does not say.
    public var factor: Double
  }
}
