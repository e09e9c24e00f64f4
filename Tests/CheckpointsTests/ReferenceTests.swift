import Checkpoints
import Foundation
import Glibc
import Hub
import HubStandIn
import Support
import Synchronization
import Tensors
import Testing

/// What a reference to a model leads to: folders first, then the hub and its cache.
@Suite struct ReferenceTests {
  private static let commits = ["main": "a", "v1.0": "b", "refs/pr/1": "c"].mapValues {
    String(repeating: $0, count: 40)
  }

  /// A hub cache as huggingface_hub lays it out: `org/tiny` with a branch, a tag and a pull request.
  private static func makeCache(_ hub: String) throws {
    func write(_ text: String, _ path: String) throws {
      try Folder.create(Folder.parent(hub + path))
      try Data(text.utf8).write(to: URL(filePath: hub + path))
    }
    for name in ["models--org--tiny", "models--single"] {
      for (revision, commit) in commits {
        // A snapshot's files are links to blobs.
        try write("{}", "/\(name)/blobs/\(commit)")
        try Folder.create("\(hub)/\(name)/snapshots/\(commit)")
        #expect(
          symlink("../../blobs/\(commit)", "\(hub)/\(name)/snapshots/\(commit)/config.json") == 0)
        try write(commit, "/\(name)/refs/\(revision)")
      }
    }
    try write("../../../etc", "/models--org--tiny/refs/evil")
  }

  /// Runs a body whose hub has such a cache and makes no connections.
  private static func offline(_ body: (String) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      try makeCache(folder.path)
      var settings = HubSettings(home: folder.path, cache: folder.path)
      settings.offline = .init(variable: "HF_HUB_OFFLINE")
      try Hub.$current.withValue(Hub(settings)) { try body(folder.path) }
    }
  }

  private static func resolve(_ text: String, _ revision: String? = nil) throws -> String {
    try ModelReference(text, revision: revision).folder(.configuration)
  }

  @Test func namesBranchesTagsAndCommitsLeadToSnapshots() throws {
    try Self.offline { hub in
      let snapshots = hub + "/models--org--tiny/snapshots/"
      let main = try #require(Self.commits["main"])
      let tag = try #require(Self.commits["v1.0"])
      let request = try #require(Self.commits["refs/pr/1"])
      for text in ["org/tiny", "hf://org/tiny", "org/tiny@main", "hf://org/tiny@\(main)"] {
        #expect(try Self.resolve(text) == snapshots + main)
      }
      #expect(try Self.resolve("https://huggingface.co/org/tiny/tree/v1.0") == snapshots + tag)
      #expect(try Self.resolve("org/tiny@v1.0") == snapshots + tag)
      #expect(try Self.resolve("org/tiny", "v1.0") == snapshots + tag)
      #expect(try Self.resolve("org/tiny", tag) == snapshots + tag)
      #expect(try Self.resolve("hf://org/tiny", "refs/pr/1") == snapshots + request)
      #expect(try Self.resolve("single") == hub + "/models--single/snapshots/\(main)")
    }
  }

  @Test func twoRevisionsAreOneTooMany() throws {
    try Self.offline { _ in
      #expect(throws: (any Error).self) { try Self.resolve("org/tiny@v1.0", "main") }
    }
  }

  @Test func whatIsNeitherHereNorInTheCacheIsSaidWithBothPlaces() throws {
    try Self.offline { hub in
      for (text, place) in [
        ("org/none", "\(hub)/models--org--none"), ("org/tiny@v9", "\(hub)/models--org--tiny"),
        // What a reference file holds is no path.
        ("org/tiny@evil", "\(hub)/models--org--tiny"),
      ] {
        #expect {
          try Self.resolve(text)
        } throws: {
          guard case ConversionError.notFound(let folder, let error) = $0 else { return false }
          return folder == Folder.absolute(text) && "\(error)".contains(place)
            && "\(error)".contains("HF_HUB_OFFLINE") && !"\($0)".contains("etc")
            && "\($0)".contains(folder)
        }
      }
      #expect(throws: HubError.self) { try Self.resolve("hf://org/none") }
    }
  }

  @Test func aFolderIsItself() throws {
    try Support.withTemporaryFolder { folder in
      let inner = folder.path + "/a/b@c/d"
      try Folder.create(inner)
      #expect(try Self.resolve(inner) == inner)
      #expect(try Self.resolve(folder.path + "/a/../a/b@c/./d/") == inner)
      #expect {
        try Self.resolve(folder.path + "/none")
      } throws: {
        guard case ConversionError.modelNotFound(_, let looked) = $0 else { return false }
        return looked == [folder.path + "/none"]
      }
      for text in ["../isthmus-no-such-folder", "./x/y/z", "~/x", ".."] where text != ".." {
        #expect {
          try Self.resolve(text)
        } throws: {
          if case ConversionError.modelNotFound(text, _) = $0 { true } else { false }
        }
      }
    }
  }

  @Test(arguments: [
    "a/b/c", "a//b", "", "org/na me", "org/tiny@", "org/tiny@../x", "org/tiny@a//b",
    "org/tiny@/etc", "org/tiny@.", "org/tiny@a/./b", "org/\u{E9}t\u{E9}",
  ]) func whatIsNoReferenceIsRefused(_ text: String) throws {
    try Self.offline { _ in
      #expect {
        try Self.resolve(text)
      } throws: {
        guard case ConversionError.notFound(_, .badReference(text, _)) = $0 else { return false }
        return true
      }
    }
  }

  @Test(arguments: ["hf://../x", "hf://a/..", "hf://", "hf:///x", "https://example.com/a/b"])
  func whatIsNoAddressIsRefused(_ text: String) throws {
    try Self.offline { _ in
      #expect {
        try Self.resolve(text)
      } throws: {
        if case HubError.badReference(text, _)? = $0 as? HubError { true } else { false }
      }
    }
  }

  // MARK: Asking

  /// Runs a body whose hub is a stand-in.
  private static func online(_ body: (HubStandIn, String) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      let hub = try HubStandIn()
      var settings = HubSettings(home: folder.path, cache: folder.path + "/hub")
      settings.endpoint = hub.endpoint
      settings.firstWait = 0.01
      try Hub.$current.withValue(Hub(settings)) { try body(hub, folder.path) }
    }
  }

  @Test func oneCommandTakesOneCommit() throws {
    try Self.online { hub, folder in
      try hub.put("org/tiny", files: ["config.json": .text("{}"), "tokenizer.json": .text("{}")])
      let first = try Self.resolve("org/tiny")
      let other = try hub.put("org/tiny", files: ["config.json": .text(#"{"moved": true}"#)])
      #expect(try ModelReference("hf://org/tiny").folder(.tokenizer) == first)
      #expect(!first.hasSuffix(other))
      // The next command takes the new one.
      let again = Hub(Hub.current.settings)
      let now = try Hub.$current.withValue(again) { try Self.resolve("org/tiny") }
      #expect(now.hasSuffix(other))
    }
  }

  /// Keeps what it is told.
  private final class Listener: HubWatching {
    let notes = Mutex<[String]>([])

    func during<Result>(
      _ progress: HubProgress, _ work: () throws(HubError) -> Result
    ) throws(HubError) -> Result { try work() }

    func note(_ text: String) { notes.withLock { $0.append(text) } }
  }

  @Test func whoeverWatchesIsToldOnceThatTheHubCannotBeReached() throws {
    try Self.online { hub, folder in
      try hub.put("org/tiny", files: ["config.json": .text("{}")])
      let first = try Self.resolve("org/tiny")
      hub.stop()
      let listener = Listener()
      try Hub.$current.withValue(Hub(Hub.current.settings, watching: listener)) {
        for _ in 0..<3 {
          let again = try Self.resolve("org/tiny")
          #expect(again == first)
        }
      }
      let notes = listener.notes.withLock { $0 }
      #expect(notes.count == 1 && notes.first?.contains("cannot be reached") == true)
    }
  }

  @Test func aRecordedNameIsLookedForHereFirst() throws {
    try Self.online { hub, folder in
      let run = folder + "/work/run/iter_0000001"
      try Folder.create(run)
      try Folder.create(folder + "/work/models/llama")
      try Data("{}".utf8).write(to: URL(filePath: folder + "/work/models/llama/config.json"))
      let found = try ModelReference("models/llama").recorded(in: run, .configuration)
      #expect(found == folder + "/work/models/llama")
      #expect(hub.requests.isEmpty)
    }
  }

  @Test func aRecordedNameIsAskedForOnce() throws {
    try Self.online { hub, folder in
      for name in ["/lustre/models/llama", "~/llama", "../llama", "llama"] {
        #expect(throws: (any Error).self) {
          try ModelReference(name).recorded(in: folder, .configuration)
        }
      }
      #expect(hub.requests.isEmpty)
      #expect(throws: (any Error).self) {
        try ModelReference("models/llama").recorded(in: folder, .configuration)
      }
      #expect(hub.requests.count <= 2)
    }
  }

  @Test func aRecordedNameThatTheCacheHasIsNotAskedFor() throws {
    try Self.online { hub, folder in
      try hub.put("org/tiny", files: ["config.json": .text("{}")])
      let first = try ModelReference("org/tiny").recorded(in: folder, .configuration)
      let asked = hub.requests.count
      #expect(asked > 0)
      let again = Hub(Hub.current.settings)
      let second = try Hub.$current.withValue(again) {
        try ModelReference("org/tiny").recorded(in: folder, .configuration)
      }
      #expect(second == first)
      #expect(hub.requests.count == asked)
    }
  }

  @Test func anAdapterIsFetchedByItsName() throws {
    try Self.online { hub, folder in
      try hub.put(
        "org/adapter",
        files: [
          "adapter_config.json": .text("{}"), "adapter_model.safetensors": .text("x"),
          "optimizer.pt": .text("x"), "README.md": .text("x"),
        ])
      let place = try AdapterReference("org/adapter").place()
      #expect(
        Folder.entries(place) == ["README.md", "adapter_config.json", "adapter_model.safetensors"])
      #expect(try AdapterReference(folder).place() == folder)
      #expect(try AdapterReference("./none").place() == "./none")
    }
  }

  @Test func weightsThatAreThereInPartMayBeLeftAlone() throws {
    try Support.withTemporaryFolder { folder in
      let config = try Data(contentsOf: Support.demo.appending(path: "config.json"))
      try config.write(to: folder.appending(path: "config.json"))
      let index = try Data(contentsOf: Support.demo.appending(path: "model.safetensors.index.json"))
      try index.write(to: folder.appending(path: "model.safetensors.index.json"))
      #expect(throws: (any Error).self) { try HuggingFaceModel(folder: folder.path) }
      let model = try HuggingFaceModel(folder: folder.path, needsWeights: false)
      #expect(model.weights == nil)
    }
  }

  @Test func aTokenizerIsFetchedWithoutWeights() throws {
    try Self.online { hub, folder in
      try hub.put(
        "org/tiny",
        files: [
          "config.json": .text("{}"), "tokenizer.json": .text("{}"),
          "model.safetensors": .text("x"),
        ])
      let place = try TokenizerPlace.find("org/tiny")
      #expect(Folder.entries(place) == ["config.json", "tokenizer.json"])
      #expect(try TokenizerPlace.find("none.json") == "none.json")
    }
  }
}
