/// Parameter counts, from the same tree that everything else walks.
extension Blueprint {
  /// All learned numbers, each once.
  public var parameters: Int { slots.reduce(0) { $0 + $1.slot.shape.count } }

  /// The learned numbers one token meets: of routed experts only those that are chosen.
  ///
  /// The embedding counts, as in published "active parameters" figures; predictors do not.
  public var activeParameters: Int {
    let idle = blocks.flatMap(\.layers).compactMap { layer -> Int? in
      guard let experts = (layer as? Residual)?.layer as? Experts else { return nil }
      let bank = experts.slots.filter(\.split.isExpert).reduce(0) { $0 + $1.shape.count }
      return bank / experts.count * (experts.count - experts.router.perToken)
    }
    let predicted = slots.filter(\.isPredictor).reduce(0) { $0 + $1.slot.shape.count }
    return parameters - predicted - idle.reduce(0, +)
  }
}
