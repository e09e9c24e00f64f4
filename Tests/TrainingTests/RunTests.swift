import Data
import Engine
import Foundation
import Kernels
import Metrics
import Support
import Synchronization
import Testing

@testable import Training

@Suite struct RunTests {
  @Test("a run learns: the loss of 24 sentences falls far below that of guessing")
  func learns() throws {
    let (run, told) = try SmallRun.run(SmallRun.settings(steps: 60))
    #expect(told.steps.map(\.step) == Array(1...60))
    // Guessing among 64 tokens, then among the 24 that occur, is beaten only by learning sentences by heart.
    #expect(abs(told.losses[0] - log(64.0)) < 0.3)
    #expect(try #require(told.losses.last) < log(24.0) - 0.5)
    #expect(told.outcome == .finished)
    #expect(told.steps.allSatisfy { $0.gradientNorm > 0 && $0.labels > 0 && $0.seconds > 0 })
    #expect(run.progress.samples == 240)
    #expect(told.steps.last?.allTokens == told.steps.reduce(0) { $0 + $1.tokens })
  }

  @Test("the same seed gives the same losses, bit for bit, and another one others")
  func isReproducible() throws {
    var settings = try SmallRun.settings()
    settings.batch.order = .torch(seed: 5)
    let first = try SmallRun.run(settings).told.losses
    #expect(try SmallRun.run(settings).told.losses == first)
    settings.seed = 7
    #expect(try SmallRun.run(settings).told.losses != first)
  }

  @Test("updates of 1 x 4 samples and of 4 x 1 are the same but for rounding")
  func accumulation() throws {
    var settings = try SmallRun.settings()
    settings.batch.micro = 4
    let together = try SmallRun.run(settings).told.losses
    settings.batch.micro = 1
    let apart = try SmallRun.run(settings).told.losses
    settings.batch.micro = 3
    let uneven = try SmallRun.run(settings).told.losses
    for (index, loss) in together.enumerated() {
      #expect(abs(loss - apart[index]) < 2e-5)
      #expect(abs(loss - uneven[index]) < 2e-5)
    }
  }

  @Test("packs have the losses of the samples in them", arguments: [PackingMethod.sequential])
  func packs(_ method: PackingMethod) throws {
    var data = SmallRun.sentences(12)
    data.packedSize = 40
    data.packing = method
    let items = try SampleItems(SampleSource(data))
    let counts = try (0..<items.count).map { try items.samples($0).count }
    #expect(counts.reduce(0, +) == 12 && counts.contains { $0 > 1 })
    var settings = try SmallRun.settings(data, steps: 3)
    settings.batch.global = items.count
    let packed = try SmallRun.run(settings).told
    data.packedSize = nil
    settings.data = .rows(data)
    settings.batch.global = 12
    let unpacked = try SmallRun.run(settings).told
    for (one, other) in zip(packed.steps, unpacked.steps) {
      #expect(abs(one.loss - other.loss) < 2e-5)
      #expect(one.tokens == other.tokens && one.labels == other.labels)
    }
  }

  @Test("every way of packing keeps every sample once", arguments: PackingMethod.allCases)
  func packsKeepAll(_ method: PackingMethod) throws {
    var data = SmallRun.sentences(30)
    let all = try SampleSource(data).dataset
    data.packedSize = 50
    data.packing = method
    let items = try SampleItems(SampleSource(data))
    let packed = try (0..<items.count).flatMap { try items.samples($0) }
    for index in 0..<items.count {
      #expect(try items.samples(index).reduce(0) { $0 + $1.count - 1 } <= 50)
    }
    let whole = try (0..<all.count).map { try all.sample($0) }
    #expect(Set(packed.map(\.tokens)) == Set(whole.map(\.tokens)) && packed.count == whole.count)
  }

  @Test("epochs end where the samples do, with a smaller update unless that is left out")
  func epochs() throws {
    var settings = try SmallRun.settings(SmallRun.sentences(10), steps: nil)
    settings.length.epochs = 2
    let told = try SmallRun.run(settings).told
    #expect(told.steps.map(\.allSamples) == [4, 8, 10, 14, 18, 20])
    #expect(told.steps.map(\.epoch) == [0, 0, 0, 1, 1, 1])
    settings.batch.dropsLast = true
    #expect(try SmallRun.run(settings).told.steps.map(\.allSamples) == [4, 8, 12, 16])
    // Where there are too few for one update, nothing would be left.
    settings.batch.global = 16
    let few = try SmallRun.run(settings)
    #expect(few.told.steps.map(\.allSamples) == [10, 20])
    #expect(few.run.notes.contains { $0.hasPrefix("there are 10 samples, fewer than the 16") })
    settings.batch.global = 4
    settings.length.steps = 3
    #expect(try SmallRun.run(settings).told.steps.count == 3)
    settings.length.epochs = nil
    settings.length.steps = 7
    #expect(try SmallRun.run(settings).told.steps.map(\.epoch) == [0, 0, 1, 1, 2, 2, 3])
  }

  @Test("validation is taken when it is due and changes nothing that comes after")
  func validation() throws {
    var settings = try SmallRun.settings(steps: 7)
    let plain = try SmallRun.run(settings).told
    settings.validation.every = 3
    settings.validation.batches = 2
    settings.validation.data = .rows(SmallRun.sentences(10))
    let judged = try SmallRun.run(settings).told
    #expect(judged.losses == plain.losses)
    #expect(judged.validations.map(\.step) == [3, 6, 7])
    let learned = judged.validations.map(\.loss)
    #expect(learned[0] > learned[2])
  }

  @Test("what validation takes is the mean over labels, whatever its batches")
  func validationMean() throws {
    var settings = try SmallRun.settings(steps: 1)
    settings.validation.every = 1
    settings.validation.data = .rows(SmallRun.sentences(10))
    let one = try SmallRun.run(settings)
    settings.batch.micro = 4
    let other = try SmallRun.run(settings)
    let (first, second) = (one.told.validations[0], other.told.validations[0])
    #expect(first.labels == second.labels)
    #expect(abs(first.loss - second.loss) < 1e-5)
    // As the trainer computes the loss of what it is about to learn from.
    let samples = try SampleSource(SmallRun.sentences(10)).dataset
    let batch = Batch(try (0..<10).map { try samples.sample($0) })
    let loss = try one.run.trainer.step([batch]).loss
    #expect(abs(loss - first.loss) < 1e-5)
  }

  @Test("samples without anything to learn are gone through, and only nothing else is an error")
  func nothingToLearn() throws {
    let silent = Sample(tokens: [3, 4, 5], trained: [false, false, false])
    let spoken = Sample(tokens: [3, 4, 5], trained: [false, false, true])
    var batch = BatchSettings()
    batch.global = 2
    let some = SampleItems(Dataset([silent, silent, silent, spoken], origin: "here"))
    var source = try UpdateSource(some, batch, epochs: 1)
    let update = try source.next()
    #expect(update?.labels == 1 && update?.position == DataPosition(index: 4))
    #expect(try source.next() == nil)
    var none = try UpdateSource(SampleItems(Dataset([silent, silent], origin: "here")), batch)
    #expect(throws: RunningError.nothingToLearn(origin: "here", samples: 2)) { try none.next() }
  }

  @Test("a signal ends the run behind the step in progress")
  func stops() throws {
    let settings = try SmallRun.settings(steps: 100)
    let recorder = Recorder()
    let asked = Counter()
    let run = try TrainingRun(
      settings, description: RunDescription(name: "small", folder: ""), writers: [recorder],
      isStopping: { asked.next() > 5 })
    #expect(try run.run() == .stopped)
    #expect(recorder.steps.count == 5 && recorder.outcome == .stopped)
  }

  @Test("numbers that run away end the run with the operation's name, and everybody is told")
  func runsAway() throws {
    var settings = try SmallRun.settings(steps: 50)
    settings.schedule.rate = 1e30
    settings.trainer.clip = nil
    let recorder = Recorder()
    let run = try TrainingRun(
      settings, description: RunDescription(name: "small", folder: ""), writers: [recorder])
    let error = #expect(throws: EngineError.self) { try run.run() }
    guard case .notFinite = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    guard case .failed(let reason) = recorder.outcome else {
      Issue.record("not told")
      return
    }
    #expect(reason.contains("the first result that was not came from"))
  }
}

/// Counts how often it is asked.
private final class Counter: Sendable {
  private let count = Mutex(0)

  func next() -> Int {
    count.withLock {
      $0 += 1
      return $0
    }
  }
}
