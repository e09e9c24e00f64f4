/// The byte objects that stand beside the tensors: Transformer Engine's per-module state.
extension MegatronNames {
  /// The keys of the extra-state objects of a slot's module, one for each stacked layer and expert.
  ///
  /// Without FP8 they are empty, but Megatron asks for every one when it resumes training
  /// (FORMATS.md B.9). Embeddings, routers and the bare parameters of a Mamba mixer have none.
  public func extraStates(of placed: PlacedSlot) -> [String] {
    guard hasExtraState(placed.slot.role) else { return [] }
    let prefix = prefixes(placed.section, dialect)[0]
    let parameter = prefix.key + modules(placed.slot.role, placed.section, dialect)[0]
    guard let dot = parameter.utf8.lastIndex(of: UInt8(ascii: ".")) else { return [] }
    let module = parameter[..<dot] + "._extra_state/shard_"
    let lead = prefix.lead.map(\.index)
    let counts = prefix.lead.map(\.count)
    func key(_ indices: [Int], _ counts: [Int]) -> String {
      // A module that is not repeated counts as one of one.
      let (indices, counts) = indices.isEmpty ? ([0], [1]) : (indices, counts)
      return module + indices.map(String.init).joined(separator: ".") + "_"
        + counts.map(String.init).joined(separator: ".")
    }
    guard placed.slot.split.isExpert else {
      var keys = [key(lead, counts)]
      if case .predictorBlock(_, nil) = placed.section,
        placed.slot.role == .attentionOutput(.weight)
      {
        // Megatron-Core 0.16 collects predictors' states in a way that does not pass over this one.
        keys.append(prefix.key + "self_attention.core_attention._extra_state/shard_0_1")
      }
      return keys
    }
    let experts = placed.slot.shape[0]
    return (0..<experts).map { key(lead + [$0], counts + [experts]) }
  }

  private func hasExtraState(_ role: Role) -> Bool {
    switch role {
    case .wordEmbeddings, .positionEmbeddings, .layerInput(.table), .layerScalar, .router,
      .routerCorrection, .routerScale, .sharedGate,
      .activation, .mixer(_, .convolution), .mixer(_, .decay), .mixer(_, .skip),
      .mixer(_, .stepBias), .mixer(.mamba, .norm):
      false
    // GPT models drop it, hybrid ones keep it (FORMATS.md B.8).
    case .outputLayer: isHybrid
    default: true
    }
  }
}
