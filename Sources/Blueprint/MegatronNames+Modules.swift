import Tensors

/// The linear layer that a slot is the weight of, as a Megatron checkpoint names it.
///
/// The keys of an adapter begin with it: `decoder.layers.self_attention.linear_qkv.adapter.…`.
public struct MegatronModule: Hashable, Sendable {
  public var key: String
  public var lead: [MegatronPiece.Axis]
  /// The expert it belongs to; `nil` where it is none's, or that of all.
  public var expert: Int?

  public init(key: String, lead: [MegatronPiece.Axis], expert: Int?) {
    self.key = key
    self.lead = lead
    self.expert = expert
  }
}

extension MegatronNames {
  /// The layer a slot's adapter is written under: all experts' under one key.
  public func module(of placed: PlacedSlot) -> MegatronModule? { modules(of: placed).first?.first }

  /// Every spelling of the layer a slot is the weight of, the likeliest first; none where it is no weight
  /// of a linear layer.
  ///
  /// A spelling has one module, or one for each expert.
  public func modules(of placed: PlacedSlot) -> [[MegatronModule]] {
    let slot = placed.slot
    guard slot.isLinear else { return [] }
    var spellings: [[MegatronModule]] = []
    for stacksLayers in [stacksLayers, !stacksLayers] {
      for experts in slot.split.isExpert ? ExpertKeys.allCases : [.stacked] {
        var dialect = Dialect(stacksLayers: stacksLayers)
        dialect.experts = experts
        for prefix in prefixes(placed.section, dialect) {
          for parameter in modules(slot.role, placed.section, dialect) {
            let modules = named(prefix.key + parameter, experts, slot).map { key, expert in
              MegatronModule(key: key, lead: prefix.lead, expert: expert)
            }
            if !modules.isEmpty, !spellings.contains(modules) { spellings.append(modules) }
          }
        }
      }
    }
    return spellings
  }

  /// The module of a weight's key, or that of each expert.
  private func named(
    _ key: String, _ experts: ExpertKeys, _ slot: Slot
  ) -> [(key: String, expert: Int?)] {
    func module(_ key: String) -> String? {
      let parts = key.split(separator: ".")
      guard parts.count > 1, parts.last?.hasPrefix("weight") ?? false else { return nil }
      return parts.dropLast().joined(separator: ".")
    }
    switch slot.split.isExpert ? experts : .stacked {
    case .stacked: return module(key).map { [($0, nil)] } ?? []
    // Its experts' weights are parameters of one module.
    case .numbered: return module(key.naming(expert: 0, experts)).map { [($0, nil)] } ?? []
    case .listed, .local:
      return (0..<slot.shape[0]).compactMap { expert in
        module(key.naming(expert: expert, experts)).map { ($0, expert) }
      }
    }
  }
}

extension Slot {
  /// Whether it is what a linear layer multiplies with: a matrix, or one for each expert.
  public var isLinear: Bool {
    guard !parts.isEmpty, shape.rank == (split.isExpert ? 3 : 2) else { return false }
    return switch role {
    case .wordEmbeddings, .positionEmbeddings, .queryNorm, .keyNorm: false
    default: true
    }
  }
}

extension MegatronModule {
  /// The keys of one tensor of the layer's adapter, as Megatron-Bridge writes them.
  ///
  /// - Parameters:
  ///   - name: what stands behind `.adapter.`.
  ///   - shape: behind the axis for layers; a bank's has one for experts in front.
  ///   - slot: the layer's weight, where the tensor's rows are the layer's; they are kept apart as its.
  public func pieces(_ name: String, shape: Shape, rowsOf slot: Slot? = nil, isBank: Bool = false)
    -> [MegatronPiece]
  {
    let rows = isBank ? shape[0] * shape[1] : shape[0]
    var piece = MegatronPiece(
      key: "\(key).adapter.\(name)", lead: lead, rows: 0..<rows, shape: shape,
      fragments: slot?.fragments ?? [])
    piece.isBank = isBank
    guard let slot, slot.fragments.count > 1 else { return [piece] }
    switch slot.role {
    // Only the adapter of a Mamba layer follows its weight in this; of any other layer with more than a
    // gate the rows are one.
    case .mixer(.mamba, .input): return piece.split(".")
    case .fc1, .sharedFC1, .expertFC1: return [piece]
    default:
      piece.fragments = []
      return [piece]
    }
  }
}

extension MegatronModule {
  /// The key of what Transformer Engine keeps of a linear layer of the layer's adapter.
  ///
  /// - Parameter name: what stands behind `.adapter.`.
  public func extraState(_ name: String) -> String {
    let (indices, counts) = lead.isEmpty ? ([0], [1]) : (lead.map(\.index), lead.map(\.count))
    return "\(key).adapter.\(name)._extra_state/shard_"
      + indices.map(String.init).joined(separator: ".") + "_"
      + counts.map(String.init).joined(separator: ".")
  }
}
