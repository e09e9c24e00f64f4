import Checkpoints
import Data
import Engine
import JSON
import Kernels
import Metrics

/// A training run: makes model, data and trainer out of settings, goes on where an earlier process stopped, and learns
/// step by step until the end, or until somebody asks it to stop.
public final class TrainingRun {
  public let settings: RunSettings
  /// What the run is, complete once it is made.
  public let description: RunDescription
  public let trainer: Trainer
  /// What the model is, and what its weights were read from; `nil` of a fresh model that is kept nowhere.
  public let folder: HuggingFaceModel?
  /// What the user should know, in sentences.
  public let notes: [String]
  /// Who is told how the run goes; add to them before it starts.
  public var writers: [any MetricsWriter]
  public internal(set) var progress: RunProgress
  /// The newest checkpoint of this process.
  public internal(set) var lastCheckpoint: String?

  public var model: Model { trainer.model }

  let data: RunData
  /// Holds the run folder for this process alone, until the run has ended.
  var checkpoints: RunCheckpoints?
  let isStopping: @Sendable () -> Bool
  /// The step that was saved or taken up last, and the validation loss of the step that was judged last.
  var savedStep: Int
  var judged: (step: Int, loss: Double)?
  /// The seconds of all processes before this one.
  let earlierSeconds: Double

  /// - Parameters:
  ///   - description: the run's name, configuration, words and folder; the rest is filled in.
  ///   - isStopping: asked after every step, from any thread; once it is true the run saves and stops.
  ///   - loaded: told of each parameter's bytes when they are there; what it throws ends the loading.
  /// - Throws: errors of the rooms that files, data and models belong to, `SavingError`, `RunningError`.
  public init(
    _ settings: RunSettings, description: RunDescription, writers: [any MetricsWriter] = [],
    isStopping: @escaping @Sendable () -> Bool = { false },
    loaded: (Int) throws -> Void = { _ in }
  ) throws {
    var description = description
    let keeps = settings.saving.folder != nil || settings.saving.load != nil
    let saved = keeps ? try SavedRun.find(settings.saving) : nil
    // Data before weights: their faults are found in seconds.
    data = try RunData(settings)
    let fresh = try Self.freshFolder(settings)
    let found = try RunModel(settings, saved: saved, fresh: fresh, loaded: loaded)
    folder = found.folder
    var learning = settings.trainer
    if let adapters = settings.adapters, adapters.dropout > 0 {
      learning.dropout = AdapterDropout(
        share: adapters.dropout, dropsInputs: adapters.dropsInputs, seed: settings.seed)
    }
    trainer = Trainer(
      found.model, settings.schedule.schedule(steps: data.scheduledSteps), settings.optimiser,
      learning)
    var notes = (found.weights?.notes ?? []) + data.notes
    var progress = RunProgress()
    let identity = data.identity
    if let saved {
      let restored = try saved.restore(into: trainer, settings.saving, identity: identity)
      progress = restored.progress
      if saved.isForeign { progress.position = data.position(after: progress.samples) }
      notes += restored.notes
    }
    progress.identity = identity
    description.firstStep = progress.step
    description.lastStep = data.steps
    (description.parameters, description.trained) = found.counts
    if let folder, settings.saving.folder != nil {
      checkpoints = try RunCheckpoints(
        settings, trainer, model: folder, weights: found.weights,
        configuration: description.configuration)
    } else {
      checkpoints = nil
    }
    self.settings = settings
    self.description = description
    self.progress = progress
    self.notes = notes
    self.writers = writers
    self.isStopping = isStopping
    savedStep = progress.step
    earlierSeconds = progress.seconds
  }

  /// Where a fresh model's configuration is kept, which a checkpoint points at.
  private static func freshFolder(_ settings: RunSettings) throws -> HuggingFaceModel? {
    guard case .fresh(let configuration) = settings.model, let folder = settings.saving.folder
    else { return nil }
    var tokenizer = settings.tokenizer
    if case .rows(let data) = settings.data { tokenizer = tokenizer ?? data.tokenizer }
    return try RunCheckpoints.freshModel(configuration, tokenizer: tokenizer, in: folder)
  }

  /// Learns until the end; once for each value of this type.
  ///
  /// Where something goes wrong, the last good state is saved first and everybody who watches is told.
  ///
  /// - Returns: `.finished` or `.stopped`.
  /// - Throws: `EngineError.notFinite` where numbers run away; what the data, the checkpoints and the writers throw.
  public func run() throws -> RunOutcome {
    defer { checkpoints = nil }
    do {
      let outcome = try learn()
      for writer in writers { try writer.finish(outcome) }
      return outcome
    } catch {
      keepLastGoodState()
      for writer in writers { try? writer.finish(.failed("\(error)")) }
      throw error
    }
  }

  /// Saves the weights as they are, unless they are saved already or no longer numbers.
  private func keepLastGoodState() {
    guard progress.step > savedStep,
      trainer.model.learned.allSatisfy({ Sums.areFinite($0.value) })
    else { return }
    try? save()
  }
}
