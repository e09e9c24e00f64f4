import Tensors

/// Mamba-2: a gated state-space layer (arXiv 2405.21060).
///
/// The input projection's rows are [gate z; x; B; C; step dt], the convolution's [x; B; C].
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
  public var eps: Double
  /// The bounds of the softplus-ed step.
  public var stepLimit: (low: Double, high: Double)
  public var prefix: String

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
    func slot(
      _ role: Role, _ name: String, _ shape: Shape, _ split: Split = .rows,
      _ fragments: [Fragment] = []
    ) -> Slot {
      Slot(role, [Part("\(prefix).\(name)", shape)], split: split, fragments: fragments)
    }
    var slots = [
      slot(.mambaIn, "in_proj.weight", [inner + channels + heads, width], .rows, projected),
      slot(
        .mambaConvolution(.weight), "conv1d.weight", [channels, 1, kernel], .rows, convolved),
    ]
    if hasConvolutionBias {
      slots.append(
        slot(.mambaConvolution(.bias), "conv1d.bias", [channels], .rows, convolved))
    }
    return slots + [
      slot(.mambaDecay, "A_log", [heads]), slot(.mambaSkip, "D", [heads]),
      slot(.mambaStepBias, "dt_bias", [heads]), slot(.mambaNorm, "norm.weight", [inner]),
      slot(.mambaOut, "out_proj.weight", [width, inner], .columns),
    ]
  }
}
