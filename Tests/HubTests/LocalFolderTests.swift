import Foundation
import Hub
import HubStandIn
import Support
import Testing

/// A folder of the user's own instead of the cache.
@Suite struct LocalFolderTests {
  private let files: [String: HubStandIn.Contents] = [
    "config.json": "{}", "sub/a b.txt": "text",
    "model.safetensors": .bytes(bytes(300_000), large: true),
  ]

  private func withFolder(
    _ body: (Bench, _ folder: URL, _ commit: String) throws -> Void
  ) throws {
    try Bench.with { bench in
      let commit = try bench.standIn.put("org/name", files: files)
      try body(bench, bench.folder.appending(path: "local"), commit)
    }
  }

  private func fetch(_ bench: Bench, _ folder: URL) throws -> HubSnapshot {
    try bench.hub().snapshot(model, everything, into: .folder(folder.path))
  }

  @Test func itHoldsTheFilesAndWhatPythonNotesOfThem() throws {
    try withFolder { bench, folder, commit in
      let snapshot = try fetch(bench, folder)
      #expect(snapshot.folder == folder.path)
      for (path, wanted) in bench.standIn.files(of: "org/name") {
        #expect(try Data(contentsOf: folder.appending(path: path)) == Data(wanted))
      }
      let store = folder.appending(path: ".cache/huggingface")
      #expect(try String(contentsOf: store.appending(path: ".gitignore"), encoding: .utf8) == "*")
      let tag = try String(contentsOf: store.appending(path: "CACHEDIR.TAG"), encoding: .utf8)
      #expect(tag.hasPrefix("Signature: 8a477f597d28d172789f06886806bc55\n"))
      let text = try String(
        contentsOf: store.appending(path: "download/model.safetensors.metadata"), encoding: .utf8)
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count == 4 && lines[3] == "")
      #expect(lines[0] == commit)
      #expect(String(lines[1]) == sha256(bytes(300_000)))
      let time = try #require(Double(lines[2]))
      #expect(abs(time - Date().timeIntervalSince1970) < 60)
      #expect(names(in: store.appending(path: "trees")) == ["\(commit).json"])
      #expect(names(in: store.appending(path: "download/sub")).contains("a b.txt.metadata"))
    }
  }

  @Test func whatIsOnItsWayHasPythonsName() throws {
    try withFolder { bench, folder, commit in
      bench.standIn.fail(.storage, with: .cut(after: 100_000))
      bench.standIn.fail(.init(server: .storage, ranged: true), with: .status(404), times: .max)
      #expect(
        failure { () throws(HubError) in
          try bench.hub { $0.workers = 1 }.snapshot(model, everything, into: .folder(folder.path))
        } != nil)
      // base64.urlsafe_b64encode(hashlib.sha1(b"model.safetensors.metadata").digest()) of Python 3.11.
      let name = "xGOKKLRSlIhH692hSVvI1-gpoa8=.\(sha256(bytes(300_000))).incomplete"
      let place = folder.appending(path: ".cache/huggingface/download/\(name)")
      #expect(try Data(contentsOf: place) == Data(bytes(300_000).prefix(100_000)))
      bench.standIn.forgetFaults()
      let received = try fetch(bench, folder).received
      #expect(received == 200_000 + 2 + 4)
    }
  }

  @Test func whatIsThereIsLeftAndWhatChangedIsFetched() throws {
    try withFolder { bench, folder, _ in
      _ = try fetch(bench, folder)
      #expect(try fetch(bench, folder).fetched == [])
      // Changed by somebody since.
      let config = folder.appending(path: "config.json")
      try Data("[]".utf8).write(to: config)
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: 3600)], ofItemAtPath: config.path)
      #expect(try fetch(bench, folder).fetched.map(\.path) == ["config.json"])
      #expect(try Data(contentsOf: config) == Data("{}".utf8))
    }
  }

  @Test func aLargeFileWithoutNotesIsKnownByItsChecksum() throws {
    try withFolder { bench, folder, _ in
      _ = try fetch(bench, folder)
      try FileManager.default.removeItem(at: folder.appending(path: ".cache"))
      let again = try fetch(bench, folder)
      #expect(again.fetched.map(\.path) == ["config.json", "sub/a b.txt"])
      #expect(bench.stored == 300_000)
    }
  }

  @Test func aNewCommitWithTheSameFileFetchesItNotAgain() throws {
    try withFolder { bench, folder, _ in
      _ = try fetch(bench, folder)
      let commit = try bench.standIn.put(
        "org/name", files: ["config.json": "{\"a\":1}"], keeping: true)
      #expect(try fetch(bench, folder).fetched.map(\.path) == ["config.json"])
      let notes = try String(
        contentsOf: folder.appending(
          path: ".cache/huggingface/download/model.safetensors.metadata"), encoding: .utf8)
      #expect(notes.hasPrefix(commit))
    }
  }

  @Test func whatTheCacheHasIsCopied() throws {
    try withFolder { bench, folder, _ in
      _ = try bench.hub().snapshot(model, everything)
      let resolved = try bench.asked {
        let snapshot = try fetch(bench, folder)
        #expect(snapshot.fetched == [])
        #expect(snapshot.received == 0)
      }
      #expect(!resolved.contains { $0.contains("/resolve/") })
      let place = folder.appending(path: "model.safetensors")
      #expect(try Data(contentsOf: place) == Data(bytes(300_000)))
      #expect((try? FileManager.default.destinationOfSymbolicLink(atPath: place.path)) == nil)
    }
  }

  @Test func offlineAWholeFolderIsTakenAndAPartIsNot() throws {
    try withFolder { bench, folder, _ in
      _ = try fetch(bench, folder)
      let hub = bench.hub { $0.offline = HubSettings.Offline(variable: "HF_HUB_OFFLINE") }
      let snapshot = try hub.snapshot(model, everything, into: .folder(folder.path))
      #expect(snapshot.files.count == 3)
      try FileManager.default.removeItem(at: folder.appending(path: "config.json"))
      let error = failure { () throws(HubError) in
        try hub.snapshot(model, everything, into: .folder(folder.path))
      }
      guard case .offline(_, _, ["config.json"], _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }
}
