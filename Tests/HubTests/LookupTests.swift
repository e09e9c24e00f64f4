import Foundation
import Hub
import JSON
import Support
import Tensors
import Testing

/// What the cache answers without asking anybody.
@Suite struct LookupTests {
  private static let offline = HubSettings.Offline(variable: "HF_HUB_OFFLINE")

  private static func look(
    _ text: String, _ need: HubNeed, in folder: URL
  ) throws -> HubSnapshot {
    var settings = HubFixtures.settings(folder)
    settings.offline = offline
    return try Hub(settings).snapshot(HubReference(parsing: text), need)
  }

  /// What is missing, as the error says it.
  private static func missing(_ text: String, _ need: HubNeed, in folder: URL) throws -> [String] {
    do {
      _ = try look(text, need, in: folder)
      return []
    } catch HubError.offline(let variable, let reference, let needed, let place) {
      #expect(variable == "HF_HUB_OFFLINE")
      #expect("\(reference)" == text)
      #expect(place.contains(folder.path))
      return needed
    }
  }

  @Test func revisionsLeadToTheirSnapshots() throws {
    try Support.withTemporaryFolder { folder in
      try HubFixtures.lay("links", in: folder)
      let snapshots = folder.path + "/models--org--tiny/snapshots/"
      for (revision, commit) in HubFixtures.commits.members {
        let commit = try #require(commit.string)
        for text in ["org/tiny@\(revision)", "hf://org/tiny@\(commit)"] {
          let found = try Self.look(text, .configuration, in: folder)
          #expect(found.folder == snapshots + commit && found.commit == commit)
        }
      }
      #expect(try Self.look("org/tiny", .model, in: folder).notes.isEmpty)
      #expect(
        try Self.look("hf://org/tiny/sub", .files(include: [], exclude: []), in: folder).folder
          .hasSuffix("/sub"))
    }
  }

  @Test func aListingTellsWhatIsMissing() throws {
    try Support.withTemporaryFolder { folder in
      try HubFixtures.lay("links", in: folder)
      let snapshot = try Self.look("org/tiny", .model, in: folder).folder
      let files = FileManager.default
      // Weights that are gone, or whose link leads nowhere, or that are too short.
      try files.removeItem(atPath: snapshot + "/model.safetensors")
      #expect(try Self.missing("org/tiny", .model, in: folder) == ["model.safetensors"])
      #expect(try Self.missing("org/tiny", .withoutWeights, in: folder) == [])
      symlink("../../blobs/none", snapshot + "/model.safetensors")
      #expect(try Self.missing("org/tiny", .model, in: folder) == ["model.safetensors"])
      try files.removeItem(atPath: snapshot + "/model.safetensors")
      try Data("weig".utf8).write(to: URL(filePath: snapshot + "/model.safetensors"))
      #expect(try Self.missing("org/tiny", .model, in: folder) == ["model.safetensors"])
      let all = HubNeed.files(include: [], exclude: ["*.txt"])
      #expect(try Self.missing("org/tiny", all, in: folder) == ["model.safetensors"])
    }
  }

  @Test func filesThatNobodyComputesWithMayBeMissing() throws {
    try Support.withTemporaryFolder { folder in
      try HubFixtures.lay("links", in: folder)
      let snapshot = try Self.look("org/tiny", .model, in: folder).folder
      try FileManager.default.removeItem(atPath: snapshot + "/README.md")
      let found = try Self.look("org/tiny", .model, in: folder)
      #expect(found.notes.count == 1 && found.notes.first?.contains("README.md") == true)
      let named = HubNeed.files(include: ["README.md"], exclude: [])
      #expect(try Self.missing("org/tiny", named, in: folder) == ["README.md"])
    }
  }

  @Test func withoutAListingTheFilesTellThemselves() throws {
    try Support.withTemporaryFolder { folder in
      try HubFixtures.lay("links", in: folder)
      // Only config.json was fetched of the tag, and no listing.
      #expect(try Self.missing("org/tiny@v1.0", .configuration, in: folder) == [])
      #expect(try Self.missing("org/tiny@v1.0", .model, in: folder) == ["model.safetensors"])
      #expect(
        try Self.missing("org/tiny@v1.0", .tokenizer, in: folder) == ["the tokenizer's files"])
      let named = HubNeed.files(include: ["config.json", "vocab.json", "*.txt"], exclude: [])
      #expect(try Self.missing("org/tiny@v1.0", named, in: folder) == ["vocab.json"])
      let snapshot = try Self.look("org/tiny@v1.0", .configuration, in: folder).folder
      let index =
        #"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "../../../x"}}"#
      try Data(index.utf8).write(to: URL(filePath: snapshot + "/model.safetensors.index.json"))
      #expect(
        try Self.missing("org/tiny@v1.0", .model, in: folder) == [
          "one.safetensors", "two.safetensors",
        ])
      for name in ["one", "two"] {
        try Data("x".utf8).write(to: URL(filePath: snapshot + "/\(name).safetensors"))
      }
      #expect(try Self.missing("org/tiny@v1.0", .model, in: folder) == [])
    }
  }

  @Test func whatIsUnknownIsSaidWithWhatIsKnown() throws {
    try Support.withTemporaryFolder { folder in
      try HubFixtures.lay("links", in: folder)
      #expect(try Self.missing("org/none", .configuration, in: folder) == ["config.json"])
      #expect(try Self.missing("org/tiny@v9", .model, in: folder).count == 3)
      #expect(throws: HubError.self) { try Self.look("org/tiny@v9", .model, in: folder) }
      let found = try HubCache(HubFixtures.settings(folder)).find(
        HubReference(parsing: "org/tiny@v9"), .model)
      #expect(found.snapshot == nil && found.place.contains("main, refs/pr/1, v1.0"))
      // A ref whose snapshot is gone.
      let main = try #require(HubFixtures.commits["main"]?.string)
      try FileManager.default.removeItem(
        atPath: folder.path + "/models--org--tiny/snapshots/\(main)")
      #expect(try Self.missing("org/tiny", .configuration, in: folder) == ["config.json"])
    }
  }

  @Test func aFileIsNoModel() throws {
    try Support.withTemporaryFolder { folder in
      try HubFixtures.lay("links", in: folder)
      #expect {
        try Self.look("hf://org/tiny/config.json", .model, in: folder)
      } throws: {
        if case HubError.badReference? = $0 as? HubError { true } else { false }
      }
    }
  }

  @Test func aCacheThatCannotBeWrittenServes() throws {
    try Support.withTemporaryFolder { folder in
      try HubFixtures.lay("links", in: folder)
      let before = try HubFixtures.entries(of: folder)
      _ = try Self.look("org/tiny", .model, in: folder)
      // Nothing is written by looking, and a ref that is as it should be is not written again.
      let tiny = HubCache(HubFixtures.settings(folder)).repository(HubRepository("org/tiny"))
      try tiny.setRef("main", try #require(tiny.commit("main")))
      #expect(try HubFixtures.entries(of: folder) == before)
    }
  }
}
