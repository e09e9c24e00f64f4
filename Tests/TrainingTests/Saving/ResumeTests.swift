import Engine
import Foundation
import Kernels
import Support
import Testing

@testable import Training

/// A run that goes on has the losses of one that was never interrupted, bit for bit.
@Suite struct ResumeTests {
  enum Kind: CaseIterable {
    case full, half, lora, dora, parts
  }

  private func adapters(_ kind: Kind) -> AdapterSettings? {
    var settings = AdapterSettings()
    settings.rank = 3
    settings.alpha = 6
    switch kind {
    case .full, .half: return nil
    case .lora: settings.kind = .lora
    case .dora: settings.kind = .dora
    case .parts: settings.kind = .parts
    }
    return settings
  }

  @Test(arguments: Kind.allCases, [Numbers.float32, .bfloat16])
  func lossesAfterGoingOnAreThoseWithout(_ kind: Kind, _ numbers: Numbers) throws {
    try Support.withTemporaryFolder { folder in
      var run = RunCase(folder)
      run.numbers = numbers
      run.adapters = adapters(kind)
      if kind == .half { run.precision = .half }
      let whole = try run.train(run.begin(), 0..<6)

      let first = try run.begin()
      let before = try run.train(first, 0..<3)
      let path = try run.checkpoints(first).save(run.progress(3))
      #expect(path == folder.appending(path: "iter_0000003").path)

      let saved = try #require(try SavedRun.find(run.settings.saving))
      #expect(saved.step == 3)
      #expect(saved.holdsAdapters == (run.adapters != nil))
      let second = try run.begin(from: saved)
      let restored = try saved.restore(
        into: second.trainer, run.settings.saving, identity: run.progress(3).identity)
      #expect(restored.progress == run.progress(3))
      #expect(restored.notes.count == 1, "\(restored.notes)")
      let after = try run.train(second, 3..<6)
      #expect(before + after == whole)
    }
  }

  /// What a step computes does not depend on how many batches the step before it had.
  @Test func aStepOfOneBatchIsTheSameBehindOneOfSeveral() throws {
    try Support.withTemporaryFolder { folder in
      var run = RunCase(folder)
      run.numbers = .bfloat16
      let whole = try run.begin()
      let model = whole.trainer.model
      _ = try whole.trainer.step([run.batch(0, model), run.batch(1, model)])
      try run.checkpoints(whole).save(run.progress(1))
      let saved = try #require(try SavedRun.find(run.settings.saving))
      let other = try run.begin(from: saved)
      _ = try saved.restore(into: other.trainer, run.settings.saving)
      let norm = try whole.trainer.step([run.batch(2, model)]).gradientNorm
      #expect(try other.trainer.step([run.batch(2, model)]).gradientNorm == norm)
      #expect(try run.train(other, 3..<4) == run.train(whole, 3..<4))
    }
  }
}
