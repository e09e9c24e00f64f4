import Foundation
import HubStandIn
import Support
import Testing

/// `convert download` as a user runs it.
@Suite struct DownloadTests {
  private static let weights = HubStandIn.Contents.syntheticBytes(size: 4_000_000, seed: 3)

  /// A hub with a model, and what a program needs to ask it.
  private func withHub(
    _ body: (HubStandIn, _ folder: URL, _ run: ([String]) throws -> BuiltProgram.Outcome) throws
      -> Void
  ) throws {
    try Support.withTemporaryFolder { folder in
      let hub = try HubStandIn()
      defer { hub.stop() }
      try hub.put(
        "org/name",
        files: [
          "config.json": "{}", "tokenizer.json": "{}", "README.md": "hello",
          "model.safetensors": .bytes(Self.weights, large: true),
          "pytorch_model.bin": .bytes(Self.weights.reversed(), large: true),
          "extra/notes.txt": "notes",
        ])
      try body(hub, folder) { words in
        try program.run(["download"] + words, environment: Self.environment(hub, folder))
      }
    }
  }

  private static func environment(_ hub: HubStandIn, _ folder: URL) -> [String: String] {
    [
      "HF_ENDPOINT": hub.endpoint, "HF_HOME": folder.path, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "",
      "HF_HUB_CACHE": folder.appending(path: "hub").path, "no_proxy": "127.0.0.1",
      "HF_TOKEN_PATH": folder.appending(path: "none").path,
    ]
  }

  @Test func everythingComesAndTheFolderIsPrinted() throws {
    try withHub { hub, folder, run in
      let outcome = try run(["org/name", "-q"])
      #expect(outcome.status == 0, "\(outcome.error)")
      let place = outcome.output.trimmingCharacters(in: .newlines)
      #expect(outcome.output == place + "\n")
      for (path, bytes) in hub.files(of: "org/name") {
        #expect(FileManager.default.contents(atPath: "\(place)/\(path)") == Data(bytes))
      }
      let again = try run(["org/name"])
      #expect(again.output.hasPrefix("org/name was here already: 6 files"))
      #expect(again.output.contains("convert import --hf-model org/name "))
    }
  }

  @Test func oneFileIsPrintedByItsOwnPath() throws {
    try withHub { _, _, run in
      for words in [["org/name", "config.json"], ["hf://org/name/config.json"]] {
        let outcome = try run(words + ["-q"])
        #expect(outcome.status == 0, "\(outcome.error)")
        let place = outcome.output.trimmingCharacters(in: .newlines)
        #expect(place.hasSuffix("/config.json"))
        #expect(FileManager.default.contents(atPath: place) == Data("{}".utf8))
      }
    }
  }

  @Test func aNameWithBracketsIsNoPattern() throws {
    try withHub { hub, _, run in
      try hub.put("org/odd", files: ["a[1]?.txt": "this", "a1x.txt": "that"])
      let outcome = try run(["org/odd", "a[1]?.txt", "-q"])
      #expect(outcome.status == 0, "\(outcome.error)")
      let place = outcome.output.trimmingCharacters(in: .newlines)
      #expect(FileManager.default.contents(atPath: place) == Data("this".utf8))
      #expect(!hub.requests.contains { $0.path.hasSuffix("a1x.txt") })
    }
  }

  @Test func patternsFoldersAndPurposesChoose() throws {
    try withHub { hub, folder, run in
      let json: Set = ["config.json", "tokenizer.json"]
      let cases: [([String], Set<String>)] = [
        (["--include", "*.json"], json),
        (["--include", "*.json", "README*"], json.union(["README.md"])),
        (["--include", "*.json", "--include", "*.md"], json.union(["README.md"])),
        (
          ["--exclude", "*.bin", "--exclude", "*.safetensors"],
          json.union(["README.md", "extra/notes.txt"])
        ),
        (["extra/"], ["extra/notes.txt"]),
        (["config.json", "README.md"], ["config.json", "README.md"]),
        (["--for", "model"], json.union(["README.md", "model.safetensors"])),
      ]
      for (words, wanted) in cases {
        let outcome = try run(["org/name", "--dry-run", "-q"] + words)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(Set(outcome.output.split(separator: "\n").map(String.init)) == wanted, "\(words)")
      }
      #expect(!hub.requests.contains { $0.path.contains("/resolve/") })
      #expect(names(in: folder.appending(path: "hub/models--org--name/blobs")) == [])
    }
  }

  @Test func patternsThatMatchNothingSaySo() throws {
    try withHub { _, _, run in
      let outcome = try run(["org/name", "--include", "*.zip"])
      #expect(outcome.status == 0)
      #expect(outcome.output.hasPrefix("Nothing of org/name was fetched."))
      #expect(outcome.output.contains("note: No file of org/name is what was asked for."))
      #expect(!outcome.output.contains("Next:"))
    }
  }

  @Test func aPlanSaysWhatItTakes() throws {
    try withHub { _, _, run in
      let object = try run(["org/name", "--dry-run", "--json"]).object
      #expect(object["status"] as? String == "planned")
      #expect(object["missingFiles"] as? Int == 6)
      // config.json and tokenizer.json are the same bytes, and travel once.
      #expect(object["missingBytes"] as? Int == 2 * 4_000_000 + 2 + 5 + 5)
      #expect(try run(["org/name"]).status == 0)
      let after = try run(["org/name", "--dry-run", "--json"]).object
      #expect(after["missingFiles"] as? Int == 0)
      let done = try run(["org/name", "--json"]).object
      #expect(done["status"] as? String == "done")
      #expect(done["receivedBytes"] as? Int == 0)
    }
  }

  @Test func theCacheAndAFolderOfOnesOwnCanBeNamed() throws {
    try withHub { _, folder, run in
      let cache = folder.appending(path: "other")
      #expect(try run(["org/name", "config.json", "--cache-dir", cache.path]).status == 0)
      #expect(names(in: cache).contains("models--org--name"))
      let local = folder.appending(path: "local")
      let outcome = try run(["org/name", "--local-dir", local.path, "-q"])
      #expect(outcome.output == local.path + "\n")
      #expect(
        try Data(contentsOf: local.appending(path: "model.safetensors")) == Data(Self.weights))
    }
  }

  @Test(arguments: [
    ["org/name", "--local-dir", "a", "--cache-dir", "b"],
    ["hf://org/name", "--revision", "main"], ["hf://org/name", "--repo-type", "model"],
    ["org/name", "extra/", "--include", "*"], ["org/name", "--for", "model", "--include", "*"],
    ["org/name", "--exclude", "*.bin", "*.pt"], ["org/name", "--max-workers", "0"],
    ["org/name", "--repo-type", "bucket"], [], ["datasets/org/name", "--repo-type", "space"],
  ])
  func whatExcludesEachOtherIsWrongUsage(_ words: [String]) throws {
    let outcome = try program.run(["download"] + words)
    #expect(outcome.status == 2, "\(outcome.error)")
  }

  @Test func whatIsNotThereIsNamedWithWhatIsNear() throws {
    try withHub { _, _, run in
      let file = try run(["org/name", "tokeniser.json"])
      #expect(file.status == 1)
      #expect(file.error.contains("Did you mean tokenizer.json?"))
      let revision = try run(["org/name", "--revision", "mian"])
      #expect(revision.error.contains("Did you mean main?"))
      let repository = try run(["org/nothing"])
      #expect(repository.error.contains("has no model org/nothing"))
      let json = try run(["org/nothing", "--json"])
      #expect(try json.object["status"] as? String == "failed")
    }
  }

  @Test func aTokenOnTheCommandLineIsUsedAndNotShown() throws {
    try withHub { hub, _, run in
      hub.know("hf_mine", as: HubStandIn.Account("user", organizations: ["org"]))
      hub.set("org/name", access: .gated)
      #expect(try run(["org/name", "config.json", "--token", "hf_mine"]).status == 0)
      let outcome = try run(["org/name", "README.md", "--token", "hf_other"])
      #expect(outcome.status == 1)
      #expect(outcome.error.contains("--token"))
      #expect(!outcome.error.contains("hf_other"))
    }
  }

  /// How a run ends that a signal meets when so much of the file has arrived.
  private func outcome(
    of signal: Int32, after count: Int, _ hub: HubStandIn, _ folder: URL
  ) throws -> BuiltProgram.Outcome {
    hub.fail(.storage, with: .stall(after: count))
    let running = try program.start(
      ["download", "org/name", "model.safetensors"],
      environment: Self.environment(hub, folder).merging(["HF_HUB_DOWNLOAD_TIMEOUT": "60"]) { $1 })
    while running.process.isRunning, arrived(folder) < count { usleep(2000) }
    running.send(signal)
    return try running.wait()
  }

  private func arrived(_ folder: URL) -> Int {
    let blobs = folder.appending(path: "hub/models--org--name/blobs")
    let sizes = names(in: blobs).compactMap { name in
      try? FileManager.default.attributesOfItem(atPath: blobs.appending(path: name).path)[.size]
        as? Int
    }
    return sizes.max() ?? 0
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalEndsItAtOnceAndTheNextRunGoesOn(_ signal: Int32) throws {
    try withHub { hub, folder, run in
      let outcome = try outcome(of: signal, after: 1_000_000, hub, folder)
      #expect(outcome.status == 130)
      #expect(outcome.error.contains("goes on from there"))
      #expect(arrived(folder) == 1_000_000)
      let again = try run(["org/name", "model.safetensors", "--json"])
      #expect(try again.object["receivedBytes"] as? Int == 3_000_000)
    }
  }

  @Test func aKilledRunIsGoneOnWith() throws {
    try withHub { hub, folder, run in
      #expect(try outcome(of: SIGKILL, after: 2_000_000, hub, folder).status == 128 + SIGKILL)
      let again = try run(["org/name", "model.safetensors", "--json"])
      #expect(try again.object["receivedBytes"] as? Int == 2_000_000)
      let path = try #require(again.object["path"] as? String)
      #expect(FileManager.default.contents(atPath: path) == Data(Self.weights))
    }
  }

  @Test func theHelpNamesWhatHfDownloadHas() throws {
    let help = try program.run(["download", "--help"]).output
    for name in [
      "--repo-type", "--revision", "--include", "--exclude", "--cache-dir", "--local-dir",
      "--force-download", "--dry-run", "--token", "--max-workers", "--quiet", "--json", "--for",
    ] {
      #expect(help.contains(name))
    }
  }
}
