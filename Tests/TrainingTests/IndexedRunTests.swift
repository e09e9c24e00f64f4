import Data
import Foundation
import Metrics
import Support
import Testing

@testable import Training

@Suite struct IndexedRunTests {
  /// 60 documents that count from somewhere, each with its end, in a folder that vanishes.
  private func withText(
    _ order: BatchOrder.Kind = .single, _ body: (RunSettings) throws -> Void
  ) throws {
    try Support.withTemporaryFolder { folder in
      let prefix = folder.appending(path: "text").path
      let writer = try IndexedDatasetWriter(prefix, type: .int32)
      for document in 0..<60 {
        let length = 20 + document * 7 % 31
        try writer.add((0..<length).map { Int32(($0 + document) % 50) } + [61])
        writer.endDocument()
      }
      try writer.finish()
      var plan = PretrainingPlan(
        .shared(Blend(prefixes: [prefix]), try SplitShares("80,15,5")), length: 16, seed: 9)
      plan.ends.token = 61
      var settings = try SmallRun.settings(steps: 6)
      settings.data = .indexed(plan, order: order)
      try body(settings)
    }
  }

  @Test("running text is learned from window by window, in Megatron's order")
  func windows() throws {
    try withText { settings in
      let told = try SmallRun.run(settings).told
      #expect(told.steps.allSatisfy { $0.tokens == 64 && $0.labels == 64 })
      let last = try #require(told.losses.last)
      #expect(last < told.losses[0])
      guard case .indexed(let plan, _) = settings.data else { return }
      var other = settings
      other.data = .indexed(plan, order: .cyclic(isSharded: true))
      let cyclic = try SmallRun.run(other).told
      #expect(cyclic.losses != told.losses)
    }
  }

  @Test("validation is on the second split, as many samples as Megatron asks for")
  func validation() throws {
    try withText { plain in
      var settings = plain
      settings.validation.every = 2
      settings.validation.batches = 3
      let (run, told) = try SmallRun.run(settings)
      #expect(told.validations.map(\.step) == [2, 4, 6])
      #expect(told.validations.allSatisfy { $0.labels == 3 * 4 * 16 })
      #expect(run.progress.validationSamples == 36)
      let unjudged = try SmallRun.run(plain).told
      #expect(unjudged.losses == told.losses)
    }
  }

  @Test("going on behind any update gives the updates that were still to come")
  func goesOn() throws {
    try withText(.cyclic(isSharded: false)) { settings in
      let data = try RunData(settings)
      var source = try data.updates(behind: RunProgress())
      var all: [Update] = []
      for _ in 0..<6 { if let update = try source.next() { all.append(update) } }
      var progress = RunProgress()
      progress.samples = 12
      var later = try data.updates(behind: progress)
      #expect(all.count == 6)
      for update in all.dropFirst(3) {
        let next = try later.next()
        #expect(next?.batches.map(\.tokens) == update.batches.map(\.tokens))
        #expect(next?.position == update.position)
      }
    }
  }

  @Test("documents whose positions begin anew must be apart in attention too")
  func splitPositions() throws {
    try withText { plain in
      guard case .indexed(var plan, let order) = plain.data else { return }
      var settings = plain
      plan.ends.resetsPositions = true
      settings.data = .indexed(plan, order: order)
      #expect(throws: RunningError.splitPositions) { try SmallRun.run(settings) }
      plan.ends.resetsAttention = true
      settings.data = .indexed(plan, order: order)
      let told = try SmallRun.run(settings).told
      #expect(told.steps.count == 6)
    }
  }

  @Test("the tokenizer knows which token ends a document, where that makes a difference")
  func ends() throws {
    try withText { plain in
      guard case .indexed(var plan, let order) = plain.data else { return }
      var settings = plain
      plan.ends.token = nil
      plan.ends.isMasked = true
      settings.data = .indexed(plan, order: order)
      #expect(throws: RunningError.noEnd) { try SmallRun.run(settings) }
      settings.tokenizer = SmallRun.demo
      let told = try SmallRun.run(settings).told
      // Its end is 1, which the text has here and there: what follows it is not predicted.
      let tokens = told.steps.reduce(0) { $0 + $1.tokens }
      let labels = told.steps.reduce(0) { $0 + $1.labels }
      #expect(labels < tokens && labels > tokens * 9 / 10)
    }
  }
}
