import Adapters
import Architectures
import Blueprint
import Checkpoints
import Engine
import JSON
import Kernels
import Weights

/// The model of a run, with its adapters on, and where it comes from.
struct RunModel {
  let model: Model
  /// Says what the model is: configuration, tokenizer, other files; `nil` of a fresh one that has no folder.
  let folder: HuggingFaceModel?
  /// What the weights were read from; `nil` of a fresh model.
  let weights: ModelWeights?

  /// - Parameters:
  ///   - saved: what the run goes on with.
  ///   - fresh: the folder of a fresh model's configuration.
  ///   - loaded: told of each parameter's bytes when they are there.
  /// - Throws: `ConversionError`, `ConfigError`, `SavingError`, `RunningError`, and what `loaded` throws.
  init(
    _ settings: RunSettings, saved: SavedRun?, fresh: HuggingFaceModel?,
    loaded: (Int) throws -> Void
  ) throws {
    let whole = saved.flatMap { $0.holdsAdapters ? nil : $0 }
    switch settings.model {
    case .weights(let reference, let revision, let configuration):
      let found: ModelWeights
      if let whole, settings.adapters == nil {
        // The weights of the beginning would be replaced, and need not be read.
        found = try whole.weights(
          configuration: configuration ?? Self.folder(reference, revision: revision))
      } else {
        found = try ModelWeights(reference, revision: revision, configuration: configuration)
      }
      model = try Self.model(found, settings, loaded)
      folder = found.model
      weights = found
    case .fresh(let configuration):
      if let whole {
        let found = try whole.weights(configuration: fresh?.folder)
        model = try Self.model(found, settings, loaded)
        folder = found.model
        weights = found
      } else {
        let blueprint = try fresh?.blueprint ?? Registry.blueprint(configuration).blueprint
        model = try Model(blueprint, settings.numbers, seed: settings.seed, scalesOutputs: true)
        folder = fresh
        weights = nil
      }
    }
    model.recomputes = settings.recomputes
    if let adapters = settings.adapters { try attach(adapters, seed: settings.seed) }
  }

  private static func model(
    _ weights: ModelWeights, _ settings: RunSettings, _ loaded: (Int) throws -> Void
  ) throws -> Model {
    try Model(
      weights, settings.numbers, isFrozen: { _ in settings.adapters != nil }, loaded: loaded)
  }

  /// The folder that a reference to a Hugging Face model means; `nil` for a Megatron checkpoint.
  private static func folder(_ reference: String, revision: String?) throws -> String? {
    guard
      case .huggingFace(let folder) = try StoredThing(
        reference, revision: revision, need: .withoutWeights)
    else {
      return nil
    }
    return folder
  }

  private func attach(_ adapters: AdapterSettings, seed: UInt64) throws {
    guard let initial = adapters.initial else {
      return try model.attach(adapters.pairs(on: model), seed: seed)
    }
    guard let folder else { throw RunningError.adapterOfFresh(initial) }
    try model.attach(Adapter(reading: AdapterReference(initial).place(), for: folder))
  }

  /// All parameters, adapters' included, and those of them that are trained.
  var counts: (all: Int, trained: Int) {
    let trained = model.learned.reduce(0) { $0 + $1.value.count }
    let frozen = model.parameters.reduce(0) { $0 + ($1.isTrained ? 0 : $1.value.count) }
    return (trained + frozen, trained)
  }
}
