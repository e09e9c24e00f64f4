import Adapters
import Blueprint
import Engine
import Tensors

/// Which of a layer's adapters in Megatron a pair of the engine is.
enum PairMember: Hashable, Sendable {
  /// That of the fused matrix, or of one of the parts that Megatron's canonical adapters tell apart.
  case known(AdapterMember)
  /// One that Megatron has no class for: the pair on this tensor of the slot, under a name of our own.
  case own(Int)

  /// What stands before the names of its tensors, behind `.adapter.`.
  var prefix: String {
    switch self {
    case .known(let member): member.prefix
    case .own(let part): "isthmus_part\(part)."
    }
  }
}

/// A layer that Megatron gives adapters, and the pairs on it.
struct PairedLayer {
  let placed: PlacedSlot
  let module: MegatronModule
  var pairs: [PairMember: LowRankPair] = [:]

  var slot: Slot { placed.slot }
}

extension MegatronNames {
  /// The module that a matrix' adapter is kept under where Megatron has no module for the matrix.
  fileprivate func ownModule(of placed: PlacedSlot) -> MegatronModule? {
    pieces(of: placed).first.map { MegatronModule(key: $0.key, lead: $0.lead, expert: nil) }
  }
}

/// Where the pairs of a model stand in a Megatron checkpoint.
///
/// Layers without pairs whose keys are those of layers with some are among them: they have a place in the same tensors.
struct PairPlaces {
  private(set) var layers: [PairedLayer] = []
  /// The members that the layers of a key have, in order.
  private(set) var members: [String: [PairMember]] = [:]
  /// The greatest rank; smaller ones are filled up with zeros.
  let rank: Int
  /// The factor on all products.
  let scale: Double
  let hasMagnitudes: Bool
  private let attentions: AttentionTable

  /// - Throws: `SavingError.unequalScales` where pairs have different factors.
  init(_ model: Model) throws(SavingError) {
    attentions = AttentionTable(model.blueprint)
    let changed = model.parameters.filter { $0.change != nil }
    let pairs = changed.flatMap { $0.change?.pairs ?? [] }
    rank = pairs.reduce(1) { max($0, $1.rank) }
    scale = pairs.first?.scale ?? 1
    hasMagnitudes = pairs.contains { $0.magnitude != nil }
    if let odd = pairs.first(where: { $0.scale != scale }) {
      throw .unequalScales(pairs[0].place.parameter, scale, odd.place.parameter, odd.scale)
    }
    let byName = Dictionary(
      changed.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let names = MegatronNames(model.blueprint)
    for placed in model.blueprint.slots {
      let parameter = placed.isPredictor ? nil : placed.slot.parts.first.flatMap { byName[$0.name] }
      let known = names.module(of: placed)
      guard let module = known ?? (parameter == nil ? nil : names.ownModule(of: placed)) else {
        continue
      }
      var layer = PairedLayer(placed: placed, module: module)
      for pair in parameter?.change?.pairs ?? [] {
        let member = known == nil ? .own(0) : member(of: pair, placed.slot)
        guard layer.pairs.updateValue(pair, forKey: member) == nil else {
          throw .stackedAdapters(pair.place.parameter)
        }
      }
      layers.append(layer)
    }
    for layer in layers {
      let known = Set(members[layer.module.key] ?? []).union(layer.pairs.keys)
      if !known.isEmpty { members[layer.module.key] = Self.completed(known) }
    }
    layers.removeAll { members[$0.module.key] == nil }
  }

  /// The members of a key, with those that Megatron-Bridge cannot load a layer without: zeros change nothing.
  private static func completed(_ members: Set<PairMember>) -> [PairMember] {
    var all = members
    for group in [[AdapterMember.query, .key, .value], [.gate, .up]] {
      let wanted = Set(group.map(PairMember.known))
      if !all.isDisjoint(with: wanted) { all.formUnion(wanted) }
    }
    let known = AdapterMember.allCases.map(PairMember.known).filter(all.contains)
    return known + all.subtracting(known).sorted { $0.prefix < $1.prefix }
  }

  /// Which member's rows a pair's are.
  private func member(of pair: LowRankPair, _ slot: Slot) -> PairMember {
    let rows = slot.packedRows(pair.place.rows) ?? []
    if rows == slot.packedRows(.all) { return .known(.whole) }
    for member in AdapterMember.allCases where member != .whole && pair.magnitude == nil {
      guard !slot.split.isExpert,
        case .success(let ranges) = member.rows(of: slot, attentions[slot])
      else { continue }
      if rows == ranges.flatMap(Array.init) { return .known(member) }
    }
    if case .part(let part) = pair.place.rows { return .own(part) }
    return .own(rows.first ?? 0)
  }

  /// The packed rows of each matrix that a member has the outputs for, in its order.
  func rows(of member: PairMember, _ slot: Slot) -> [Range<Int>] {
    switch member {
    case .known(let member): (try? member.rows(of: slot, attentions[slot]).get()) ?? []
    case .own: [0..<slot.matrixRows]
    }
  }

  /// The class of Megatron-Bridge that these adapters are of; `nil` where none is.
  var kind: MegatronAdapterSettings.Kind? {
    let all = Set(members.values.joined())
    guard !all.contains(where: { if case .own = $0 { true } else { false } }) else { return nil }
    if all == [.known(.whole)] { return hasMagnitudes ? .dora : .lora }
    return hasMagnitudes ? nil : .canonical
  }
}
