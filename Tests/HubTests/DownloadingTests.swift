import Foundation
import Hub
import HubStandIn
import Support
import Testing

@Suite struct DownloadingTests {
  static let odd = "sub/deep/with space #%?&+é 漢.txt"
  static let files: [String: HubStandIn.Contents] = [
    "config.json": "{}", "empty.txt": "", "model.safetensors": .bytes(bytes(300_000)),
    odd: "odd", "sub/empty.bin": .bytes([], large: true),
  ]

  @Test func aRepositoryComesWholeLaidOutAsPythonLaysItOut() throws {
    try Bench.with { bench in
      let commit = try bench.standIn.put("org/name", files: Self.files)
      let snapshot = try bench.hub().snapshot(model, everything)
      #expect(snapshot.commit == commit)
      #expect(snapshot.folder == bench.repository.appending(path: "snapshots/\(commit)").path)
      #expect(snapshot.notes == [])
      #expect(Set(snapshot.fetched.map(\.path)) == Set(Self.files.keys))
      let held = bench.standIn.files(of: "org/name")
      for (path, wanted) in held {
        let place = "\(snapshot.folder)/\(path)"
        #expect(FileManager.default.contents(atPath: place).map(Array.init) == wanted, "\(path)")
        let link = try FileManager.default.destinationOfSymbolicLink(atPath: place)
        let depth = 2 + path.filter { $0 == "/" }.count
        #expect(link.hasPrefix(String(repeating: "../", count: depth) + "blobs/"))
      }
      let refs = bench.repository.appending(path: "refs/main")
      #expect(try String(contentsOf: refs, encoding: .utf8) == commit)
      #expect(names(in: bench.repository.appending(path: "trees")) == ["\(commit).json"])
      #expect(bench.blobs.allSatisfy { !$0.hasSuffix(".incomplete") })
      #expect(bench.blobs.contains(sha256(bytes(300_000))))
    }
  }

  @Test func everythingIsAskedOnceAndTheStorageLearnsNoToken() throws {
    try Bench.with { bench in
      let commit = try bench.standIn.put("org/name", files: Self.files)
      _ = try bench.hub().snapshot(model, everything)
      let requests = bench.standIn.requests
      #expect(Set(bench.asked).count == requests.count, "\(bench.asked)")
      #expect(requests.allSatisfy { $0.method == "GET" })
      #expect(requests.filter { $0.server == .storage }.count == 1)
      for request in requests {
        #expect(
          request.authorization == (request.server == .hub ? "Bearer \(Bench.token)" : nil))
        #expect(request.range == nil)
      }
      // What is empty needs no asking.
      #expect(
        Set(requests.filter { $0.path.contains("/resolve/") }.map(\.path))
          == Set(
            ["config.json", "model.safetensors", Self.odd].map {
              "/org/name/resolve/\(commit)/\($0)"
            }))
      // The address is what Python's quote makes of the name.
      #expect(
        requests.contains {
          $0.target.hasSuffix(
            "/sub/deep/with%20space%20%23%25%3F%26%2B%C3%A9%20%E6%BC%A2.txt")
        })
    }
  }

  @Test func whatIsThereIsNotFetchedAgain() throws {
    try Bench.with { bench in
      let commit = try bench.standIn.put("org/name", files: Self.files)
      let hub = bench.hub()
      _ = try hub.snapshot(model, everything)
      let again = try bench.asked {
        let snapshot = try bench.hub().snapshot(model, everything)
        #expect(snapshot.fetched == [])
      }
      #expect(again == ["hub GET /api/models/org/name/revision/main"])
      let pinned = HubReference(HubRepository("org/name"), revision: commit)
      let silent = try bench.asked {
        let snapshot = try bench.hub().snapshot(pinned, everything)
        #expect(snapshot.folder.hasSuffix(commit))
      }
      #expect(silent == [])
    }
  }

  @Test func aNewCommitBringsOnlyWhatChanged() throws {
    try Bench.with { bench in
      try bench.standIn.put("org/name", files: Self.files)
      let first = try bench.hub().snapshot(model, everything)
      try bench.standIn.put("org/name", files: ["config.json": "{\"new\": 1}"], keeping: true)
      let stored = bench.stored
      let before = bench.asked.count
      let plan = try bench.hub().plan(model, everything)
      #expect(plan.missing.map(\.path) == ["config.json"])
      #expect(plan.bytes == 10)
      let second = try bench.hub().snapshot(model, everything)
      #expect(second.fetched.map(\.path) == ["config.json"])
      #expect(second.received == 10)
      #expect(first.commit != second.commit)
      #expect(bench.asked.dropFirst(before).filter { $0.contains("/resolve/") }.count == 1)
      #expect(bench.stored == stored)
      #expect(FileManager.default.contents(atPath: "\(second.folder)/model.safetensors") != nil)
      #expect(
        FileManager.default.contents(atPath: "\(first.folder)/config.json") == Data("{}".utf8))
    }
  }

  @Test func onlyWhatIsNeededIsFetched() throws {
    try Bench.with { bench in
      try bench.standIn.put(
        "org/name",
        files: [
          "config.json": "{}", "model.safetensors": .bytes(bytes(1000), large: true),
          "pytorch_model.bin": .bytes(bytes(1000, 2), large: true),
          "original/model.pth": .bytes(bytes(1000, 3), large: true), "tokenizer.json": "{}",
        ])
      let hub = bench.hub()
      func paths(_ need: HubNeed) throws -> [String] {
        try hub.plan(model, need).files.map(\.path)
      }
      #expect(try paths(.model) == ["config.json", "model.safetensors", "tokenizer.json"])
      #expect(try paths(.configuration) == ["config.json"])
      #expect(
        try paths(.files(include: ["*.json"], exclude: ["tok*"])) == ["config.json"])
      #expect(
        try paths(.files(include: ["original/"], exclude: [])) == ["original/model.pth"])
      _ = try hub.snapshot(model, .model)
      #expect(bench.standIn.requests.filter { $0.server == .storage }.count == 1)
    }
  }

  @Test func datasetsAndBranchesWithSlashesAreAskedForWhereTheyAre() throws {
    try Bench.with { bench in
      try bench.standIn.put(
        "org/name", kind: .dataset, files: ["data/a b.jsonl": "1"], revision: "refs/pr/1")
      let reference = HubReference(HubRepository("org/name", kind: .dataset), revision: "refs/pr/1")
      let snapshot = try bench.hub().snapshot(reference, everything)
      #expect(snapshot.folder.contains("/datasets--org--name/snapshots/"))
      #expect(
        bench.standIn.requests.first?.target == "/api/datasets/org/name/revision/refs%2Fpr%2F1")
      #expect(
        FileManager.default.fileExists(
          atPath: bench.folder.appending(path: "hub/datasets--org--name/refs/refs/pr/1").path))
    }
  }

  @Test func smallFilesBehindARedirectOfTheHubComeToo() throws {
    var settings = HubStandIn.Settings()
    settings.redirectsSmallFiles = true
    try Bench.with(settings) { bench in
      try bench.standIn.put("org/name", files: ["config.json": "{}"], access: .private)
      bench.standIn.know(Bench.token, as: HubStandIn.Account("user", organizations: ["org"]))
      let snapshot = try bench.hub().snapshot(model, everything)
      #expect(
        FileManager.default.contents(atPath: "\(snapshot.folder)/config.json") == Data("{}".utf8))
    }
  }

  @Test func whatSeveralNamesStandForTravelsOnce() throws {
    try Bench.with { bench in
      let contents = HubStandIn.Contents.bytes(bytes(500_000), large: true)
      try bench.standIn.put(
        "org/name", files: ["a.bin": contents, "b.bin": contents, "c/d.bin": contents])
      let plan = try bench.hub().plan(model, everything)
      #expect(plan.bytes == 500_000)
      let snapshot = try bench.hub().snapshot(model, everything)
      #expect(bench.stored == 500_000)
      for name in ["a.bin", "b.bin", "c/d.bin"] {
        #expect(
          FileManager.default.contents(atPath: "\(snapshot.folder)/\(name)")?.count == 500_000)
      }
    }
  }

  @Test func namesThatLookAlikeAreDifferentFiles() throws {
    try Bench.with { bench in
      let commit = try bench.standIn.put("org/name", files: ["config.json": "{}"])
      let oid = String(repeating: "a", count: 40)
      try bench.answerTree(
        commit,
        ["e\u{301}.txt", "\u{E9}.txt"].map {
          ["type": "file", "path": $0, "size": 1, "oid": oid] as [String: Any]
        })
      let listing = try bench.hub().listing(HubRepository("org/name"))
      #expect(listing.files.map { Array($0.path.utf8).count } == [7, 6])
    }
  }

  @Test func aForcedDownloadFetchesEverythingAnew() throws {
    try Bench.with { bench in
      try bench.standIn.put("org/name", files: Self.files)
      let first = try bench.hub().snapshot(model, everything)
      let blob = URL(filePath: "\(first.folder)/model.safetensors").resolvingSymlinksInPath()
      try Data("spoilt".utf8).write(to: blob)
      let second = try bench.hub().snapshot(model, everything, isForced: true)
      #expect(second.fetched.count == Self.files.count)
      #expect(bench.stored == 2 * 300_000)
      #expect(try Data(contentsOf: blob) == Data(bytes(300_000)))
    }
  }

  @Test func aBlobThatWasCutShortIsFetchedAgain() throws {
    try Bench.with { bench in
      try bench.standIn.put("org/name", files: Self.files)
      let first = try bench.hub().snapshot(model, everything)
      let place = "\(first.folder)/model.safetensors"
      let blob = URL(filePath: place).resolvingSymlinksInPath()
      try Data(bytes(300_000).prefix(1000)).write(to: blob)
      let again = try bench.hub().snapshot(model, everything)
      #expect(again.fetched.map(\.path) == ["model.safetensors"])
      #expect(FileManager.default.contents(atPath: place) == Data(bytes(300_000)))
    }
  }

  @Test func withoutLinksTheSnapshotHoldsTheFiles() throws {
    try Bench.with { bench in
      try bench.standIn.put("org/name", files: Self.files)
      let hub = bench.hub { $0.disablesLinks = true }
      let snapshot = try hub.snapshot(model, everything)
      for (path, wanted) in bench.standIn.files(of: "org/name") {
        let place = "\(snapshot.folder)/\(path)"
        #expect((try? FileManager.default.destinationOfSymbolicLink(atPath: place)) == nil)
        #expect(FileManager.default.contents(atPath: place).map(Array.init) == wanted)
      }
      #expect(try hub.snapshot(model, everything).fetched == [])
    }
  }
}
