import Foundation
import Hub
import JSON
import Support
import Tensors
import Testing

/// What reading a cache that huggingface_hub made finds, and what lies in it.
@Suite struct VerificationTests {
  private static let tiny = "models--org--tiny"

  /// A cache as huggingface_hub left it, and a hub that asks nobody.
  private static func withCache(
    _ kind: String = "links", _ body: (URL, Hub) throws -> Void
  ) throws {
    try Support.withTemporaryFolder { folder in
      try HubFixtures.lay(kind, in: folder)
      var settings = HubFixtures.settings(folder)
      settings.offline = .init(variable: "HF_HUB_OFFLINE")
      try body(folder, Hub(settings))
    }
  }

  private static func commit(_ revision: String) -> String {
    HubFixtures.commits[revision]?.string ?? ""
  }

  @Test(arguments: ["links", "plain"]) func whatPythonWroteIsWhole(_ kind: String) throws {
    try Self.withCache(kind) { folder, hub in
      let result = try hub.verify()
      #expect(!result.hasFaults)
      #expect(result.findings.isEmpty)
      // Seven files of two commits and one of three others, as links to eight blobs and single copies of two.
      #expect(result.checkedFiles == (kind == "links" ? 9 : 14))
      #expect(result.uncheckedFiles == (kind == "links" ? 0 : 3))
    }
  }

  @Test func everyKindOfFaultIsFound() throws {
    try Self.withCache { folder, hub in
      let repository = folder.appending(path: Self.tiny)
      let snapshot = repository.appending(path: "snapshots/" + Self.commit("main"))
      let files = FileManager.default
      let weights = try files.destinationOfSymbolicLink(
        atPath: snapshot.appending(path: "model.safetensors").path)
      let readme = try files.destinationOfSymbolicLink(
        atPath: snapshot.appending(path: "README.md").path)
      let blob = repository.appending(path: "blobs/" + Folder.name(weights))
      var bytes = try Data(contentsOf: blob)
      bytes[100] ^= 1
      try bytes.write(to: blob)
      try files.removeItem(at: repository.appending(path: "blobs/" + Folder.name(readme)))
      try files.removeItem(at: snapshot.appending(path: "empty.txt"))
      try files.createSymbolicLink(
        atPath: snapshot.appending(path: "empty.txt").path, withDestinationPath: weights)
      try files.removeItem(at: snapshot.appending(path: "überall.txt"))
      try Data("{".utf8).write(
        to: repository.appending(path: "trees/" + Self.commit("refs/pr/1") + ".json"))
      try files.removeItem(at: repository.appending(path: "snapshots/" + Self.commit("v1.0")))
      try Data("part".utf8).write(
        to: repository.appending(path: "blobs/\(String(repeating: "a", count: 64)).incomplete"))
      try Data("x".utf8).write(
        to: repository.appending(path: "blobs/\(String(repeating: "b", count: 40))"))
      let result = try hub.verify()
      #expect(result.hasFaults)
      func paths(_ kind: HubVerification.Kind) -> [String] {
        result.findings.filter { $0.kind == kind }.map(\.path)
      }
      let main = "snapshots/" + Self.commit("main")
      #expect(
        paths(.corrupt) == [
          "blobs/" + Folder.name(weights), "blobs/" + String(repeating: "b", count: 40),
        ])
      #expect(
        paths(.dangling) == [
          "\(main)/README.md", "snapshots/\(Self.commit("refs/pr/1"))/README.md",
        ])
      #expect(paths(.misled) == ["\(main)/empty.txt"])
      #expect(paths(.absent) == ["\(main)/überall.txt"])
      #expect(paths(.unreadable) == ["trees/\(Self.commit("refs/pr/1")).json"])
      #expect(paths(.lost) == ["refs/v1.0"])
      #expect(paths(.incomplete) == ["blobs/\(String(repeating: "a", count: 64)).incomplete"])
      #expect(paths(.unused) == ["blobs/\(String(repeating: "b", count: 40))"])
      let corrupt = try #require(result.findings.first { $0.kind == .corrupt })
      #expect(corrupt.repair?.path == "model.safetensors")
      #expect(corrupt.repair?.revision == Self.commit("main"))
      #expect(corrupt.detail.contains("SHA-256"))
    }
  }

  @Test func aRevisionIsVerifiedAlone() throws {
    try Self.withCache { folder, hub in
      let tag = try HubReference(parsing: "org/tiny@v1.0")
      let one = try hub.verify([tag])
      let all = try hub.verify([HubReference(parsing: "org/tiny")])
      #expect(one.checkedFiles == 1 && all.checkedFiles == 7)
      for text in ["org/none", "org/tiny@v9"] {
        #expect {
          try hub.verify([HubReference(parsing: text)])
        } throws: {
          if case HubError.notCached? = $0 as? HubError { true } else { false }
        }
      }
    }
  }

  @Test func nothingIsChanged() throws {
    try Self.withCache { folder, hub in
      let before = try HubFixtures.entries(of: folder)
      _ = try hub.verify()
      _ = try hub.cacheInventory()
      let after = try HubFixtures.entries(of: folder)
      #expect(after == before)
    }
  }

  @Test(arguments: ["links", "plain"]) func whatLiesThereIsCounted(_ kind: String) throws {
    try Self.withCache(kind) { folder, hub in
      try Data("part".utf8).write(
        to: folder.appending(
          path: Self.tiny + "/blobs/\(String(repeating: "a", count: 64)).incomplete"))
      let inventory = try hub.cacheInventory()
      #expect(
        inventory.repositories.map(\.id.title) == ["datasets/org/data", "org/tiny", "single"])
      let tiny = inventory.repositories[1]
      #expect(tiny.revisions.map(\.refs) == [["main"], ["refs/pr/1"], ["v1.0"]])
      #expect(tiny.revisions.map(\.files) == [7, 7, 1])
      #expect(tiny.revisions.map(\.listed) == [7, 7, nil])
      // The sizes of generate.py's files.
      let sizes = [23, 18, 6, 2, 0, 693, 20]
      let all = sizes.reduce(0, +)
      #expect(tiny.revisions.map(\.bytes) == [all, all, 23])
      // Links lead to one copy; plain files are copies.
      #expect(tiny.files == (kind == "links" ? 7 : 15))
      #expect(tiny.bytes == (kind == "links" ? all : 2 * all + 23))
      #expect(inventory.bytes == tiny.bytes + 46)
      #expect(tiny.incomplete.map(\.bytes) == [4])
      #expect(tiny.used > 0 && tiny.modified > 0)
    }
  }

  @Test func anEmptyCacheIsEmpty() throws {
    try Support.withTemporaryFolder { folder in
      let hub = Hub(HubFixtures.settings(folder.appending(path: "none")))
      let (inventory, result) = (try hub.cacheInventory(), try hub.verify())
      #expect(inventory.repositories.isEmpty && result.checkedFiles == 0)
    }
  }

  @Test func aLargeFileIsReadInPieces() throws {
    try Support.withTemporaryFolder { folder in
      let hub = Hub(HubFixtures.settings(folder))
      let blobs = folder.path + "/models--org--tiny/blobs"
      let snapshot =
        folder.path + "/models--org--tiny/snapshots/" + String(repeating: "1", count: 40)
      try Folder.create(blobs)
      try Folder.create(snapshot)
      // `head -c 10000000 /dev/zero | sha256sum`
      let name = "f5e02aa71e67f41d79023a128ca35bad86cf7b6656967bfe0884b3a3c4325eaf"
      try Data(count: 10_000_000).write(to: URL(filePath: "\(blobs)/\(name)"))
      try FileManager.default.createSymbolicLink(
        atPath: snapshot + "/zeros", withDestinationPath: "../../blobs/\(name)")
      let result = try hub.verify()
      #expect(result.checkedBytes == 10_000_000)
      #expect(result.findings.map(\.detail) == [])
    }
  }
}
