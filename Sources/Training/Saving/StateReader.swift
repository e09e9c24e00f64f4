import Blueprint
import Checkpoints
import Engine
import Kernels
import Tensors
import Weights

/// Reads what is trained, and what the optimiser keeps of it, out of a checkpoint into a trainer's memory.
struct StateReader {
  private let folder: String
  private let weights: MegatronModel
  /// The numbers that are trained; `nil` where the weights are all there is.
  private let master: MegatronModel?
  private let first: MegatronModel?
  private let second: MegatronModel?
  private let takesOptimiser: Bool

  /// - Throws: `SavingError.noOptimiser` where its state is wanted and is not there, or in no known layout.
  init(_ saved: SavedRun, takesOptimiser: Bool) throws {
    folder = saved.folder
    self.takesOptimiser = takesOptimiser
    weights = try MegatronModel(path: saved.folder)
    master = weights.optimiserState([StateName.master, StateName.masterOfShort])
    first = weights.optimiserState([StateName.first])
    second = weights.optimiserState([StateName.second])
    guard takesOptimiser, first == nil || second == nil else { return }
    let layout: String? =
      if case .dictionary(let content)? = try saved.run.commonState(in: saved.checkpoint)?[
        "content_metadata"]
      {
        content["distrib_optim_sharding_type"]?.string
      } else { nil }
    let hasSome = saved.checkpoint.keys.contains { $0.hasPrefix("optimizer.") }
    throw SavingError.noOptimiser(folder: folder, layout: hasSome ? layout ?? "unknown" : nil)
  }

  // MARK: Weights

  func restoreWeights(_ trainer: Trainer) throws {
    let names = MegatronNames(trainer.model.blueprint)
    for state in trainer.optimiser.states {
      guard let parameter = state.target as? Parameter else { continue }
      let placed = parameter.slot
      guard
        let value = try master?.packed(placed, names) ?? weights.packed(placed, names)
      else { throw missing(parameter.name) }
      try restore(state, value)
      guard takesOptimiser else { continue }
      guard let first = try first?.packed(placed, names),
        let second = try second?.packed(placed, names)
      else { throw missing("the optimiser's state of \(parameter.name)") }
      try state.first.read(first.runs, first.dtype)
      try state.second.read(second.runs, second.dtype)
    }
  }

  private func restore(_ state: AdamW.State, _ value: (runs: ByteRuns, dtype: DType)) throws {
    let target = state.target.value
    let wide = Matrix(target.rows, target.columns, target.numbers.accumulated)
    guard value.runs.byteCount == wide.count * value.dtype.byteWidth else {
      throw missing(state.target.name)
    }
    try wide.read(value.runs, value.dtype)
    state.setMaster(wide)
  }

  private func missing(_ what: String) -> SavingError { .missing(folder: folder, what: what) }

  // MARK: Adapters

  func restoreAdapters(_ trainer: Trainer) throws {
    let places = try PairPlaces(trainer.model)
    let names = MegatronNames(trainer.model.blueprint)
    let states = Dictionary(
      trainer.optimiser.states.map { (ObjectIdentifier($0.target), $0) },
      uniquingKeysWith: { first, _ in first })
    for layer in places.layers {
      for member in places.members[layer.module.key] ?? [] where layer.pairs[member] != nil {
        let others = names.modules(of: layer.placed).compactMap { $0.count == 1 ? $0[0] : nil }
        let spellings = ([layer.module] + others).map { module in
          PairFactors(
            places, PairedLayer(placed: layer.placed, module: module, pairs: layer.pairs), member)
        }
        for index in spellings.first?.all.indices ?? 0..<0 {
          let factors = spellings.map { $0.all[index] }
          guard let learned = factors[0].learned, let state = states[ObjectIdentifier(learned)]
          else { continue }
          try restore(state, factors, layer.slot)
        }
      }
    }
  }

  private func restore(_ state: AdamW.State, _ factors: [PairFactors.Factor], _ slot: Slot) throws {
    guard let value = try rows(master, factors, slot, state) ?? rows(weights, factors, slot, state)
    else { throw missing(state.target.name) }
    try restore(state, value)
    guard takesOptimiser else { return }
    guard let first = try rows(first, factors, slot, state),
      let second = try rows(second, factors, slot, state)
    else { throw missing("the optimiser's state of \(state.target.name)") }
    try state.first.read(first.runs, first.dtype)
    try state.second.read(second.runs, second.dtype)
  }

  /// The rows of a factor's matrix in its own order, under the first of its spellings that is there.
  private func rows(
    _ model: MegatronModel?, _ factors: [PairFactors.Factor], _ slot: Slot, _ state: AdamW.State
  ) throws -> (runs: ByteRuns, dtype: DType)? {
    guard let model else { return nil }
    for factor in factors {
      guard let stored = try model.rows(0..<factor.places.count, of: factor.pieces, slot) else {
        continue
      }
      let width = stored.dtype.byteWidth
      let (own, wide) = (factor.ownWidth * width, factor.width * width)
      let places = RowPlaces(factor.places.inverse(state.target.value.count / factor.ownWidth))
      var runs = ByteRuns()
      for (rows, place) in places.stretches(of: 0..<places.count) {
        guard let place else {
          runs.append(.zeros(rows.count * own))
          continue
        }
        let found = stored.runs.slice(place * wide..<(place + rows.count) * wide)
        runs.append(own == wide ? found : found.columns(0..<own, rowBytes: wide))
      }
      return (runs, stored.dtype)
    }
    return nil
  }
}
