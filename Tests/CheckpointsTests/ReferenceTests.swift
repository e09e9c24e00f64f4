import Checkpoints
import Foundation
import Glibc
import Support
import Tensors
import Testing

/// What a reference to a model leads to.
///
/// Each test has a process of its own, whose environment it may set.
@Suite struct ReferenceTests {
  /// A hub cache as huggingface_hub lays it out: `org/tiny` with a branch, a tag and a pull request.
  private static func makeCache(_ hub: String) throws {
    let repository = hub + "/models--org--tiny"
    func write(_ text: String, _ path: String) throws {
      try Folder.create(Folder.parent(repository + path))
      try Data(text.utf8).write(to: URL(filePath: repository + path))
    }
    for (commit, text) in [("aaa111", "main"), ("bbb222", "tag"), ("ccc333", "request")] {
      // A snapshot's files are links to blobs.
      try write(text, "/blobs/\(text)")
      try Folder.create("\(repository)/snapshots/\(commit)")
      #expect(
        symlink("../../blobs/\(text)", "\(repository)/snapshots/\(commit)/config.json") == 0)
    }
    try write("aaa111", "/refs/main")
    try write("bbb222\n", "/refs/v1.0")
    try write("ccc333", "/refs/refs/pr/1")
    try write("ddd444", "/refs/gone")
    try write("../../../etc", "/refs/evil")
    try Folder.create(hub + "/models--single/snapshots/eee555")
    try Folder.create(hub + "/models--single/refs")
    try Data("eee555".utf8).write(to: URL(filePath: hub + "/models--single/refs/main"))
  }

  private static func withCache(_ body: (String) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"] {
        unsetenv(name)
      }
      setenv("HF_HUB_CACHE", folder.path, 1)
      try makeCache(folder.path)
      try body(folder.path)
    }
  }

  private static func resolve(_ text: String, _ revision: String? = nil) throws -> String {
    try ModelReference(text, revision: revision).folder()
  }

  @Test func namesBranchesTagsAndCommitsLeadToSnapshots() async {
    await #expect(processExitsWith: .success) {
      try Self.withCache { hub in
        let snapshots = hub + "/models--org--tiny/snapshots/"
        for text in ["org/tiny", "hf://org/tiny", "org/tiny@main", "hf://org/tiny@aaa111"] {
          #expect(try Self.resolve(text) == snapshots + "aaa111")
        }
        #expect(try Self.resolve("org/tiny@v1.0") == snapshots + "bbb222")
        #expect(try Self.resolve("org/tiny", "v1.0") == snapshots + "bbb222")
        #expect(try Self.resolve("org/tiny", "bbb222") == snapshots + "bbb222")
        #expect(try Self.resolve("hf://org/tiny", "refs/pr/1") == snapshots + "ccc333")
        // The revision in the text wins.
        #expect(try Self.resolve("org/tiny@v1.0", "main") == snapshots + "bbb222")
        #expect(try Self.resolve("single") == hub + "/models--single/snapshots/eee555")
        let text = try InputFile(Self.resolve("org/tiny@v1.0") + "/config.json").readAll()
        #expect(text == Array("tag".utf8))
      }
    }
  }

  @Test func theCacheLiesWhereTheEnvironmentSays() async {
    await #expect(processExitsWith: .success) {
      for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"] {
        unsetenv(name)
      }
      setenv("HOME", "/home/somebody", 1)
      #expect(ModelReference.cache() == "/home/somebody/.cache/huggingface/hub")
      setenv("XDG_CACHE_HOME", "/xdg", 1)
      #expect(ModelReference.cache() == "/xdg/huggingface/hub")
      setenv("HF_HOME", "/hf", 1)
      #expect(ModelReference.cache() == "/hf/hub")
      setenv("HUGGINGFACE_HUB_CACHE", "/older", 1)
      #expect(ModelReference.cache() == "/older")
      setenv("HF_HUB_CACHE", "/cache", 1)
      #expect(ModelReference.cache() == "/cache")
      setenv("HF_HUB_CACHE", "", 1)
      #expect(ModelReference.cache() == "/older")
    }
  }

  @Test func aModelInHFHomeIsFound() async {
    await #expect(processExitsWith: .success) {
      try Self.withCache { hub in
        unsetenv("HF_HUB_CACHE")
        setenv("HF_HOME", hub + "/home", 1)
        try Self.makeCache(hub + "/home/hub")
        #expect(
          try Self.resolve("org/tiny") == hub + "/home/hub/models--org--tiny/snapshots/aaa111")
      }
    }
  }

  @Test func aModelThatIsNotThereNamesEveryPlaceLookedAt() async {
    await #expect(processExitsWith: .success) {
      try Self.withCache { hub in
        let cases: [(String, String?, [String])] = [
          ("org/none", nil, ["models--org--none/refs/main", "models--org--none/snapshots/main"]),
          ("org/tiny@v9", nil, ["models--org--tiny/refs/v9", "models--org--tiny/snapshots/v9"]),
          (
            "hf://org/tiny", "gone",
            [
              "models--org--tiny/refs/gone", "models--org--tiny/snapshots/ddd444",
              "models--org--tiny/snapshots/gone",
            ]
          ),
          // What a reference file holds is no path.
          ("org/tiny@evil", nil, ["models--org--tiny/snapshots/evil"]),
        ]
        for (text, revision, places) in cases {
          #expect {
            try Self.resolve(text, revision)
          } throws: {
            guard case ConversionError.modelNotFound(_, let looked) = $0 else { return false }
            return places.allSatisfy { looked.contains("\(hub)/\($0)") }
              && !looked.contains { $0.contains("etc") }
              && places.allSatisfy("\($0)".contains)
          }
        }
      }
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
      for text in ["../isthmus-no-such-folder", "./x/y/z", "~/x"] {
        #expect {
          try Self.resolve(text)
        } throws: {
          if case ConversionError.modelNotFound(text, _) = $0 { true } else { false }
        }
      }
    }
  }

  @Test(arguments: [
    "a/b/c", "hf://../x", "hf://a/..", "hf://", "hf:///x", "a//b", "", "org/na me", "org/tiny@",
    "org/tiny@../x", "org/tiny@a//b", "org/tiny@/etc", "org/tiny@.", "org/tiny@a/./b", "hf://a/b/c",
    "org/\u{E9}t\u{E9}",
  ]) func whatIsNoReferenceIsRefused(_ text: String) {
    #expect {
      try Self.resolve(text)
    } throws: {
      if case ConversionError.badReference(text) = $0 { true } else { false }
    }
    if !text.contains("@") {
      #expect(throws: ConversionError.self) { try Self.resolve(text, "main") }
    }
  }

  @Test func aRevisionIsNoWayOutOfTheCache() {
    for revision in ["", "..", "../x", "a/../b", "/etc", "."] {
      #expect {
        try Self.resolve("org/tiny", revision)
      } throws: {
        if case ConversionError.badReference = $0 { true } else { false }
      }
    }
  }
}
