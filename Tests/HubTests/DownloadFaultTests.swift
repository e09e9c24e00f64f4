import Foundation
import Hub
import HubStandIn
import Support
import Synchronization
import Testing

/// What the network does to a file on its way.
@Suite struct DownloadFaultTests {
  private static let size = 5_000_000
  private static let contents = bytes(size)

  /// A repository with one large file, and its checksum.
  private func withLarge(_ body: (Bench, _ etag: String) throws -> Void) throws {
    try Bench.with { bench in
      try bench.standIn.put(
        "org/name", files: ["model.safetensors": .bytes(Self.contents, large: true)])
      try body(bench, sha256(Self.contents))
    }
  }

  private func requireWhole(_ snapshot: HubSnapshot) {
    let place = "\(snapshot.folder)/model.safetensors"
    #expect(FileManager.default.contents(atPath: place) == Data(Self.contents))
  }

  @Test func aCutAtEveryMegabyteCostsNoByteTwice() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .cut(after: 1_000_000), times: 4)
      requireWhole(try bench.hub().snapshot(model, everything))
      let ranges = [""] + (1...4).map { "bytes=\($0)000000-" }
      #expect(bench.ranges == ranges)
      #expect(bench.stored == Self.size)
      // The address of the storage is good for all of them.
      #expect(bench.asked.filter { $0.contains("/resolve/") }.count == 1)
    }
  }

  @Test func whatBroughtBytesIsNotCountedAsAnAttempt() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .cut(after: 100_000), times: 30)
      requireWhole(try bench.hub { $0.attempts = 2 }.snapshot(model, everything))
      #expect(bench.stored == Self.size)
    }
  }

  @Test func refusalsAndCutsInTurnEndWithTheFile() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .cut(after: 700_000), times: .max)
      let standIn = bench.standIn
      let watcher = Watcher { progress in
        // While the next attempt is waited for, it is decided that it will be refused.
        for cut in 1...7 {
          while progress.files.first?.done != cut * 700_000 { usleep(500) }
          standIn.fail(.storage, with: .tooMany(retryAfter: 0))
        }
      }
      let hub = bench.hub(watching: watcher) {
        $0.firstWait = 0.1
        $0.attempts = 3
      }
      requireWhole(try hub.snapshot(model, everything))
      let statuses = bench.standIn.requests.filter { $0.server == .storage }.map(\.status)
      #expect(statuses == [200] + Array(repeating: [429, 206], count: 7).flatMap { $0 })
    }
  }

  @Test(arguments: [500, 502, 503, 504, 408, 429])
  func aRefusalThatPassesIsWaitedFor(_ status: Int) throws {
    try withLarge { bench, _ in
      for path in ["/revision/", "/tree/", "/resolve/"] {
        bench.standIn.fail(.path(path), with: .status(status))
      }
      bench.standIn.fail(.storage, with: .status(status))
      requireWhole(try bench.hub().snapshot(model, everything))
    }
  }

  @Test func aServerThatStallsIsAskedAgainForTheRest() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .stall(after: 2_000_000))
      requireWhole(try bench.hub().snapshot(model, everything))
      #expect(bench.ranges == ["", "bytes=2000000-"])
    }
  }

  @Test func aServerThatGoesOnStallingIsNamedWithTheSetting() throws {
    try withLarge { bench, etag in
      bench.standIn.fail(.storage, with: .stall(after: 0), times: .max)
      let hub = bench.hub {
        $0.downloadTimeout = 0.1
        $0.attempts = 2
      }
      let error = failure { () throws(HubError) in try hub.snapshot(model, everything) }
      let text = "\(try #require(error))"
      #expect(text.contains("HF_HUB_DOWNLOAD_TIMEOUT"))
      bench.standIn.forgetFaults()
      bench.standIn.fail(.path("/revision/"), with: .silence, times: .max)
      let question = bench.hub {
        $0.questionTimeout = 0.1
        $0.attempts = 2
      }
      let other = failure { () throws(HubError) in try question.snapshot(model, everything) }
      let words = "\(try #require(other))"
      #expect(words.contains("HF_HUB_ETAG_TIMEOUT"))
    }
  }

  @Test func aLaterRunGoesOnWhereAnEarlierOneEnded() throws {
    try withLarge { bench, etag in
      bench.standIn.fail(.storage, with: .cut(after: 3_000_000))
      bench.standIn.fail(.init(server: .storage, ranged: true), with: .status(404), times: .max)
      let error = failure { () throws(HubError) in
        try bench.hub { $0.attempts = 2 }.snapshot(model, everything)
      }
      #expect(error != nil)
      #expect(
        try Data(contentsOf: bench.incomplete(etag)) == Data(Self.contents.prefix(3_000_000)))
      bench.standIn.forgetFaults()
      #expect(try bench.hub().plan(model, everything).begun == 3_000_000)
      let snapshot = try bench.hub().snapshot(model, everything)
      requireWhole(snapshot)
      #expect(snapshot.received == 2_000_000)
      #expect(bench.stored < Self.size + 10_000)
      #expect(bench.ranges.last == "bytes=3000000-")
    }
  }

  @Test func aDamagedByteIsFetchedOnceMore() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .corrupt(at: 4_321_000))
      requireWhole(try bench.hub().snapshot(model, everything))
      #expect(bench.ranges == ["", ""])
    }
  }

  @Test func whatAnEarlierRunLeftDamagedIsFetchedOnceMore() throws {
    try withLarge { bench, etag in
      let place = bench.incomplete(etag)
      try FileManager.default.createDirectory(
        at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(repeating: 7, count: 1_000_000).write(to: place)
      requireWhole(try bench.hub().snapshot(model, everything))
      #expect(bench.ranges == ["bytes=1000000-", ""])
    }
  }

  @Test func whatIsDamagedTwiceIsNamedAndNotKept() throws {
    try withLarge { bench, etag in
      bench.standIn.fail(.storage, with: .corrupt(at: 0), times: 2)
      let error = failure { () throws(HubError) in try bench.hub().snapshot(model, everything) }
      guard case .corrupt(let path, let url, let expected, let found) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(path == "model.safetensors")
      #expect(expected == etag)
      #expect(found != etag && found.count == 64)
      #expect(!url.contains("?"))
      #expect(bench.blobs == [])
      #expect(names(in: bench.repository.appending(path: "refs")) == [])
      #expect(bench.ranges == ["", ""])
    }
  }

  @Test func aSmallFileThatIsDamagedIsFoundOutByGitsChecksum() throws {
    try Bench.with { bench in
      try bench.standIn.put("org/name", files: ["config.json": "{\"a\": 1}"])
      bench.standIn.fail(.path("/resolve/"), with: .corrupt(at: 3), times: 2)
      let error = failure { () throws(HubError) in try bench.hub().snapshot(model, everything) }
      guard case .corrupt("config.json", _, _, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  @Test func aServerWithoutRangesSendsAllOfItAgain() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .cut(after: 1_000_000))
      bench.standIn.fail(.init(server: .storage, ranged: true), with: .ignoreRange)
      requireWhole(try bench.hub().snapshot(model, everything))
      #expect(bench.stored == 1_000_000 + Self.size)
    }
  }

  @Test func aServerWithoutRangesMayDamageItOnceAllTheSame() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .cut(after: 1_000_000))
      let ranged = HubStandIn.Match(server: .storage, ranged: true)
      bench.standIn.fail(ranged, with: .ignoreRange)
      bench.standIn.fail(ranged, with: .corrupt(at: 77))
      requireWhole(try bench.hub().snapshot(model, everything))
    }
  }

  @Test func whatOthersBringMeanwhileIsNotCountedAsReceived() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .slow(bytesPerSecond: 4_000_000))
      let group = DispatchGroup()
      let first = bench.hub()
      DispatchQueue(label: "first").async(group: group) {
        _ = try? first.snapshot(model, everything)
      }
      while !bench.standIn.requests.contains(where: { $0.server == .storage }) { usleep(1000) }
      let states = Mutex<[HubProgress.State]>([])
      let watcher = Watcher { progress in
        while progress.files.first?.state != .done {
          if let state = progress.files.first?.state { states.withLock { $0.append(state) } }
          usleep(10_000)
        }
      }
      let second = try bench.hub(watching: watcher).snapshot(model, everything)
      group.wait()
      #expect(second.received == 0)
      #expect(states.withLock { $0.contains(.elsewhere) })
      #expect(bench.stored == Self.size)
    }
  }

  @Test func aRangeFromElsewhereIsNotTakenForTheRest() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .cut(after: 1_000_000))
      bench.standIn.fail(.init(server: .storage, ranged: true), with: .otherRange(from: 500_000))
      requireWhole(try bench.hub().snapshot(model, everything))
    }
  }

  @Test func anAddressWhoseSignatureHasEndedIsAskedForAnew() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .cut(after: 1_000_000))
      bench.standIn.fail(.init(server: .storage, ranged: true), with: .expired)
      requireWhole(try bench.hub().snapshot(model, everything))
      #expect(bench.asked.filter { $0.contains("/resolve/") }.count == 2)
      #expect(bench.ranges == ["", "bytes=1000000-", "bytes=1000000-"])
    }
  }

  @Test func aStorageThatRefusesForGoodIsNamedWithoutItsSignature() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .expired, times: .max)
      let error = failure { () throws(HubError) in try bench.hub().snapshot(model, everything) }
      guard case .refused(let url, 403, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(url.hasPrefix(bench.standIn.storage))
      #expect(!url.contains("Signature"))
    }
  }

  @Test func bytesWithoutALengthComeWhole() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .chunked)
      requireWhole(try bench.hub().snapshot(model, everything))
    }
  }

  @Test func twoWhoWantTheSameFetchItOnce() throws {
    try withLarge { bench, _ in
      bench.standIn.fail(.storage, with: .slow(bytesPerSecond: 12_000_000))
      let group = DispatchGroup()
      for _ in 0..<2 {
        let hub = bench.hub()
        DispatchQueue(label: "run").async(group: group) {
          let snapshot = try? hub.snapshot(model, everything)
          #expect(snapshot != nil)
        }
      }
      group.wait()
      #expect(bench.stored == Self.size)
    }
  }

  @Test func whoCancelsIsObeyedAtOnceAndLosesNothing() throws {
    try withLarge { bench, etag in
      bench.standIn.fail(.storage, with: .stall(after: 1_000_000))
      let watcher = Watcher { progress in
        while progress.files.first?.done != 1_000_000 { usleep(1000) }
        progress.cancel()
      }
      let hub = bench.hub(watching: watcher) { $0.downloadTimeout = 60 }
      let error = failure { () throws(HubError) in try hub.snapshot(model, everything) }
      guard case .interrupted = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      let kept = try Data(contentsOf: bench.incomplete(etag))
      #expect(kept == Data(Self.contents.prefix(1_000_000)))
    }
  }

  @Test func progressEndsWithEveryByteCounted() throws {
    try withLarge { bench, _ in
      let watcher = Watcher()
      _ = try bench.hub(watching: watcher).snapshot(model, everything)
      let files = try #require(watcher.progress).files
      #expect(files.map(\.done) == [Self.size])
      #expect(files.map(\.state) == [.done])
    }
  }
}

/// A disk that is too small.
@Suite(.enabled(if: Support.canMountDisks)) struct FullDiskTests {
  @Test func whatHasNoRoomIsRefusedBeforeItsFirstByte() throws {
    try Support.withSmallDisk(bytes: 2 << 20) { disk in
      try Bench.with { bench in
        try bench.standIn.put(
          "org/name", files: ["model.safetensors": .bytes(bytes(5_000_000), large: true)])
        let hub = bench.hub { $0.cache = disk.path }
        let error = failure { () throws(HubError) in try hub.snapshot(model, everything) }
        guard case .file(.diskFull(_, 5_000_000, let free)) = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect(free > 0 && free < 2 << 20)
        #expect(bench.stored == 0)
      }
    }
  }

  @Test func aDiskThatFillsUpKeepsWhatHasArrived() throws {
    try Support.withSmallDisk(bytes: 8 << 20) { disk in
      try Bench.with { bench in
        let contents = bytes(5_000_000)
        try bench.standIn.put(
          "org/name", files: ["model.safetensors": .bytes(contents, large: true)])
        bench.standIn.fail(.storage, with: .slow(bytesPerSecond: 8_000_000))
        let ballast = disk.appending(path: "ballast")
        let watcher = Watcher { progress in
          while (progress.files.first?.done ?? 0) < 500_000 { usleep(1000) }
          // Somebody else needs the space meanwhile.
          try? Data(count: 5 << 20).write(to: ballast)
        }
        let hub = bench.hub(watching: watcher) { $0.cache = disk.path }
        let error = try #require(
          failure { () throws(HubError) in try hub.snapshot(model, everything) })
        guard case .file(.diskFull) = error else {
          Issue.record("\(error)")
          return
        }
        #expect("\(error)".contains("goes on from there"))
        try? FileManager.default.removeItem(at: ballast)
        let stored = bench.stored
        let snapshot = try bench.hub { $0.cache = disk.path }.snapshot(model, everything)
        #expect(bench.stored - stored < 4_600_000)
        #expect(
          FileManager.default.contents(atPath: "\(snapshot.folder)/model.safetensors")
            == Data(contents))
      }
    }
  }
}
