import Tensors

/// The norms of each query head and each key head.
public struct HeadNorms: Hashable, Sendable {
  /// Which numbers are normalised together, and what weights they have.
  public enum Reach: Hashable, Sendable {
    /// Each head by itself, all with the same weights [headSize].
    case head
    /// Each head by itself, with weights of its own: one tensor [heads, headSize].
    case ownHead
    /// Each head by itself, with weights of its own: a tensor `name.norms.{head}` for each.
    case listedHeads
    /// All heads of a token together: weights [heads · headSize].
    case allHeads
  }

  public var query: String
  public var key: String
  public var eps: Double
  public var kind: Norm.Kind
  public var reach: Reach
  /// Whether queries and keys turn first and are normalised then.
  public var followsRotation: Bool

  public init(
    _ query: String = "self_attn.q_norm", _ key: String = "self_attn.k_norm", eps: Double,
    _ kind: Norm.Kind = .rms, reach: Reach = .head, followsRotation: Bool = false
  ) {
    self.query = query
    self.key = key
    self.eps = eps
    self.kind = kind
    self.reach = reach
    self.followsRotation = followsRotation
  }

  /// - Parameter groups: of keys; 0 where a layer has none of its own.
  func slots(heads: Int, groups: Int, headSize: Int) -> [Slot] {
    let queries = slots(query, heads, headSize) { .queryNorm($0) }
    return groups == 0 ? queries : queries + slots(key, groups, headSize) { .keyNorm($0) }
  }

  private func slots(
    _ name: String, _ heads: Int, _ size: Int, role: (Role.Kind) -> Role
  ) -> [Slot] {
    func slot(_ kind: Role.Kind) -> Slot {
      let part = "\(name).\(kind.rawValue)"
      var slot =
        switch reach {
        case .head: Slot(role(kind), [Part(part, [size])])
        case .allHeads: Slot(role(kind), [Part(part, [heads * size])], split: .rows)
        case .ownHead: Slot(role(kind), [Part(part, [heads, size])], split: .rows)
        case .listedHeads:
          Slot(
            role(kind), (0..<heads).map { Part("\(name).norms.\($0).\(kind.rawValue)", [size]) },
            shape: [heads, size], split: .rows)
        }
      if kind == .weight { slot.initial = .constant(self.kind.initialWeight) }
      return slot
    }
    return switch kind {
    case .rmsWithoutWeight, .layerWithoutWeight: []
    case .layer(bias: true): [slot(.weight), slot(.bias)]
    case .rms, .rmsUnitOffset, .layer(bias: false), .layerUnitOffset: [slot(.weight)]
    }
  }
}
