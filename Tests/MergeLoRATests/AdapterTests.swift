import Foundation
import Support
import Testing

private let llama = Support.model("bridge/llama").path
private let checkpoint = Support.data("bridge/llama/megatron").path
private let adapter = Support.data("bridge/llama/lora").path

private func merged(_ adapter: String, to target: URL) throws {
  let outcome = try program.run([
    "--lora-checkpoint", adapter, "--hf-model-path", llama, "--pretrained", checkpoint,
    "--output", target.path,
  ])
  #expect(outcome.status == 0, "\(outcome.error)")
}

private func expectSameWeights(_ left: URL, _ right: URL) {
  let weights = names(in: left).filter { $0.hasSuffix(".safetensors") }
  #expect(!weights.isEmpty)
  for name in weights {
    let isSame = FileManager.default.contentsEqual(
      atPath: left.appending(path: name).path, andPath: right.appending(path: name).path)
    #expect(isSame, "\(name)")
  }
}

@Test(arguments: [[], ["--fuse"]])
func importedAdapterMergesIntoTheSameModel(_ more: [String]) throws {
  try Support.withTemporaryFolder { folder in
    let run = folder.appending(path: "run")
    let outcome = try program.run(
      [
        "import-adapter", "--lora-checkpoint", adapter, "--hf-model-path", llama,
        "--output", run.path, "--pretrained", checkpoint,
      ] + more)
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(outcome.output.contains("\nNext:\n"))
    #expect(names(in: run).contains("latest_checkpointed_iteration.txt"))
    try merged(adapter, to: folder.appending(path: "one"))
    try merged(run.path, to: folder.appending(path: "two"))
    expectSameWeights(folder.appending(path: "one"), folder.appending(path: "two"))
  }
}

@Test func exportedAdapterMergesIntoTheSameModel() throws {
  try Support.withTemporaryFolder { folder in
    let peft = folder.appending(path: "peft")
    let outcome = try program.run([
      "export-adapter", "--lora-checkpoint", adapter, "--hf-model-path", llama,
      "--output", peft.path,
    ])
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(names(in: peft).contains("adapter_model.safetensors"))
    #expect(names(in: peft).contains("adapter_config.json"))
    try merged(adapter, to: folder.appending(path: "one"))
    try merged(peft.path, to: folder.appending(path: "two"))
    expectSameWeights(folder.appending(path: "one"), folder.appending(path: "two"))
  }
}

@Test(arguments: ["export-adapter", "import-adapter"])
func carryingAnAdapterWritesNothingInADryRunAndKeepsWhatIsThere(_ command: String) throws {
  try Support.withTemporaryFolder { folder in
    let target = folder.appending(path: "new")
    let arguments = [
      command, "--lora-checkpoint", adapter, "--hf-model-path", llama, "--output", target.path,
    ]
    let planned = try program.run(arguments + ["--dry-run", "--json"])
    #expect(planned.status == 0, "\(planned.error)")
    #expect(try planned.object["status"] as? String == "planned")
    #expect(names(in: folder).isEmpty)
    try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: target.appending(path: "precious.txt"))
    let refused = try program.run(arguments)
    #expect(refused.status == 1)
    #expect(refused.error.contains("--overwrite"))
    #expect(names(in: target) == ["precious.txt"])
  }
}

@Test(arguments: ["export-adapter", "import-adapter"])
func carryingWhatIsNoAdapterIsRefused(_ command: String) throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try program.run([
      command, "--lora-checkpoint", llama, "--hf-model-path", llama,
      "--output", folder.path + "/new",
    ])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("holds no adapter"))
  }
}
