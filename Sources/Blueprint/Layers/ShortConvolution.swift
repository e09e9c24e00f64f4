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
    func part(_ name: String, _ shape: Shape) -> [Part] { [Part("\(prefix).\(name)", shape)] }
    var slots = [
      Slot(
        .mixer(.convolution, .input(.weight)), part("in_proj.weight", [3 * width, width]), split: .rows,
        fragments: projected)
    ]
    if hasBias {
      slots.append(
        Slot(
          .mixer(.convolution, .input(.bias)), part("in_proj.bias", [3 * width]), split: .rows,
          fragments: projected))
    }
    slots.append(
      Slot(
        .mixer(.convolution, .convolution(.weight)), part(convolution + ".weight", [width, 1, kernel]), split: .rows))
    if hasBias {
      slots.append(Slot(.mixer(.convolution, .convolution(.bias)), part(convolution + ".bias", [width]), split: .rows))
    }
    slots.append(
      Slot(.mixer(.convolution, .output(.weight)), part("out_proj.weight", [width, width]), split: .columns))
    if hasBias { slots.append(Slot(.mixer(.convolution, .output(.bias)), part("out_proj.bias", [width]))) }
    return slots
  }
}
