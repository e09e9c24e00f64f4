import Tensors

/// LFM2's gated short convolution in attention's place: out(C · convolution(B · x)).
///
/// The input projection's rows are [B; C; x]. The convolution is causal, goes over each channel by
/// itself, and no activation follows.
public struct ShortConvolution: Layer {
  public var width: Int
  /// The convolution's length.
  public var kernel: Int
  /// Of the convolution and both projections.
  public var hasBias: Bool
  public var prefix: String
  /// The convolution's own name below the prefix.
  public var convolution: String

  public init(
    _ width: Int, kernel: Int, bias: Bool = false, prefix: String = "conv",
    convolution: String = "conv"
  ) {
    self.width = width
    self.kernel = kernel
    hasBias = bias
    self.prefix = prefix
    self.convolution = convolution
  }

  public var normBefore: NormPlace { .beforeInputProjection }
  public var normAfter: NormPlace { .afterAttention }

  public var slots: [Slot] {
    let projected = ["B", "C", "x"].map { Fragment($0, width) }
    func slot(
      _ part: Role.MixerPart, _ name: String, _ shape: Shape, _ split: Split = .rows,
      _ fragments: [Fragment] = []
    ) -> Slot {
      Slot(
        .mixer(.convolution, part), [Part("\(prefix).\(name)", shape)], split: split,
        fragments: fragments)
    }
    let weights = [
      slot(.input(.weight), "in_proj.weight", [3 * width, width], .rows, projected),
      slot(.convolution(.weight), convolution + ".weight", [width, 1, kernel]),
      slot(.output(.weight), "out_proj.weight", [width, width], .columns),
    ]
    guard hasBias else { return weights }
    let biases = [
      slot(.input(.bias), "in_proj.bias", [3 * width], .rows, projected),
      slot(.convolution(.bias), convolution + ".bias", [width]),
      slot(.output(.bias), "out_proj.bias", [width], .replicated),
    ]
    return zip(weights, biases).flatMap { [$0, $1] }
  }
}
