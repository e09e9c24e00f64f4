import Glibc
import Tensors

/// What a learned tensor holds before training, in Hugging Face's values: Megatron-Core's rules.
public enum InitialValues: Hashable, Sendable {
  /// Normal numbers with the model's deviation.
  case normal
  /// The same, of a matrix whose output is added to the stream: with a smaller deviation where those are
  /// scaled by the depth.
  case output
  case constant(Double)
  /// Evenly between ± so much.
  case uniform(Double)
  /// The logarithms of numbers evenly between two.
  case logarithms(from: Double, to: Double)
  /// Numbers whose softplus is e^u with u evenly between the logarithms of two.
  case steps(from: Double, to: Double)

  /// What a tensor holds by its role.
  init(_ role: Role, _ shape: Shape) {
    switch role {
    case .attentionOutput(.weight), .fc2(.weight), .expertFC2(.weight), .sharedFC2(.weight),
      .latentUp, .mixer(_, .output(.weight)):
      self = .output
    case .mixer(_, .convolution(.weight)):
      // PyTorch's own for a convolution: ± 1 / √inputs.
      let inputs = shape.dimensions.dropFirst().reduce(1, *)
      self = .uniform(1 / Double(max(1, inputs)).squareRoot())
    case .mixer(_, .decay): self = .logarithms(from: 1, to: 16)
    case .mixer(.mamba, .stepBias): self = .steps(from: 0.001, to: 0.1)
    case .mixer(_, .stepBias), .mixer(_, .skip), .mixer(_, .norm): self = .constant(1)
    case .norm(_, .weight), .finalNorm(.weight), .queryNorm(.weight), .keyNorm(.weight),
      .queryLatentNorm, .keyValueLatentNorm, .layerInput(.norm), .indexer(.keyNormWeight),
      .predictorEmbeddingNorm, .predictorHiddenNorm, .predictorFinalNorm, .layerScalar,
      .routerScale:
      self = .constant(1)
    case .activation(let number): self = .constant(number.initial)
    case .routerCorrection, .indexer(.keyNormBias): self = .constant(0)
    case .router: self = .normal
    default: self = role.isBias ? .constant(0) : .normal
    }
  }
}

extension Role {
  /// Whether it is what a layer adds to its output.
  fileprivate var isBias: Bool {
    switch self {
    case .outputLayer(.bias), .finalNorm(.bias), .norm(_, .bias), .queryKeyValue(.bias),
      .queryNorm(.bias), .keyNorm(.bias), .attentionOutput(.bias), .fc1(.bias), .fc2(.bias),
      .router(.bias), .expertFC1(.bias), .expertFC2(.bias), .sharedFC1(.bias), .sharedFC2(.bias),
      .mixer(_, .input(.bias)), .mixer(_, .convolution(.bias)), .mixer(_, .output(.bias)):
      true
    default: false
    }
  }
}

extension Role.ActivationNumber {
  /// As the activation's paper and Hugging Face's code begin (xIELU, arXiv 2411.13010): α⁺ = 0.8 and
  /// α⁻ = 0.8 behind their softplus, to the second of which β is added.
  fileprivate var initial: Double {
    switch self {
    case .alphaPositive: log(expm1(0.8))
    case .alphaNegative: log(expm1(0.8 - 0.5))
    case .beta: 0.5
    case .epsilon: -1e-6
    }
  }
}

extension Blueprint {
  /// The deviation of fresh matrices whose output is added to the stream, where it is scaled by the
  /// depth: every layer of a transformer adds twice, every one of a hybrid stack once.
  public var scaledDeviation: Double {
    let additions = isHybrid && !hasMambaBeside ? stackDepth : 2 * stackDepth
    return frame.initialDeviation / Double(max(1, additions)).squareRoot()
  }
}
