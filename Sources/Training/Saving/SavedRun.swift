import Checkpoints
import Engine
import JSON
import Kernels
import MegatronFormat
import Tensors
import Weights

/// A checkpoint that a run goes on with: one's own, or one that Megatron or Megatron-Bridge wrote.
///
/// A run that goes on finds it first, makes its model (of `weights` where it trains all of them), attaches fresh
/// adapters and makes its trainer as if it began, and then has everything set to what was saved.
public struct SavedRun: Sendable {
  /// The folder of the iteration.
  public let folder: String
  /// The updates that it was saved after.
  public let step: Int
  /// Whether it holds adapters alone, and no weights.
  public let holdsAdapters: Bool
  /// What this program keeps beside Megatron's files; `nil` for what another one wrote.
  let state: RunState?
  /// Whether another program wrote it, which does not say where in the data it stands.
  var isForeign: Bool { state == nil }
  let run: RunFolder
  let checkpoint: DistributedCheckpoint

  /// Finds what a run is to go on with, and sees whether all of it is there.
  ///
  /// A folder to load from that holds no checkpoint means a run that begins, as it does to Megatron-Bridge; a path
  /// that leads nowhere is an error, unless it is the run's own.
  ///
  /// - Returns: `nil` where it is to begin: `load` names nothing, and the run's own folder holds no checkpoint or
  ///   is not to be gone on with.
  /// - Throws: `SavingError.damaged`, `.noCheckpoint`; `MegatronError`.
  public static func find(_ settings: SavingSettings) throws -> SavedRun? {
    let own = settings.folder.map(Folder.absolute)
    let path: String
    if let load = settings.load {
      path = Folder.absolute(load)
      guard Folder.exists(path) || path == own else { throw SavingError.noCheckpoint(path: load) }
    } else if settings.goesOn, let own {
      path = own
    } else {
      return nil
    }
    let run: RunFolder
    do throws(MegatronError) {
      if path == own, !RunIterations(folder: path).hasAny { return nil }
      run = try RunFolder(resolving: path)
    } catch {
      if case .nothingFound = error {
        if path == own || Folder.entries(path) == [] { return nil }
        throw SavingError.noCheckpoint(path: path)
      }
      throw error
    }
    try run.requireDistributed()
    return try SavedRun(run)
  }

  /// Opens a checkpoint; one of this program's own is read whole and held against its checksums.
  private init(_ run: RunFolder) throws {
    self.run = run
    folder = Folder.real(run.folder) ?? run.folder
    let isOwn = Folder.isFile("\(run.folder)/\(RunState.name)")
    do {
      checkpoint = try DistributedCheckpoint(folder: run.weights)
      state = try RunState.read(run.folder)
      if isOwn { try checkpoint.verify() }
      let common = try run.commonState(in: checkpoint)
      step = state?.progress.step ?? run.iteration ?? common?["iteration"]?.count ?? 0
    } catch {
      guard isOwn || !(error is SavingError) else { throw error }
      throw SavingError.damaged(
        folder: run.folder, reason: Self.sentence(error), before: Self.before(run))
    }
    let weights = checkpoint.tensorKeys.filter {
      !$0.hasPrefix("optimizer.") && !$0.hasPrefix("chained_")
    }
    holdsAdapters =
      !weights.isEmpty && weights.allSatisfy { $0.split(separator: ".").contains("adapter") }
  }

  private static func sentence(_ error: any Error) -> String {
    let text = "\(error)"
    return text.hasSuffix(".") ? text : text + "."
  }

  /// The checkpoint before one that cannot be read.
  private static func before(_ run: RunFolder) -> String? {
    let iterations = RunIterations(folder: Folder.parent(Folder.real(run.folder) ?? run.folder))
    guard let own = RunFolder.step(in: run.folder) else { return nil }
    return iterations.steps.last { $0 < own }.map(iterations.path)
  }

  /// The weights to make the model of.
  ///
  /// - Parameter configuration: the Hugging Face folder of the model; where it is `nil`, the one that the
  ///   checkpoint names.
  /// - Throws: `SavingError.holdsAdapters` for a checkpoint without weights; `ConversionError`.
  public func weights(configuration: String? = nil) throws -> ModelWeights {
    guard !holdsAdapters else { throw SavingError.holdsAdapters(folder: folder) }
    return try ModelWeights(folder, configuration: configuration)
  }

  /// What was taken from a checkpoint.
  public struct Restored: Sendable {
    /// Begins anew where the settings say that only weights are taken.
    public var progress: RunProgress
    /// What was taken, and what is not as it was: sentences.
    public var notes: [String]
  }

  /// Sets the numbers that are trained, the optimiser's state and the count of updates to what was saved.
  ///
  /// What the optimiser keeps is taken bit for bit. Of a foreign checkpoint the number of samples is known and the
  /// position is not: whoever knows the data has to find it (`RunData.position`).
  ///
  /// - Parameters:
  ///   - trainer: of the same model, with adapters of the same shapes where the checkpoint has any.
  ///   - identity: what the run is made of now; differences are told in the notes.
  /// - Throws: `SavingError` where something is missing or belongs to another model.
  public func restore(
    into trainer: Trainer, _ settings: SavingSettings, identity: [RunProgress.Fact] = []
  ) throws -> Restored {
    let model = trainer.model
    guard model.hasAdapters == holdsAdapters else {
      throw SavingError.otherKind(folder: folder, holdsAdapters: holdsAdapters)
    }
    let takesOptimiser = settings.loadsOptimiser && !settings.startsCounting
    let reader = try StateReader(self, takesOptimiser: takesOptimiser)
    if holdsAdapters {
      try reader.restoreAdapters(trainer)
    } else {
      try reader.restoreWeights(trainer)
    }
    var progress = RunProgress()
    if !settings.startsCounting { progress = try self.progress() }
    if takesOptimiser { trainer.optimiser.updates = try updates() }
    return Restored(
      progress: progress,
      notes: notes(trainer, settings, progress, identity, takesOptimiser: takesOptimiser))
  }

  // MARK: What stands beside the tensors

  private func progress() throws -> RunProgress {
    if let state { return state.progress }
    var progress = RunProgress()
    progress.step = step
    if let found = try run.trainState() {
      progress.samples = found.consumedTrainSamples
      progress.validationSamples = found.consumedValidSamples
      progress.operations = Double(found.floatingPointOperations)
    }
    return progress
  }

  /// How many updates the optimiser has made: as its groups of parameters say, else as many as the run.
  private func updates() throws -> Int {
    if let state { return state.updates }
    var place = try run.commonState(in: checkpoint)?["optimizer"]
    // Several optimisers are numbered, and their own settings lie one level deeper, or not.
    for _ in 0..<3 {
      guard case .dictionary(let fields)? = place else { break }
      if case .list(let groups)? = fields["param_groups"] {
        for case .dictionary(let group) in groups.items {
          if let step = group["step"]?.count { return step }
        }
      }
      place = fields["optimizer"] ?? fields.items.first { $0.key.count == 0 }?.value
    }
    return step
  }

  private func notes(
    _ trainer: Trainer, _ settings: SavingSettings, _ progress: RunProgress,
    _ identity: [RunProgress.Fact], takesOptimiser: Bool
  ) -> [String] {
    var notes: [String] = []
    let what = holdsAdapters ? "adapters" : "weights"
    if settings.startsCounting {
      notes.append("Begins with the \(what) of \(folder); counting starts at 0.")
    } else {
      notes.append(
        "Goes on after step \(progress.step) with the \(what)"
          + (takesOptimiser ? " and the optimiser's state" : "") + " of \(folder).")
    }
    if !takesOptimiser, !settings.startsCounting {
      notes.append("The optimiser begins anew, as checkpoint.load_optim is off.")
    }
    guard let state else {
      if !settings.startsCounting {
        notes.append(
          "Another program wrote the checkpoint: the place in the data follows from the "
            + "\(progress.samples) samples it counted.")
      }
      return notes
    }
    guard !settings.startsCounting else { return notes }
    let numbers = trainer.model.numbers.rawValue
    if state.numbers != numbers {
      notes.append("It computed in \(state.numbers); this run computes in \(numbers).")
    }
    if takesOptimiser, state.isHalf != (trainer.optimiser.settings.precision == .half) {
      notes.append(
        state.isHalf
          ? "Its optimiser kept bfloat16; this run's keeps float32."
          : "Its optimiser kept float32, which this run's rounds to bfloat16.")
    }
    if state.threads != Team.size {
      notes.append(
        "It computed with \(state.threads) threads, this run with \(Team.size): sums are taken in another order, "
          + "and losses differ in their last digits.")
    }
    for fact in identity {
      guard let before = state.progress.identity.first(where: { $0.name == fact.name })?.value,
        before != fact.value
      else { continue }
      notes.append("\(fact.name) was \(before.text) and is \(fact.value.text) now.")
    }
    return notes
  }
}

extension PickleValue {
  /// A count, of whatever kind of number.
  fileprivate var count: Int? {
    switch self {
    case .integer(let value): value
    case .float(let value): Int(exactly: value)
    default: nil
    }
  }
}

extension JSON {
  fileprivate var text: String { String(decoding: serializedBytes(.compact), as: UTF8.self) }
}
