import Data
import Engine
import Foundation
import JSON
import Metrics
import Support
import Synchronization
import Testing

@testable import Training

/// Whole runs that stop and go on are those that were never stopped, whatever they learn and from what.
@Suite struct GoingOnTests {
  enum Kind: CaseIterable {
    case fresh, whole, droppingAdapters, packs, epochs, runningText

    func settings(_ folder: URL) throws -> RunSettings {
      var settings = try SmallRun.settings(SmallRun.sentences(14), steps: 7)
      settings.batch.order = .torch(seed: 11)
      settings.schedule.decay = .cosine
      settings.schedule.warmUp = .steps(2)
      switch self {
      case .fresh: break
      case .whole:
        settings.model = .weights(SmallRun.demo, revision: nil, configuration: nil)
      case .droppingAdapters:
        settings.model = .weights(SmallRun.demo, revision: nil, configuration: nil)
        var adapters = AdapterSettings()
        adapters.kind = .parts
        adapters.targets = ["q_proj", "*.mlp.*"]
        adapters.dropout = 0.2
        adapters.rank = 2
        settings.adapters = adapters
        settings.batch.micro = 2
      case .packs:
        var data = SmallRun.sentences(24)
        data.packedSize = 40
        settings.data = .rows(data)
        settings.batch.global = 2
      case .epochs:
        settings.length.steps = nil
        settings.length.epochs = 2
      case .runningText:
        let prefix = folder.appending(path: "text").path
        if !FileManager.default.fileExists(atPath: prefix + ".bin") {
          let writer = try IndexedDatasetWriter(prefix, type: .int32)
          for document in 0..<40 {
            try writer.add((0..<25).map { Int32(($0 * document) % 50) })
            writer.endDocument()
          }
          try writer.finish()
        }
        settings.data = .indexed(
          PretrainingPlan(
            .shared(Blend(prefixes: [prefix]), try SplitShares("9,1,0")), length: 16),
          order: .cyclic(isSharded: false))
      }
      return settings
    }
  }

  /// Stops behind so many steps.
  private func stopping(_ steps: Int) -> @Sendable () -> Bool {
    let left = Atomic(steps + 1)
    return { left.subtract(1, ordering: .relaxed).newValue <= 0 }
  }

  @Test("a checkpoint without our notes is gone on with where the samples it counted end")
  func foreign() throws {
    try Support.withTemporaryFolder { folder in
      var settings = try Kind.fresh.settings(folder)
      let whole = try SmallRun.run(settings).told.losses
      settings.saving.folder = folder.appending(path: "run").path
      // Behind an epoch of four updates, the last of them of two samples, and one update more.
      let first = try SmallRun.run(settings, isStopping: stopping(5))
      #expect(first.told.losses.count == 5)
      let notes = try #require(first.run.lastCheckpoint) + "/" + RunState.name
      try FileManager.default.removeItem(atPath: notes)
      let second = try SmallRun.run(settings)
      #expect(second.run.progress.samples == 26)
      #expect(first.told.losses + second.told.losses == whole)
    }
  }

  @Test(
    "runs that stop twice have the losses of one that does not, bit for bit",
    arguments: Kind.allCases)
  func goesOn(_ kind: Kind) throws {
    try Support.withTemporaryFolder { folder in
      var settings = try kind.settings(folder)
      let whole = try SmallRun.run(settings).told.steps
      settings.saving.folder = folder.appending(path: "run").path
      let first = try SmallRun.run(settings, isStopping: stopping(2))
      #expect(first.told.outcome == .stopped && first.told.steps.count == 2)
      #expect(first.run.lastCheckpoint?.hasSuffix("iter_0000002") == true)
      let second = try SmallRun.run(settings, isStopping: stopping(3))
      #expect(second.told.steps.map(\.step) == [3, 4, 5])
      #expect(second.run.description.firstStep == 2)
      let third = try SmallRun.run(settings)
      #expect(third.told.outcome == .finished)
      let parts = first.told.steps + second.told.steps + third.told.steps
      #expect(parts.map(\.loss) == whole.map(\.loss))
      #expect(parts.map(\.gradientNorm) == whole.map(\.gradientNorm))
      #expect(parts.map(\.rate) == whole.map(\.rate))
      #expect(parts.map(\.allTokens) == whole.map(\.allTokens))
      #expect(parts.map(\.epoch) == whole.map(\.epoch))
      // What is finished stays so, and is not learned from again.
      let fourth = try SmallRun.run(settings)
      #expect(fourth.told.steps.isEmpty && fourth.told.outcome == .finished)
    }
  }

  @Test("a run in instalments ends each of them by itself")
  func instalments() throws {
    try Support.withTemporaryFolder { folder in
      var settings = try SmallRun.settings(steps: 5)
      settings.saving.folder = folder.path
      settings.length.pauseEvery = 2
      let outcomes = try (0..<3).map { _ in try SmallRun.run(settings).told }
      #expect(outcomes.map { $0.steps.count } == [2, 2, 1])
      #expect(outcomes.map(\.outcome) == [.stopped, .stopped, .finished])
      settings.length.pauseEvery = nil
      settings.length.minutes = 0
      settings.saving.goesOn = false
      settings.saving.folder = folder.appending(path: "other").path
      #expect(try SmallRun.run(settings).told.steps.count == 1)
    }
  }

  @Test("checkpoints come when they are due, at the ends of epochs, and at the end")
  func checkpoints() throws {
    try Support.withTemporaryFolder { folder in
      var settings = try SmallRun.settings(SmallRun.sentences(8), steps: 7)
      settings.saving.folder = folder.path
      settings.saving.every = 3
      func iterations(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
          .filter { $0.hasPrefix("iter_") }.map { "\($0.suffix(1))" }.sorted()
      }
      try SmallRun.run(settings)
      #expect(try iterations(folder) == ["3", "6", "7"])
      let epochs = folder.appending(path: "epochs")
      settings.saving.folder = epochs.path
      settings.saving.every = nil
      settings.saving.atEpochs = true
      settings.saving.atEnd = false
      try SmallRun.run(settings)
      #expect(try iterations(epochs) == ["2", "4", "6"])
    }
  }

  @Test("where numbers run away, the last good step is kept")
  func keepsLastGoodStep() throws {
    try Support.withTemporaryFolder { folder in
      var settings = try SmallRun.settings(steps: 50)
      settings.saving.folder = folder.path
      settings.schedule.rate = 1e30
      settings.trainer.clip = nil
      #expect(throws: EngineError.self) { try SmallRun.run(settings) }
      let saved = try #require(try SavedRun.find(settings.saving))
      #expect(saved.step >= 1)
    }
  }
}
