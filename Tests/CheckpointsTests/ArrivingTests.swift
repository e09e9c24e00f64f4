import Foundation
import Glibc
import Support
import Synchronization
import Tensors
import Testing

@testable import Checkpoints

/// Imports of models whose weights are still arriving.
@Suite struct ArrivingTests {
  enum Order: CaseIterable {
    case forward, backward, together, lastFirst

    /// Lets all shards arrive, in small steps.
    func feed(_ shards: [GrowingShard], seed: Int) {
      var steps: [(shard: GrowingShard, end: Int)] = []
      let ordered: [GrowingShard]
      switch self {
      case .forward, .together: ordered = shards
      case .backward: ordered = shards.reversed()
      case .lastFirst: ordered = shards.suffix(1) + shards.dropLast()
      }
      for shard in ordered {
        let step = max(1, (shard.size - shard.header) / (5 + seed % 3))
        for end in stride(from: shard.header + step, to: shard.size, by: step) {
          steps.append((shard, end))
        }
        steps.append((shard, shard.size))
      }
      // All at once: the first step of each, then the second of each …
      if self == .together {
        var round: [ObjectIdentifier: Int] = [:]
        let keyed = steps.map { step in
          round[ObjectIdentifier(step.shard), default: 0] += 1
          return (round[ObjectIdentifier(step.shard)] ?? 0, step)
        }
        steps = keyed.enumerated().sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }
          .map(\.element.1)
      }
      for step in steps {
        step.shard.grow(to: step.end)
        usleep(300)
      }
    }
  }

  static let cases = Case.bridge + Case.huggingFace

  @Test(arguments: cases) func whatArrivesIsImportedAsIfItHadBeenThere(_ item: Case) throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(item.folder, into: 5, at: source)
      let seed = item.path.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF }
      var options = ConversionOptions(tp: 1 + seed % 2, ep: 1 + seed % 2)
      let model = try HuggingFaceModel(folder: source.path)
      if try model.weights.map({ try SourceTensors($0, model.blueprint.quantisation).isQuantised })
        ?? false
      {
        options.dtype = .bfloat16
      }
      let growing = try GrowingModel(source, in: folder)
      let order = Order.allCases[seed % Order.allCases.count]
      Thread { order.feed(growing.shards, seed: seed) }.start()
      try importArriving(
        growing.open(), to: folder.appending(path: "found"), options, workers: 1 + seed % 3)
      try growing.complete()
      try importModel(growing.folder, to: folder.appending(path: "expected"), options)
      #expect(
        try differences(folder.appending(path: "expected"), folder.appending(path: "found")) == [])
    }
  }

  @Test(arguments: Order.allCases) func theOrderOfArrivalChangesNothing(_ order: Order) throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/qwen3_moe").folder, into: 7, at: source)
      let options = ConversionOptions(tp: 2, ep: 2)
      for seed in 0..<3 {
        let arriving = folder.appending(path: "arriving\(seed)")
        try FileManager.default.createDirectory(at: arriving, withIntermediateDirectories: true)
        let growing = try GrowingModel(source, in: arriving)
        Thread { order.feed(growing.shards, seed: seed) }.start()
        let found = folder.appending(path: "found\(seed)")
        try importArriving(growing.open(), to: found, options)
        try growing.complete()
        let expected = folder.appending(path: "expected\(seed)")
        try importModel(growing.folder, to: expected, options)
        #expect(try differences(expected, found) == [])
      }
    }
  }

  @Test func planningNeedsHeadersAlone() throws {
    for item in Self.cases where item.name.hasPrefix("gemma") || item.name.hasPrefix("llama") {
      try Support.withTemporaryFolder { folder in
        let source = folder.appending(path: "source")
        try shard(item.folder, into: 4, at: source)
        // Nothing but the headers ever arrives: whoever reads a value waits for ever.
        let growing = try GrowingModel(source, in: folder)
        let plan = try ImportPlan(growing.open(), ConversionOptions())
        try growing.complete()
        let whole = try ImportPlan(
          HuggingFaceModel(folder: growing.folder.path), ConversionOptions())
        let carried = whole.transfer.part(MegatronRunFiles.carriedPath).totalBytes
        #expect(whole.rest == nil)
        #expect(
          plan.transfer.totalBytes == whole.transfer.totalBytes
            - (plan.rest == nil ? 0 : carried))
        if let rest = plan.rest { #expect(rest.bytes >= carried) }
      }
    }
  }

  @Test func convertingBeginsBeforeAllHasArrived() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/llama").folder, into: 4, at: source)
      let growing = try GrowingModel(source, in: folder)
      let progress = TransferProgress()
      let seen = Mutex(0)
      Thread {
        for shard in growing.shards.dropLast() { shard.grow(to: shard.size) }
        // The last shard is held back until something is written.
        while progress.bytes == 0 { usleep(500) }
        seen.withLock { $0 = progress.bytes }
        for shard in growing.shards { shard.grow(to: shard.size) }
      }.start()
      let model = try growing.open()
      try importArriving(
        model, to: folder.appending(path: "found"), ConversionOptions(), progress: progress)
      let total = try ImportPlan(model, ConversionOptions()).transfer.tensorBytes
      #expect(seen.withLock { $0 > 0 && $0 < total })
      #expect(progress.bytes == total)
    }
  }

  @Test func aTensorIsWrittenAsSoonAsItIsThereAlthoughItsFileIsNot() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/llama").folder, into: 1, at: source)
      let growing = try GrowingModel(source, in: folder)
      let shard = growing.shards[0]
      let progress = TransferProgress()
      Thread {
        shard.grow(to: shard.header + (shard.size - shard.header) / 2)
        while progress.bytes == 0 { usleep(500) }
        shard.grow(to: shard.size)
      }.start()
      try importArriving(
        growing.open(), to: folder.appending(path: "found"), ConversionOptions(),
        progress: progress)
      #expect(Folder.exists(folder.path + "/found/latest_train_state.pt"))
    }
  }

  @Test func waitingEndsWhenItIsInterrupted() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/llama").folder, into: 3, at: source)
      let growing = try GrowingModel(source, in: folder)
      let progress = TransferProgress()
      growing.shards[0].grow(to: growing.shards[0].size)
      Thread {
        while progress.bytes == 0 { usleep(500) }
        progress.cancel()
      }.start()
      #expect {
        try importArriving(
          growing.open(), to: folder.appending(path: "found"), ConversionOptions(),
          progress: progress)
      } throws: {
        if case ConversionError.interrupted = $0 { true } else { false }
      }
      #expect(!Folder.exists(folder.path + "/found"))
    }
  }
}
