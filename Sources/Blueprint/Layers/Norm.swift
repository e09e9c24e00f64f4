import Tensors

/// A normalisation over the last axis, mostly with a learned weight and perhaps a bias.
public struct Norm: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// x / rms(x) · w
    case rms
    /// x / rms(x) · (1 + w)
    case rmsUnitOffset
    /// x / rms(x)
    case rmsWithoutWeight
    /// (x - mean(x)) / std(x) · w + b
    case layer(bias: Bool)
    /// (x - mean(x)) / std(x) · (1 + w) + b
    case layerUnitOffset
    /// (x - mean(x)) / std(x)
    case layerWithoutWeight
  }

  public var kind: Kind
  public var width: Int
  public var eps: Double
  public var name: String

  public init(_ width: Int, eps: Double, _ name: String, _ kind: Kind = .rms) {
    self.kind = kind
    self.width = width
    self.eps = eps
    self.name = name
  }

  /// What decides the norm's Megatron name.
  enum Position {
    case beforeLayer(any Layer)
    case afterLayer(any Layer)
    case place(NormPlace)
    case final
    /// A norm with a role of its own (of queries, keys, latents, a predictor).
    case role(Role)
  }

  func slots(_ position: Position) -> [Slot] {
    func role(_ kind: Role.Kind) -> Role {
      switch position {
      case .beforeLayer(let layer): .norm(layer.normBefore, kind)
      case .afterLayer(let layer): .norm(layer.normAfter, kind)
      case .place(let place): .norm(place, kind)
      case .final: .finalNorm(kind)
      case .role(let role): role
      }
    }
    var weight = Slot(role(.weight), [Part(name + ".weight", [width])])
    weight.initial = .constant(kind.initialWeight)
    return switch kind {
    case .rms, .rmsUnitOffset: [weight]
    // Megatron-Core's LayerNorm always has a bias.
    case .layer(bias: false):
      [weight, Slot(role(.bias), [], shape: [width], layout: .filled(0))]
    case .layer(bias: true), .layerUnitOffset:
      [weight, Slot(role(.bias), [Part(name + ".bias", [width])])]
    case .rmsWithoutWeight: []
    // Megatron-Core's LayerNorm always has both.
    case .layerWithoutWeight:
      [
        Slot(role(.weight), [], shape: [width], layout: .filled(1)),
        Slot(role(.bias), [], shape: [width], layout: .filled(0)),
      ]
    }
  }
}

extension Norm.Kind {
  /// A fresh weight, which is to leave the normalised numbers as they are.
  var initialWeight: Double {
    switch self {
    case .rmsUnitOffset, .layerUnitOffset: 0
    case .rms, .rmsWithoutWeight, .layer, .layerWithoutWeight: 1
    }
  }
}
