import Blueprint
import Checkpoints
import Engine
import Kernels
import Tensors
import Weights

/// The tensors of a run that trains all weights: the model, and what the optimiser keeps of it.
///
/// The optimiser's are laid out as Megatron's distributed optimiser's are when they are `fully_reshardable`, which is
/// what Megatron-Bridge writes and loads unless told otherwise, and any Megatron-Core from 0.14 on reads. In 16-bit
/// models the same bytes stand under the key of the optimiser that is not distributed as well.
struct WeightChunks {
  private let model: Model
  /// What was the model made of, where that holds more than the engine trains.
  private let weights: ModelWeights?
  private let names: MegatronNames
  private let parameters: [String: Parameter]
  private let states: [String: AdamW.State]
  private let keepsOptimiser: Bool

  init(_ trainer: Trainer, _ weights: ModelWeights?, keepsOptimiser: Bool) {
    model = trainer.model
    self.weights = weights
    names = MegatronNames(trainer.model.blueprint)
    parameters = Dictionary(
      trainer.model.parameters.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    states = Dictionary(
      trainer.optimiser.states.map { ($0.target.name, $0) },
      uniquingKeysWith: { first, _ in first })
    self.keepsOptimiser = keepsOptimiser
  }

  /// The type of weights in the checkpoint.
  private func dtype(_ slot: Slot) -> DType { slot.isFloat32 ? .float32 : model.numbers.dtype }

  /// All chunks, in the order of the model: weights first.
  func chunks() throws -> [SavedChunk] {
    var chunks: [SavedChunk] = []
    var states: [SavedChunk] = []
    for placed in model.blueprint.slots {
      guard let source = try weightSource(placed) else { continue }
      let pieces = names.pieces(of: placed)
      var weights = pieces.flatMap {
        $0.chunks("", placed.slot.split, source, as: dtype(placed.slot))
      }
      if keepsOptimiser, !placed.slot.isConstant {
        states += self.states(placed, pieces, source, beside: &weights)
      }
      chunks += weights
    }
    return chunks + states
  }

  /// The keys of what Transformer Engine would keep of the layers.
  var extraStates: [String] {
    var seen: Set<String> = []
    return model.blueprint.slots.flatMap(names.extraStates).filter { seen.insert($0).inserted }
  }

  /// Where a slot's rows are: in the engine, in files where it is not trained, or told by the layout.
  private func weightSource(_ placed: PlacedSlot) throws -> RowSource? {
    let slot = placed.slot
    let (width, type) = (slot.rowWidth, dtype(slot))
    guard let name = slot.parts.first?.name else {
      let layout = slot.layout
      // It has no parts to ask for.
      return RowSource(type, work: .computing) {
        layout.pack(rows: $0, rowBytes: width * type.byteWidth, dtype: type) { _ in ByteRuns() }
      }
    }
    if !placed.isPredictor, let parameter = parameters[name] {
      return RowSource(parameter.value.bytes, parameter.value.numbers, width: width)
    }
    guard let weights else { return nil }
    let (runs, stored) = try weights.packed(placed, as: type)
    return RowSource(stored, work: .computing) {
      runs.slice(
        $0.lowerBound * width * stored.byteWidth..<$0.upperBound * width * stored.byteWidth)
    }
  }

  /// The optimiser's tensors of a slot; weights in float32 serve as the numbers that are trained too.
  private func states(
    _ placed: PlacedSlot, _ pieces: [MegatronPiece], _ source: RowSource,
    beside weights: inout [SavedChunk]
  ) -> [SavedChunk] {
    let (slot, width) = (placed.slot, placed.slot.rowWidth)
    // Megatron trains what the engine does not, and asks for its state.
    let state = slot.parts.first.flatMap { placed.isPredictor ? nil : states[$0.name] }
    let master = state.map { RowSource($0.masterBytes, $0.masterNumbers, width: width) } ?? source
    let first = state.map { RowSource($0.first.bytes, $0.first.numbers, width: width) }
    let second = state.map { RowSource($0.second.bytes, $0.second.numbers, width: width) }
    let isShort = model.numbers == .bfloat16
    let wide: DType = model.numbers == .float64 ? .float64 : .float32
    var chunks: [SavedChunk] = []
    if dtype(slot) == wide {
      for index in weights.indices {
        let key = weights[index].key
        weights[index].aliases = [StateName.head(StateName.master) + key]
      }
    } else {
      for piece in pieces {
        chunks += piece.chunks(StateName.head(StateName.master), slot.split, master, as: wide).map {
          var chunk = $0
          if isShort { chunk.aliases = [StateName.head(StateName.masterOfShort) + piece.key] }
          return chunk
        }
      }
    }
    for (name, source) in [(StateName.first, first), (StateName.second, second)] {
      for piece in pieces {
        chunks += piece.chunks(
          StateName.head(name), slot.split, source ?? .zeros(width: width), as: wide)
      }
    }
    return chunks
  }
}
