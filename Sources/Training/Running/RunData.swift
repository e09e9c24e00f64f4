import Checkpoints
import Data
import JSON

/// What a run learns from and what it is judged by, and how many steps that makes.
struct RunData {
  private enum Samples {
    case items(SampleItems)
    case indexed(PretrainingData, BatchOrder.Kind)
  }

  private let training: Samples
  private let held: Samples?
  private let batch: BatchSettings
  private let epochs: Int?
  /// What the user should know of the data.
  let notes: [String]
  /// The last step of the run.
  let steps: Int
  /// The steps by which schedules count.
  let scheduledSteps: Int

  /// - Throws: `DataError`, `IndexedError`, `PackingError`, `RunningError`.
  init(_ settings: RunSettings) throws {
    var settings = settings
    epochs = settings.length.epochs
    var notes: [String] = []
    switch settings.data {
    case .rows(let data):
      let items = try Self.items(data, &notes)
      training = .items(items)
      if settings.batch.dropsLast, items.count < settings.batch.global {
        settings.batch.dropsLast = false
        notes.append(
          "there are \(items.count) samples, fewer than the \(settings.batch.global) of an update "
            + "(train.global_batch_size): every update takes all of them")
      }
      (steps, scheduledSteps) = try Self.steps(settings, items.count)
      held = try settings.validation.isWanted ? Self.held(settings.validation.data, &notes) : nil
    case .indexed(let plan, let order):
      guard let steps = settings.length.steps else { throw RunningError.endless }
      self.steps = steps
      scheduledSteps = steps
      let splits = try Self.filled(plan, settings, steps).build()
      guard let train = splits[0] else { throw RunningError.noSplit("train") }
      training = .indexed(train, order)
      if !settings.validation.isWanted {
        held = nil
      } else if let data = settings.validation.data {
        held = try Self.held(data, &notes)
      } else {
        guard let valid = splits[1] else { throw RunningError.noSplit("valid") }
        held = .indexed(valid, .single)
      }
    }
    batch = settings.batch
    self.notes = notes
  }

  private static func items(_ data: DataSettings, _ notes: inout [String]) throws -> SampleItems {
    let source = try SampleSource(data)
    let items = try SampleItems(source)
    notes += source.notes + items.notes
    return items
  }

  private static func held(_ data: DataSource?, _ notes: inout [String]) throws -> Samples? {
    switch data {
    case nil: return nil
    case .rows(let data): return .items(try items(data, &notes))
    case .indexed(let plan, _):
      let splits = try plan.build()
      guard let valid = splits[1] ?? splits[0] else { throw RunningError.noSplit("valid") }
      return .indexed(valid, .single)
    }
  }

  /// The plan with the numbers of samples that Megatron asks for (`get_train_valid_test_num_samples`).
  private static func filled(
    _ plan: PretrainingPlan, _ settings: RunSettings, _ steps: Int
  ) throws -> PretrainingPlan {
    var plan = plan
    try plan.fillEnds(settings.tokenizer)
    let batches = settings.validation.isWanted ? settings.validation.batches : 0
    let times = steps / max(1, settings.validation.every ?? steps) + 1
    plan.samples = [
      steps * settings.batch.global, batches.map { times * $0 * settings.batch.global },
      batches.map { $0 * settings.batch.global },
    ]
    return plan
  }

  /// The steps of the run, and those by which schedules count: Automodel's count only whole updates of all epochs'
  /// batches together, though each epoch ends with an update of what is left.
  private static func steps(
    _ settings: RunSettings, _ count: Int
  ) throws -> (steps: Int, scheduled: Int) {
    guard let epochs = settings.length.epochs else {
      guard let steps = settings.length.steps else { throw RunningError.endless }
      return (steps, steps)
    }
    let (global, micro) = (settings.batch.global, max(1, settings.batch.micro))
    let perEpoch =
      settings.batch.dropsLast ? count / global : (count + global - 1) / global
    let batches = settings.batch.dropsLast ? count / micro : (count + micro - 1) / micro
    let most = settings.length.steps ?? Int.max
    let scheduled = max(1, epochs * batches / max(1, global / micro))
    return (min(most, epochs * perEpoch), min(most, scheduled))
  }

  // MARK: Going through

  /// Updates to learn from, behind what a run has had.
  func updates(behind progress: RunProgress) throws -> UpdateSource {
    switch training {
    case .items(let items):
      try UpdateSource(items, batch, epochs: epochs, from: progress.position)
    case .indexed(let data, let order):
      try UpdateSource(data, order, batch, consumed: progress.samples)
    }
  }

  /// Where a run stands of which no more is known than how many samples it has had.
  func position(after samples: Int) -> DataPosition {
    guard case .items(let items) = training else { return DataPosition(index: samples) }
    let left = batch.dropsLast ? items.count % batch.global : 0
    let perEpoch = max(1, items.count - left)
    return DataPosition(epoch: samples / perEpoch, index: samples % perEpoch)
  }

  /// Whether there is something to judge by.
  var hasValidation: Bool { held != nil }

  /// The batches of held-out samples, each time the same.
  func validationUpdates() throws -> UpdateSource? {
    var batch = batch
    batch.order = .stored
    batch.dropsLast = false
    switch held {
    case nil: return nil
    case .items(let items): return try UpdateSource(items, batch, epochs: 1)
    case .indexed(let data, let order): return try UpdateSource(data, order, batch)
    }
  }

  /// What must be the same when the run goes on, to be exact.
  var identity: [RunProgress.Fact] {
    let count =
      switch training {
      case .items(let items): items.count
      case .indexed(let data, _): data.count
      }
    return [
      RunProgress.Fact("samples", .integer(count)),
      RunProgress.Fact("samples of an update", .integer(batch.global)),
      RunProgress.Fact("samples at once", .integer(batch.micro)),
    ]
  }
}

extension ValidationSettings {
  /// Whether the loss on held-out samples is ever taken.
  var isWanted: Bool { (every != nil || whenSaving) && batches != 0 }
}

extension PretrainingPlan {
  /// Finds out which token ends a document and which one fills samples up, where that makes a difference.
  ///
  /// - Throws: `RunningError.noEnd`, `DataError`.
  fileprivate mutating func fillEnds(_ path: String?) throws {
    let isAsked = ends.isMasked || ends.resetsPositions || ends.resetsAttention
    guard isAsked || !dropsLastPartialValidation else { return }
    if let path {
      let tokenizer = try FolderTokenizer(path: TokenizerPlace.find(path))
      ends.token = ends.token ?? tokenizer.end
      padding = DocumentEnds.padding(
        tokenizer.padding, others: [tokenizer.begin, tokenizer.end].compactMap(\.self))
    }
    if isAsked, ends.token == nil { throw RunningError.noEnd }
  }
}
