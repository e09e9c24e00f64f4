import Foundation
import Glibc
import Hub
import HubStandIn
import Support
import Synchronization
import Tensors
import Testing

@testable import Checkpoints
@testable import Console

/// Imports of models whose weights come from the hub meanwhile.
@Suite struct HubImportTests {
  enum Trouble: CaseIterable {
    case none, slow, cut, stall, corrupt, corruptHeader, ignoredRange

    func befall(_ ground: HubGround) {
      let hub = ground.standIn
      switch self {
      case .none: break
      case .slow: hub.fail(.storage, with: .slow(bytesPerSecond: 2_000_000), times: .max)
      case .cut:
        for _ in 0..<6 { hub.fail(.storage, with: .cut(after: 3_000), times: 1) }
      case .stall: hub.fail(.storage, with: .stall(after: 5_000), times: 2)
      case .corrupt: hub.fail(.storage, with: .corrupt(at: ground.lastOfAll), times: 1)
      case .corruptHeader: hub.fail(.storage, with: .corrupt(at: 8), times: 1)
      case .ignoredRange: hub.fail(.storage, with: .ignoreRange, times: 3)
      }
    }
  }

  private static let some = [
    "bridge/llama", "bridge/gemma2", "bridge/qwen3_moe", "bridge/deepseek_v3", "bridge/gpt_oss",
    "bridge/nemotron_h", "hf/phi2", "hf/llama_tied_32", "hf/gpt_neox", "hf/mixtral",
  ]

  static let journeys = some.enumerated().flatMap { index, path in
    [0, 3].map { step in
      (Case(path: path), Trouble.allCases[(index + step) % Trouble.allCases.count], index % 2 + 1)
    }
  }

  @Test(arguments: journeys) func whateverHappensOnTheWayTheResultIsThatOfTheFolder(
    _ item: Case, _ trouble: Trouble, _ ranks: Int
  ) throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(item.folder, into: 5, at: source)
      let ground = try HubGround(source, in: folder)
      var options = ConversionOptions(tp: ranks, ep: ranks)
      if item.name == "gpt_oss" { options.dtype = .bfloat16 }
      let target = folder.appending(path: "found")
      if trouble == .corruptHeader { trouble.befall(ground) }
      let model = try ground.find(ground.hub())
      if trouble != .corruptHeader { trouble.befall(ground) }
      let found = try ground.importModel(model, to: target, options)
      #expect(trouble != .corrupt || found.download?.isRepeated == true)
      #expect(trouble != .none || found.download?.isRepeated == false)
      let expected = folder.appending(path: "expected")
      try importModel(ground.snapshot(), to: expected, options)
      #expect(try differences(expected, target) == [])
      // All is in the cache now: whoever comes next fetches nothing.
      let sent = ground.sent
      #expect(try ground.find(ground.hub()).arriving == nil)
      #expect(ground.sent == sent)
    }
  }

  @Test func bytesOfTheResultAreOnTheDiskBeforeTheLastFileHasArrived() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/llama").folder, into: 4, at: source)
      let ground = try HubGround(source, in: folder)
      let hub = ground.hub { $0.attempts = 100_000 }
      let found = try ground.find(hub)
      let target = folder.appending(path: "found")
      let conversion = try ground.conversion(found, to: target, ConversionOptions())
      let third = conversion.transfer.tensorBytes / 3
      // From here on the last shard is not given away.
      let last = try #require(ground.shards.last)
      ground.standIn.fail(.path(last), with: .reset, times: .max)
      let early = Mutex<[UInt8]>([])
      Thread {
        while true {
          usleep(1_000)
          guard
            let staged = names(in: folder).first(where: { $0.contains(".isthmus-") }),
            let bytes = try? Data(
              contentsOf: folder.appending(path: "\(staged)/iter_0000000/__0_0.distcp")),
            bytes.count(where: { $0 != 0 }) > third
          else { continue }
          early.withLock { $0 = Array(bytes) }
          ground.standIn.forgetFaults()
          return
        }
      }.start()
      let arriving = try #require(conversion.arriving)
      let carried = try conversion.carryOut(
        arriving, to: target.path, overwrite: false, workers: 2, TransferProgress())
      let seen = early.withLock { $0 }
      let whole = try Data(contentsOf: target.appending(path: "iter_0000000/__0_0.distcp"))
      // What was seen is a part of the result.
      let equal = zip(seen, whole).count { $0 == $1 && $0 != 0 }
      #expect(equal > third)
      #expect(seen != Array(whole))
      #expect((carried.download?.early ?? 0) > 0)
      let expected = folder.appending(path: "expected")
      try importModel(ground.snapshot(), to: expected)
      #expect(try differences(expected, target) == [])
    }
  }

  @Test func whatStaysCorruptIsNamedAndNothingIsPublished() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/llama").folder, into: 3, at: source)
      let ground = try HubGround(source, in: folder)
      ground.standIn.fail(.storage, with: .corrupt(at: ground.lastOfAll), times: .max)
      #expect {
        _ = try ground.importModel(ground.hub(), to: folder.appending(path: "found")).download
      } throws: {
        guard case HubError.corrupt(let path, _, _, _) = $0 else { return false }
        return ground.shards.contains(path)
      }
      #expect(names(in: folder) == ["hub", "source"])
      // Nothing stands in the way of another try.
      ground.standIn.forgetFaults()
      try ground.importModel(ground.hub(), to: folder.appending(path: "found"))
    }
  }

  @Test func whatIsNotSupportedIsSaidBeforeTheWeightsAreFetched() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/llama").folder, into: 3, at: source)
      let path = source.appending(path: "config.json")
      let text = try String(contentsOf: path, encoding: .utf8)
      try Data(text.replacing("LlamaForCausalLM", with: "UnheardOfForCausalLM").utf8)
        .write(to: path)
      let ground = try HubGround(source, in: folder)
      #expect(throws: (any Error).self) {
        _ = try ground.importModel(ground.hub(), to: folder.appending(path: "found")).download
      }
      #expect(ground.sent < ground.weightBytes / 4)
      #expect(!Folder.exists(folder.path + "/found"))
    }
  }

  @Test func aRunThatIsInterruptedLeavesTheDownloadToTheNextOne() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/qwen3").folder, into: 4, at: source)
      let ground = try HubGround(source, in: folder)
      ground.standIn.fail(
        .path(ground.shards[3]), with: .stall(after: 2_000), times: .max)
      let progress = TransferProgress()
      let hub = ground.hub { $0.downloadTimeout = 20 }
      Thread {
        while progress.bytes == 0 { usleep(500) }
        progress.cancel()
      }.start()
      #expect {
        _ = try ground.importModel(hub, to: folder.appending(path: "found"), progress: progress)
          .download
      } throws: {
        if case CommandError.interruptedWhileArriving = $0 { true } else { false }
      }
      #expect(names(in: folder) == ["hub", "source"])
      ground.standIn.forgetFaults()
      try ground.importModel(ground.hub(), to: folder.appending(path: "found"))
      #expect(ground.sent < ground.weightBytes + ground.shards.count * (64 << 10))
    }
  }

  @Test func twoAtOnceFetchEachFileOnce() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try shard(Case(path: "bridge/qwen2").folder, into: 4, at: source)
      let ground = try HubGround(source, in: folder)
      ground.standIn.fail(.storage, with: .slow(bytesPerSecond: 400_000), times: .max)
      let failures = Mutex<[String]>([])
      DispatchQueue.concurrentPerform(iterations: 2) { number in
        do {
          try ground.importModel(ground.hub(), to: folder.appending(path: "found\(number)"))
        } catch { failures.withLock { $0.append("\(error)") } }
      }
      #expect(failures.withLock { $0 } == [])
      #expect(
        try differences(folder.appending(path: "found0"), folder.appending(path: "found1")) == [])
      #expect(ground.sent < ground.weightBytes + 2 * ground.shards.count * (64 << 10))
    }
  }

  @Test func aModelWithoutSafetensorsIsRefusedBeforeItsWeightsAreFetched() throws {
    try Support.withTemporaryFolder { folder in
      let source = folder.appending(path: "source")
      try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        at: Case(path: "bridge/llama").folder.appending(path: "config.json"),
        to: source.appending(path: "config.json"))
      try Data(count: 1 << 20).write(to: source.appending(path: "pytorch_model.bin"))
      let ground = try HubGround(source, in: folder)
      #expect {
        _ = try ground.importModel(ground.hub(), to: folder.appending(path: "found")).download
      } throws: {
        if case ConversionError.noWeights = $0 { true } else { false }
      }
      #expect(ground.standIn.requests.allSatisfy { !$0.path.contains("pytorch_model.bin") })
    }
  }
}

extension HubGround {
  /// A place that every shard has, behind its header.
  var lastOfAll: Int {
    (shards.compactMap { Folder.size(folder.path + "/source/" + $0) }.min() ?? 1) - 1
  }
}
