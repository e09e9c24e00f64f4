import Data
import Engine
import Glibc
import Metrics

/// The steps of a run, and what is done between them.
extension TrainingRun {
  func learn() throws -> RunOutcome {
    let start = ContinuousClock.now
    guard progress.step < data.steps else { return .finished }
    let updates = UpdatesAhead(try data.updates(behind: progress))
    var outcome = RunOutcome.finished
    while progress.step < data.steps {
      if isStopping() {
        outcome = .stopped
        break
      }
      let began = ContinuousClock.now
      guard let update = try updates.next() else { break }
      try step(update, since: began)
      progress.seconds = earlierSeconds + Self.seconds(since: start)
      try judgeIfDue()
      let isEpochOver = settings.saving.atEpochs && update.endsEpoch
      // The last one is saved by the end, which knows that it is the last.
      let isLeft = settings.saving.atEnd && progress.step == data.steps
      if !isLeft, isEpochOver || isDue(settings.saving.every) { try save() }
      if try isPausing(since: start) {
        outcome = .stopped
        break
      }
    }
    try end(outcome == .stopped)
    return outcome
  }

  /// One update, and the record of it.
  private func step(_ update: Update, since began: ContinuousClock.Instant) throws {
    let decay = trainer.schedule.weightDecay(at: trainer.optimiser.updates)
    let report = try trainer.step(update.batches)
    progress.step += 1
    progress.position = update.position
    progress.samples += update.samples
    progress.tokens += report.tokens
    var record = StepRecord()
    record.step = progress.step
    record.epoch = progress.epoch
    record.loss = report.loss
    record.auxiliaryLoss = report.auxiliaryLoss
    record.gradientNorm = report.gradientNorm
    record.rate = report.rate
    record.weightDecay = decay
    record.samples = update.samples
    record.tokens = report.tokens
    record.labels = report.trained
    record.allTokens = progress.tokens
    record.allSamples = progress.samples
    record.seconds = Self.seconds(since: began)
    record.memory = Self.peakMemory
    record.time = Self.now
    for writer in writers { try writer.record(record) }
  }

  private func isDue(_ every: Int?) -> Bool {
    every.map { progress.step.isMultiple(of: max(1, $0)) } ?? false
  }

  /// Whether this process is to end here, with the rest to come.
  private func isPausing(since start: ContinuousClock.Instant) throws -> Bool {
    guard progress.step < data.steps else { return false }
    if isDue(settings.length.pauseEvery) { return true }
    return settings.length.minutes.map { Self.seconds(since: start) >= 60 * $0 } ?? false
  }

  // MARK: Judging

  private func judgeIfDue() throws {
    if isDue(settings.validation.every) { try judge() }
  }

  /// Takes the loss on held-out samples, once for each step.
  private func judge() throws {
    guard judged?.step != progress.step, var updates = try data.validationUpdates() else { return }
    let start = ContinuousClock.now
    var loss = LossFigures()
    var samples = 0
    for _ in 0..<(settings.validation.batches ?? Int.max) {
      guard let update = try updates.next() else { break }
      for batch in update.batches { try loss.add(batch, by: model) }
      samples += update.samples
    }
    progress.validationSamples += samples
    judged = (progress.step, loss.loss)
    if progress.best.map({ loss.loss < $0.loss }) ?? true, loss.loss.isFinite {
      progress.best = .init(step: progress.step, loss: loss.loss)
    }
    var record = ValidationRecord()
    record.step = progress.step
    record.epoch = progress.epoch
    record.loss = loss.loss
    record.labels = loss.labels
    record.rate = trainer.schedule.rate(at: max(0, trainer.optimiser.updates - 1))
    record.memory = Self.peakMemory
    record.seconds = Self.seconds(since: start)
    record.time = Self.now
    for writer in writers { try writer.record(record) }
  }

  // MARK: Saving

  /// Saves the run as it is, unless that is done already.
  func save(isLast: Bool = false) throws {
    let exports = isLast && settings.saving.huggingFace == .atEnd
    guard let checkpoints, progress.step > savedStep || exports else { return }
    if settings.validation.whenSaving { try judge() }
    let loss = judged.flatMap { $0.step == progress.step ? $0.loss : nil }
    lastCheckpoint = try checkpoints.save(progress, validationLoss: loss, isLast: isLast)
    savedStep = progress.step
  }

  /// What is done when the last step of this process is made.
  private func end(_ isStopped: Bool) throws {
    if isStopped { return try save() }
    if settings.validation.isWanted, progress.step > 0 { try judge() }
    if settings.saving.atEnd { try save(isLast: true) }
  }

  // MARK: Measuring

  private static func seconds(since start: ContinuousClock.Instant) -> Double {
    let (whole, rest) = (ContinuousClock.now - start).components
    return Double(whole) + Double(rest) * 1e-18
  }

  /// Seconds since 1970.
  private static var now: Double {
    var moment = timespec()
    clock_gettime(CLOCK_REALTIME, &moment)
    return Double(moment.tv_sec) + Double(moment.tv_nsec) * 1e-9
  }

  /// The most memory the process held so far, in bytes.
  private static var peakMemory: Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }
}
