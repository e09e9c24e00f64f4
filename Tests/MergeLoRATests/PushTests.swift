import Foundation
import HubStandIn
import Support
import Testing

/// Merged models and adapters on their way to a hub of the test's own.
@Suite struct PushTests {
  private static let token = "hf_writerwriterwriterwriter"
  private static let commit = "0123456789012345678901234567890123456789"
  private let llama = Support.model("bridge/llama")
  private let checkpoint = Support.data("bridge/llama/megatron").path
  private let adapter = Support.data("bridge/llama/lora").path

  private func withHub(_ body: (HubStandIn, URL, [String: String]) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      let hub = try HubStandIn()
      defer { hub.stop() }
      hub.know(Self.token, as: .init("someone", organizations: ["org"]))
      try body(
        hub, folder,
        [
          "HF_ENDPOINT": hub.endpoint, "HF_HOME": folder.appending(path: "home").path,
          "HF_TOKEN": Self.token, "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1",
        ])
    }
  }

  /// The model as it lies in a hub's cache, so that its name is known.
  private func cached(_ folder: URL) throws -> URL {
    let snapshots = folder.appending(path: "hub/models--meta--llama/snapshots")
    try FileManager.default.createDirectory(at: snapshots, withIntermediateDirectories: true)
    let place = snapshots.appending(path: Self.commit)
    try FileManager.default.copyItem(at: llama, to: place)
    return place
  }

  private func card(_ hub: HubStandIn, _ name: String) -> String {
    String(decoding: hub.files(of: name)["README.md"] ?? [], as: UTF8.self)
  }

  @Test func aMergedModelSaysWhatWasMergedIntoWhat() throws {
    try withHub { hub, folder, variables in
      let out = folder.appending(path: "out")
      let outcome = try program.run(
        [
          "--lora-checkpoint", adapter, "--hf-model-path", try cached(folder).path,
          "--pretrained", checkpoint, "--output", out.path, "--push", "org/merged", "--json",
        ], environment: variables)
      try #require(outcome.status == 0, "\(outcome.error)")
      let files = hub.files(of: "org/merged")
      #expect(Set(files.keys).subtracting([".gitattributes"]) == Set(names(in: out)))
      for (name, bytes) in files where name != ".gitattributes" {
        #expect([UInt8](try Data(contentsOf: out.appending(path: name))) == bytes, "\(name)")
      }
      let card = card(hub, "org/merged")
      #expect(card.contains("base_model: meta/llama\nbase_model_relation: finetune\n"))
      #expect(card.contains("(https://huggingface.co/meta/llama) at commit `\(Self.commit)`"))
      // The record beside the weights says the same of the adapter's numbers.
      let record = String(decoding: files["merged_adapters.json"] ?? [], as: UTF8.self)
      let digest = try #require(record.firstMatch(of: /"digest": "([^"]+)"/)?.output.1)
      #expect(card.contains("values `\(digest)`"))
      #expect(card.contains("14 changed"))
      #expect(card.contains("--push org/merged --json"))
      #expect(!card.contains(folder.path))
    }
  }

  @Test func anAdapterIsPushedAsPEFTLoadsIt() throws {
    try withHub { hub, folder, variables in
      let out = folder.appending(path: "peft")
      let outcome = try program.run(
        [
          "export-adapter", "--lora-checkpoint", adapter, "--hf-model-path",
          try cached(folder).path, "--output", out.path, "--push", "org/adapter",
        ], environment: variables)
      try #require(outcome.status == 0, "\(outcome.error)")
      #expect(
        Set(hub.files(of: "org/adapter").keys).subtracting([".gitattributes"])
          == Set(names(in: out)))
      let card = card(hub, "org/adapter")
      #expect(card.contains("base_model: meta/llama\nbase_model_relation: adapter\n"))
      #expect(card.contains("library_name: peft\n"))
      #expect(card.contains("PeftModel.from_pretrained(base, \"org/adapter\")"))
      #expect(outcome.output.contains("pushed to"))
    }
  }

  @Test func aMegatronResultIsNotPushed() throws {
    let outcome = try program.run([
      "--lora-checkpoint", "a", "--output", "b", "--output-format", "megatron", "--push", "org/new",
    ])
    #expect(outcome.status == 2)
    #expect(outcome.error.contains("--push takes Hugging Face folders"))
  }

  @Test func whoMayNotWriteLearnsItBeforeTheMerge() throws {
    try withHub { hub, folder, variables in
      var variables = variables
      variables["HF_TOKEN"] = ""
      let outcome = try program.run(
        [
          "--lora-checkpoint", adapter, "--hf-model-path", llama.path, "--pretrained", checkpoint,
          "--output", folder.appending(path: "out").path, "--push", "org/merged",
        ], environment: variables)
      #expect(outcome.status == 1)
      #expect(outcome.error.contains("no token was found"))
      #expect(!names(in: folder).contains("out"))
      #expect(hub.requests.isEmpty)
    }
  }
}
