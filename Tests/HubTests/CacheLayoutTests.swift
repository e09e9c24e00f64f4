import Foundation
import Hub
import JSON
import Support
import Tensors
import Testing

/// The cache's folders and files, held against what huggingface_hub leaves behind.
@Suite struct CacheLayoutTests {
  /// The same downloads as `fixtures/hub/generate.py` has huggingface_hub make.
  private static func fill(
    _ cache: HubCache, from listings: [String: HubListing], _ blobs: [String: String]
  ) throws {
    func add(_ repository: HubCache.Repository, _ file: HubFile, _ commit: String) throws {
      try repository.prepare()
      _ = try HubLock(repository.lock(file.etag))
      let blob = try repository.blob(file.etag)
      let isNew = !Folder.exists(blob)
      if isNew {
        let text = try #require(blobs[file.etag])
        try Data(text.utf8).write(to: URL(filePath: repository.incomplete(file.etag)))
        try Folder.publish(repository.incomplete(file.etag), as: blob)
      }
      try repository.link(file.path, commit, to: file.etag, isNew: isNew)
    }
    let commits = HubFixtures.commits
    let tiny = cache.repository(HubRepository("org/tiny"))
    for revision in ["main", "refs/pr/1"] {
      let commit = try #require(commits[revision]?.string)
      let listing = try #require(listings[commit])
      try tiny.setListing(listing)
      try tiny.setRef(revision, commit)
      for file in listing.files { try add(tiny, file, commit) }
    }
    let main = try #require(commits["main"]?.string)
    let tag = try #require(commits["v1.0"]?.string)
    let config = try #require(listings[main]?.files.first { $0.path == "config.json" })
    try tiny.setRef("v1.0", tag)
    try add(tiny, config, tag)
    try tiny.markAbsent("absent.json", main)
    try tiny.markAbsent("sub/absent.json", main)
    for id in [HubRepository("org/data", kind: .dataset), HubRepository("single")] {
      try cache.repository(id).setRef("main", main)
      try add(cache.repository(id), config, main)
    }
  }

  /// The listings that huggingface_hub kept, and the contents of its blobs.
  private static func told() throws -> (listings: [String: HubListing], blobs: [String: String]) {
    var listings: [String: HubListing] = [:]
    var blobs: [String: String] = [:]
    for (path, entry) in HubFixtures.object("cache")["links"]?.object?.members ?? [] {
      let text = entry.object?["text"]?.string ?? ""
      let name = Folder.name(path)
      if path.contains("/blobs/") { blobs[name] = text }
      guard path.contains("/trees/") else { continue }
      let commit = String(name.dropLast(5))
      let files = try #require(try JSON(parsing: Array(text.utf8)).object?["files"]?.object)
      listings[commit] = HubListing(
        repository: HubRepository("org/tiny"), revision: "main", commit: commit,
        files: files.members.map { path, value in
          let object = value.object ?? [:]
          return HubFile(
            path: path, size: object["size"]?.integer ?? 0, blob: object["blob_id"]?.string ?? "",
            sha256: object["lfs_sha256"]?.string, xetHash: object["xet_hash"]?.string)
        })
    }
    return (listings, blobs)
  }

  @Test(arguments: ["links", "plain"])
  func theSameDownloadsLeaveTheSameCache(_ kind: String) throws {
    try Support.withTemporaryFolder { folder in
      var settings = HubFixtures.settings(folder)
      settings.disablesLinks = kind == "plain"
      let told = try Self.told()
      #expect(told.listings.count == 2)
      try Self.fill(HubCache(settings), from: told.listings, told.blobs)
      let wanted = HubFixtures.entries(kind)
      let found = try HubFixtures.entries(of: folder)
      #expect(Set(found.keys) == Set(wanted.keys))
      for (path, entry) in wanted {
        // A lock is made with its mode whatever the mask is; other files have what the mask leaves.
        func comparable(_ entry: String) -> String {
          guard !path.hasSuffix(".lock"), entry.hasPrefix("0o") else { return entry }
          return String(entry.drop { $0 != " " })
        }
        let ours = found[path].map(comparable)
        let theirs = comparable(entry)
        #expect(ours == theirs, "\(path)")
      }
    }
  }

  @Test(arguments: ["links", "plain"])
  func whatPythonDownloadedIsFound(_ kind: String) throws {
    try Support.withTemporaryFolder { folder in
      try HubFixtures.lay(kind, in: folder)
      let cache = HubCache(HubFixtures.settings(folder))
      #expect(
        try cache.repositories().map(\.id) == [
          HubRepository("org/data", kind: .dataset), HubRepository("org/tiny"),
          HubRepository("single"),
        ])
      let tiny = cache.repository(HubRepository("org/tiny"))
      for (revision, commit) in HubFixtures.commits.members {
        #expect(tiny.commit(revision) == commit.string)
        let snapshot = try tiny.snapshot(commit.string ?? "")
        #expect(Folder.isFolder(snapshot))
      }
      #expect(tiny.refs().map(\.name) == ["main", "refs/pr/1", "v1.0"])
      let main = try #require(tiny.commit("main"))
      let listing = try #require(tiny.listing(main))
      #expect(listing.files.count == 7)
      #expect(listing.files.allSatisfy { tiny.has($0, main) })
      #expect(tiny.isAbsent("absent.json", main) && tiny.isAbsent("sub/absent.json", main))
      #expect(!tiny.isAbsent("config.json", main))
    }
  }

  @Test func aLinkToAnotherBlobIsReplaced() throws {
    try Support.withTemporaryFolder { folder in
      let repository = HubCache(HubFixtures.settings(folder)).repository(HubRepository("org/tiny"))
      let commit = String(repeating: "1", count: 40)
      try repository.prepare()
      for etag in ["old", "new"] {
        try Data(etag.utf8).write(to: URL(filePath: repository.blob(etag)))
        try repository.link("a/b", commit, to: etag, isNew: true)
        try repository.link("a/b", commit, to: etag, isNew: false)
        let text = try Data(contentsOf: URL(filePath: repository.place("a/b", commit)))
        #expect(text == Data(etag.utf8))
      }
      // A file where a link belongs, as without links, gives way as well.
      try FileManager.default.removeItem(atPath: repository.place("a/b", commit))
      try Data("odd".utf8).write(to: URL(filePath: repository.place("a/b", commit)))
      try repository.link("a/b", commit, to: "new", isNew: false)
      #expect(Folder.target(of: try repository.place("a/b", commit)) == "../../../blobs/new")
      let drafts = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/.locks")
      #expect(drafts.isEmpty)
    }
  }

  @Test func withoutLinksAFileThatIsNotNewIsCopied() throws {
    try Support.withTemporaryFolder { folder in
      var settings = HubFixtures.settings(folder)
      settings.disablesLinks = true
      let repository = HubCache(settings).repository(HubRepository("org/tiny"))
      let commit = String(repeating: "1", count: 40)
      try repository.prepare()
      let bytes = Data((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
      try bytes.write(to: URL(filePath: repository.blob("etag")))
      try repository.link("copied", commit, to: "etag", isNew: false)
      #expect(Folder.exists(try repository.blob("etag")))
      #expect(try Data(contentsOf: URL(filePath: repository.place("copied", commit))) == bytes)
      try repository.link("moved", commit, to: "etag", isNew: true)
      #expect(!Folder.exists(try repository.blob("etag")))
      #expect(try Data(contentsOf: URL(filePath: repository.place("moved", commit))) == bytes)
    }
  }

  @Test func aBlobIsTakenFromTheSharedStore() throws {
    try Support.withTemporaryFolder { folder in
      let hash = String(repeating: "ab", count: 32)
      let file = HubFile(
        path: "model.safetensors", size: 5, blob: "b", sha256: String(repeating: "c", count: 64),
        xetHash: hash)
      let repository = HubCache(HubFixtures.settings(folder)).repository(HubRepository("org/tiny"))
      try repository.prepare()
      #expect(!repository.linkShared(file))
      try Folder.create(folder.path + "/blobs/ab")
      try Data("bytes".utf8).write(to: folder.appending(path: "blobs/ab/\(hash)"))
      // Without the mark the folder is somebody else's.
      #expect(!repository.linkShared(file))
      try Data("1\n".utf8).write(to: folder.appending(path: "blobs/.huggingface-shared-blobs"))
      #expect(repository.linkShared(file))
      let blob = try repository.blob(file.etag)
      #expect(Folder.target(of: blob) == "../../blobs/ab/\(hash)")
      #expect(try Data(contentsOf: URL(filePath: blob)) == Data("bytes".utf8))
      let references = try Data(contentsOf: folder.appending(path: "blobs/ab/\(hash).refs"))
      #expect(
        String(decoding: references, as: UTF8.self) == "models--org--tiny/blobs/\(file.etag)\n")
      var longer = file
      longer.size = 6
      #expect(!repository.linkShared(longer))
      var settings = HubFixtures.settings(folder)
      settings.sharesBlobs = false
      #expect(!HubCache(settings).repository(HubRepository("org/tiny")).linkShared(file))
    }
  }

  @Test func namesThatWouldLeaveTheCacheAreRefused() throws {
    try Support.withTemporaryFolder { folder in
      let repository = HubCache(HubFixtures.settings(folder)).repository(HubRepository("org/tiny"))
      let commit = String(repeating: "1", count: 40)
      for path in ["../x", "/etc/x", "a/../../x", "a//b", ".", "a\0b", "a\\..\\b"] {
        #expect(throws: HubError.self) {
          try repository.link(path, commit, to: "etag", isNew: true)
        }
        #expect(throws: HubError.self) { try repository.markAbsent(path, commit) }
        #expect(throws: HubError.self) { try repository.setRef(path, commit) }
      }
      for etag in [
        "", "..", "../x", "a/b", ".x", "a\0", "x.incomplete", "x.lock",
        String(repeating: "a", count: 300),
      ] {
        #expect(throws: HubError.self) { try repository.blob(etag) }
        #expect(throws: HubError.self) { try repository.lock(etag) }
      }
      for commit in [
        "..", "main", "", String(repeating: "G", count: 40), String(repeating: "1", count: 41),
      ] {
        #expect(throws: HubError.self) { try repository.snapshot(commit) }
        #expect(throws: HubError.self) { try repository.setRef("main", commit) }
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(left.isEmpty)
    }
  }

  @Test(arguments: [
    "", "{", "[]", "{}", #"{"format_version": 2, "files": {}}"#, #"{"format_version": 1}"#,
    #"{"format_version": 1, "files": {"../x": {"size": 1, "blob_id": "a"}}}"#,
    #"{"format_version": 1, "files": {"x": {"size": -1, "blob_id": "a"}}}"#,
    #"{"format_version": 1, "files": {"x": {"size": 1, "blob_id": "../a"}}}"#,
    #"{"format_version": 1, "files": {"x": {"size": 1e300, "blob_id": "a"}}}"#,
    #"{"format_version": 1, "files": {"x": {"size": 1, "blob_id": "a", "lfs_sha256": "short"}}}"#,
    #"{"format_version": 1, "files": {"x": {"size": 1, "blob_id": "a", "xet_hash": "short"}}}"#,
    #"{"format_version": 1, "files": {"x": 3}}"#,
  ]) func aListingThatCannotBeSoIsNone(_ text: String) throws {
    try Support.withTemporaryFolder { folder in
      let repository = HubCache(HubFixtures.settings(folder)).repository(HubRepository("org/tiny"))
      let commit = String(repeating: "1", count: 40)
      try Folder.create(repository.folder + "/trees")
      try Data(text.utf8).write(to: URL(filePath: repository.folder + "/trees/\(commit).json"))
      #expect(repository.listing(commit) == nil)
    }
  }

  @Test func aRefThatIsNoCommitIsUnknown() throws {
    try Support.withTemporaryFolder { folder in
      let repository = HubCache(HubFixtures.settings(folder)).repository(HubRepository("org/tiny"))
      try Folder.create(repository.folder + "/refs")
      for text in [
        "", "../../../etc", "main", String(repeating: "1", count: 39),
        String(repeating: "1", count: 4000),
      ] {
        try Data(text.utf8).write(to: URL(filePath: repository.folder + "/refs/main"))
        #expect(repository.commit("main") == nil)
      }
      // Older versions and people end the line.
      let commit = String(repeating: "1", count: 40)
      try Data("\(commit)\n".utf8).write(to: URL(filePath: repository.folder + "/refs/main"))
      #expect(repository.commit("main") == commit)
    }
  }
}
