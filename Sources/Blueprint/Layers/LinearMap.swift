import Tensors

/// One matrix where other blocks have attention or a feed-forward layer: W · x.
public struct LinearMap: Layer {
  /// What the matrix stands for.
  public enum Place: Sendable {
    case attention
    case mlp
  }

  public var width: Int
  public var place: Place
  public var name: String

  public init(_ width: Int, _ place: Place, _ name: String) {
    self.width = width
    self.place = place
    self.name = name
  }

  public var normBefore: NormPlace {
    place == .attention ? .beforeAttentionMap : .beforeMLPMap
  }

  public var slots: [Slot] {
    [
      Slot(
        place == .attention ? .attentionMap : .mlpMap, [Part(name + ".weight", [width, width])],
        split: .rows)
    ]
  }
}
