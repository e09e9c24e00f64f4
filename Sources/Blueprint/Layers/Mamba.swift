import Tensors

/// Mamba-2: a gated state-space layer (arXiv 2405.21060).
///
/// The input projection's rows are [gate z; x; B; C; step dt]; a causal convolution and SiLU go over
/// the channels [x; B; C]. With dt = softplus(dt + bias) inside its bounds and A = −exp(decay), a
/// head's state is S ← exp(dt · A) · S + dt · x ⊗ B, its output y = S · C + skip · x.
public struct Mamba: Layer {
  public var width: Int
  public var heads: Int
  public var headSize: Int
  /// B and C are shared by heads / groups heads.
  public var groups: Int
  public var state: Int
  /// The convolution's length.
  public var kernel: Int
  /// Positions that are computed at once; no change of the result.
  public var chunk: Int
  public var hasConvolutionBias: Bool
  public var hasInputBias = false
  public var hasOutputBias = false
  public var gating = Gating.thenNorm
  /// The factors on the input projection's rows, its bias included.
  public var scales = Scales()
  /// Of the norm inside.
  public var eps: Double
  /// The bounds of the softplus-ed step.
  public var stepLimit: (low: Double, high: Double)
  public var prefix: String

  /// How the gate z and the norm follow the scan's output y; the norm takes the heads of each group
  /// by themselves, heads · headSize / groups numbers together.
  public enum Gating: Hashable, Sendable {
    /// rms(y · silu(z)) · w
    case thenNorm
    /// rms(y) · w · silu(z)
    case afterNorm
    /// y · silu(z)
    case withoutNorm
  }

  /// A factor on each kind of the input projection's rows.
  public struct Scales: Hashable, Sendable {
    public var gate = 1.0
    public var x = 1.0
    public var b = 1.0
    public var c = 1.0
    public var step = 1.0

    public init() {}

    /// In the order of the rows.
    public var list: [Double] { [gate, x, b, c, step] }
  }

  public init(
    _ width: Int, heads: Int, headSize: Int, groups: Int, state: Int, kernel: Int, chunk: Int,
    convolutionBias: Bool, eps: Double, stepLimit: (low: Double, high: Double),
    prefix: String = "mixer"
  ) {
    self.width = width
    self.heads = heads
    self.headSize = headSize
    self.groups = groups
    self.state = state
    self.kernel = kernel
    self.chunk = chunk
    hasConvolutionBias = convolutionBias
    self.eps = eps
    self.stepLimit = stepLimit
    self.prefix = prefix
  }

  public var inner: Int { heads * headSize }
  public var normBefore: NormPlace { .beforeMamba }

  public var slots: [Slot] {
    let shared = groups * state
    let convolved = [Fragment("x", inner), Fragment("B", shared), Fragment("C", shared)]
    let projected = [Fragment("z", inner)] + convolved + [Fragment("dt", heads)]
    let channels = inner + 2 * shared
    let rows = inner + channels + heads
    func slot(
      _ part: Role.MixerPart, _ name: String, _ shape: Shape, _ split: Split = .rows,
      _ fragments: [Fragment] = []
    ) -> Slot {
      Slot(
        .mixer(.mamba, part), [Part("\(prefix).\(name)", shape)], split: split,
        fragments: fragments)
    }
    var slots = [slot(.input(.weight), "in_proj.weight", [rows, width], .rows, projected)]
    if hasInputBias {
      slots.append(slot(.input(.bias), "in_proj.bias", [rows], .rows, projected))
    }
    slots.append(
      slot(
        .convolution(.weight), "conv1d.weight", [channels, 1, kernel], .rows, convolved))
    if hasConvolutionBias {
      var bias = slot(.convolution(.bias), "conv1d.bias", [channels], .rows, convolved)
      bias.initial = .uniform(1 / Double(kernel).squareRoot())
      slots.append(bias)
    }
    slots += [
      slot(.decay, "A_log", [heads]), slot(.skip, "D", [heads]),
      slot(.stepBias, "dt_bias", [heads]),
    ]
    if gating != .withoutNorm { slots.append(slot(.norm, "norm.weight", [inner])) }
    slots.append(slot(.output(.weight), "out_proj.weight", [width, inner], .columns))
    if hasOutputBias {
      slots.append(slot(.output(.bias), "out_proj.bias", [width], .replicated))
    }
    return slots
  }
}
