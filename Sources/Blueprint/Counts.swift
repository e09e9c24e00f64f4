/// Parameter counts, from the same tree that everything else walks.
extension Blueprint {
  /// Whether all counts of numbers and bytes fit an `Int`, with room to spare.
  public var isCountable: Bool {
    // First of all: are there few enough experts to list their tensors at all?
    let experts = blocks.flatMap(\.leaves).reduce(0) { $0 + (($1 as? Experts)?.count ?? 0) }
    guard experts <= 1 << 17 else { return false }
    var total = 0
    for placed in slots {
      guard let count = placed.slot.shape.checkedCount else { return false }
      let (sum, overflow) = total.addingReportingOverflow(count)
      if overflow || sum > 1 << 56 { return false }
      total = sum
    }
    return true
  }

  /// All learned numbers, each once.
  public var parameters: Int { slots.reduce(0) { $0 + $1.slot.shape.count } }

  /// The learned numbers one token meets: of routed experts only those that are chosen.
  ///
  /// The embedding counts, as in published "active parameters" figures; predictors do not.
  public var activeParameters: Int {
    let idle = blocks.flatMap(\.leaves).compactMap { layer -> Int? in
      guard let experts = layer as? Experts else { return nil }
      let bank = experts.slots.filter(\.split.isExpert).reduce(0) { $0 + $1.shape.count }
      return bank / experts.count * (experts.count - experts.router.perToken)
    }
    let predicted = slots.filter(\.isPredictor).reduce(0) { $0 + $1.slot.shape.count }
    return parameters - predicted - idle.reduce(0, +)
  }
}
