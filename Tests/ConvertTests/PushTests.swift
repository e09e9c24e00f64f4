import Foundation
import HubStandIn
import Support
import Testing

/// `--push` and `convert push` as a user runs them, against a hub of the test's own.
@Suite struct PushTests {
  private static let token = "hf_writerwriterwriterwriter"

  /// A hub, a folder, and the demo as a Megatron checkpoint in it.
  private func withHub(_ body: (HubStandIn, URL, [String: String]) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      let hub = try HubStandIn()
      defer { hub.stop() }
      hub.know(Self.token, as: .init("someone", organizations: ["org"]))
      let variables = [
        "HF_ENDPOINT": hub.endpoint, "HF_HOME": folder.appending(path: "home").path,
        "HF_TOKEN": Self.token, "HF_HUB_OFFLINE": "0", "SOURCE_DATE_EPOCH": "1795305600",
        "NO_PROXY": "127.0.0.1",
      ]
      let imported = try program.run(
        ["import", "--hf-model", demo.path, "--megatron-path", folder.appending(path: "run").path])
      try #require(imported.status == 0, "\(imported.error)")
      try body(hub, folder, variables)
    }
  }

  private func export(_ folder: URL, _ more: [String]) -> [String] {
    [
      "export", "--hf-model", demo.path, "--megatron-path", folder.appending(path: "run").path,
      "--hf-path", folder.appending(path: "out").path,
    ] + more
  }

  private func contents(_ folder: URL) throws -> [String: [UInt8]] {
    var found: [String: [UInt8]] = [:]
    for name in names(in: folder) {
      found[name] = [UInt8](try Data(contentsOf: folder.appending(path: name)))
    }
    return found
  }

  @Test func anExportLiesOnTheHubAsItLiesInItsFolder() throws {
    try withHub { hub, folder, variables in
      let outcome = try program.run(
        export(folder, ["--push", "org/new", "--json"]), environment: variables)
      try #require(outcome.status == 0, "\(outcome.error)")
      let out = try contents(folder.appending(path: "out"))
      #expect(hub.files(of: "org/new").filter { $0.key != ".gitattributes" } == out)
      let push = try #require(try outcome.object["push"] as? [String: Any])
      let commit = try #require(hub.commits(of: "org/new").first)
      #expect(push["commit"] as? String == commit.oid)
      #expect(push["address"] as? String == "\(hub.endpoint)/org/new/commit/\(commit.oid)")
      #expect((push["files"] as? [Any])?.count == out.count)
      #expect(commit.title == "LlamaForCausalLM, exported from a Megatron checkpoint")
      #expect(commit.description.contains("convert export --hf-model demo --megatron-path run"))
      // The card, too, names folders and not the way to them, and knows no token.
      let card = String(decoding: out["README.md"] ?? [], as: UTF8.self)
      #expect(card.contains("Isthmus 0.1.0, on 2026-11-22"))
      #expect(card.contains("--megatron-path run --hf-path out --push org/new --json"))
      #expect(!card.contains(folder.path) && !card.contains(Self.token))
      #expect(!outcome.output.contains(Self.token))
      #expect(hub.requests.allSatisfy { $0.server == .hub || $0.authorization == nil })
    }
  }

  @Test func whoIsNotAllowedLearnsItBeforeTheConversion() throws {
    try withHub { hub, folder, variables in
      let outcome = try program.run(
        export(folder, ["--push", "others/new"]), environment: variables)
      #expect(outcome.status == 1)
      #expect(outcome.error.contains("someone is no member of others"))
      #expect(!names(in: folder).contains("out"))
      #expect(hub.requests.map(\.path) == ["/api/whoami-v2"])
    }
  }

  @Test func offlineTheConversionDoesNotBegin() throws {
    try withHub { hub, folder, variables in
      var variables = variables
      variables["HF_HUB_OFFLINE"] = "1"
      let outcome = try program.run(export(folder, ["--push", "org/new"]), environment: variables)
      #expect(outcome.status == 1)
      #expect(outcome.error.contains("HF_HUB_OFFLINE forbids connections"))
      #expect(!names(in: folder).contains("out"))
      #expect(hub.connectionCount == 0)
    }
  }

  @Test func aDryRunAsksAndDoesNothing() throws {
    try withHub { hub, folder, variables in
      try hub.put(
        "org/new", files: ["README.md": "# Mine", "old.safetensors": "x", "config.json": "{}"])
      let outcome = try program.run(
        export(folder, ["--push", "org/new", "--overwrite", "--dry-run", "--json"]),
        environment: variables)
      try #require(outcome.status == 0, "\(outcome.error)")
      let push = try #require(try outcome.object["push"] as? [String: Any])
      #expect(push["deleted"] as? [String] == ["old.safetensors"])
      #expect((push["files"] as? [String])?.contains("README.md") == true)
      #expect(push["creates"] as? Bool == false)
      #expect(hub.requests.allSatisfy { $0.method == "GET" })
      #expect(!names(in: folder).contains("out"))
    }
  }

  @Test func aFailedPushLeavesTheResultAndSaysWhatRepeatsThePushAlone() throws {
    try withHub { hub, folder, variables in
      hub.fail(
        .init(method: "POST", path: "/commit/"), with: .status(403, message: "Storage is full"))
      let outcome = try program.run(
        export(folder, ["--push", "org/new@trial", "--private"]), environment: variables)
      #expect(outcome.status == 1)
      #expect(outcome.error.contains("Storage is full"))
      let out = folder.appending(path: "out")
      let words = ["push", out.path, "org/new@trial", "--private"]
      #expect(outcome.error.contains("convert " + words.joined(separator: " ")), "\(outcome.error)")
      #expect(hub.access(of: "org/new") == .private)
      hub.forgetRequests()
      let again = try program.run(words, environment: variables)
      #expect(again.status == 0, "\(again.error)")
      #expect(!hub.requests.contains { $0.method == "PUT" }, "what arrived is not sent again")
      #expect(
        hub.files(of: "org/new", revision: "trial").filter { $0.key != ".gitattributes" }
          == (try contents(out)))
      // Once more it is all there.
      let third = try program.run(words + ["--json"], environment: variables)
      #expect((try third.object["push"] as? [String: Any])?["committed"] as? Bool == false)
    }
  }

  @Test func theBasesOwnCardIsNotPushedForTheNewModel() throws {
    try withHub { hub, folder, variables in
      let base = folder.appending(path: "base")
      try FileManager.default.copyItem(at: demo, to: base)
      try Data("---\nlicense: apache-2.0\n---\n# Base\n".utf8)
        .write(to: base.appending(path: "README.md"))
      let outcome = try program.run(
        [
          "export", "--hf-model", base.path, "--megatron-path", folder.appending(path: "run").path,
          "--hf-path", folder.appending(path: "out").path, "--push", "new",
        ], environment: variables)
      try #require(outcome.status == 0, "\(outcome.error)")
      let card = String(
        decoding: hub.files(of: "someone/new")["README.md"] ?? [], as: UTF8.self)
      #expect(card.contains("license: apache-2.0"))
      #expect(!card.contains("# Base"))
    }
  }

  @Test func optionsOfAPushWithoutAPushAreWrongUsage() throws {
    for words in [["--private"], ["--commit-message", "x"]] {
      let outcome = try program.run(
        ["export", "--hf-model", "a", "--megatron-path", "b", "--hf-path", "c"] + words)
      #expect(outcome.status == 2)
      #expect(outcome.error.contains("--push"))
    }
  }

  @Test func aPushedFolderComesBackAsItWas() throws {
    try withHub { hub, folder, variables in
      let pushed = try program.run(
        ["push", demo.path, "org/demo", "--commit-message", "Mine"], environment: variables)
      try #require(pushed.status == 0, "\(pushed.error)")
      #expect(hub.commits(of: "org/demo").first?.title == "Mine")
      #expect(pushed.output.contains("The folder has no model card"))
      let back = folder.appending(path: "back")
      let fetched = try program.run(
        ["download", "org/demo", "--local-dir", back.path], environment: variables)
      try #require(fetched.status == 0, "\(fetched.error)")
      for (name, bytes) in try contents(demo) {
        #expect([UInt8](try Data(contentsOf: back.appending(path: name))) == bytes)
      }
    }
  }
}
