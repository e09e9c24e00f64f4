/// Parameter counts, from the same tree that everything else walks.
public struct Counts: Hashable, Sendable {
  /// All learned numbers, each once.
  public var parameters = 0
  /// The learned numbers one token meets: of routed experts only those that are chosen.
  ///
  /// The embedding counts, as in published "active parameters" figures; predictors do not.
  public var active = 0
  /// The part of `parameters` that belongs to predictors.
  public var predictors = 0
}

extension Blueprint {
  /// Whether all counts of numbers and bytes fit an `Int`, with room to spare.
  public var isCountable: Bool {
    // First of all: are there few enough experts to list their tensors at all?
    let experts = blocks.flatMap(\.leaves).reduce(0) { $0 + (($1 as? Experts)?.count ?? 0) }
    guard experts <= 1 << 17 else { return false }
    var total = 0
    for slot in blocks.flatMap(\.slots) + surroundingSlots.map(\.slot) {
      guard let count = slot.shape.checkedCount else { return false }
      let (sum, overflow) = total.addingReportingOverflow(count)
      if overflow || sum > 1 << 56 { return false }
      total = sum
    }
    return true
  }

  /// Counts everything in one walk.
  public var counts: Counts {
    var counts = Counts()
    for layer in blocks.flatMap(\.layers) {
      let slots = layer.slots
      let size = slots.reduce(0) { $0 + $1.parameters }
      counts.parameters += size
      counts.active += size
      if let experts = layer.leaves.lazy.compactMap({ $0 as? Experts }).first {
        let bank = slots.reduce(0) { $0 + ($1.split.isExpert ? $1.parameters : 0) }
        counts.active -= bank / experts.count * (experts.count - experts.router.perToken)
      }
    }
    for placed in surroundingSlots {
      let size = placed.slot.parameters
      counts.parameters += size
      if placed.isPredictor { counts.predictors += size } else { counts.active += size }
    }
    return counts
  }

  /// All learned numbers, each once.
  public var parameters: Int { counts.parameters }

  /// The learned numbers one token meets.
  public var activeParameters: Int { counts.active }
}
