import Foundation
import Support
import Testing

@Test(arguments: [
  ["import"],
  ["import", "--hf-model", "x"],
  ["export", "--hf-model", "x", "--megatron-path", "y"],
  ["compare", "a"],
  ["inspect"],
  ["compare", "a", "b", "--tolerance", "-1"],
  ["import", "--hf-model", "x", "--megatron-path", "y", "--tp", "0"],
  ["import", "--hf-model", "x", "--megatron-path", "y", "--workers", "0"],
  ["import", "--hf-model", "x", "--megatron-path", "y", "--max-memory", "much"],
  ["import", "--hf-model", "x", "--megatron-path", "y", "--torch-dtype", "int8"],
  ["import", "--hf-model", "x", "--megatron-path", "y", "--format", "gguf"],
  ["frobnicate"],
])
func wrongUsageExitsWithTwoAndShowsTheUsage(_ arguments: [String]) throws {
  let outcome = try program.run(arguments)
  #expect(outcome.status == 2)
  #expect(outcome.error.hasPrefix("error: "))
  #expect(outcome.error.contains("Usage: convert"))
  #expect(outcome.output.isEmpty)
}

@Test func unknownOptionNamesTheNearest() throws {
  let outcome = try program.run(["import", "--hf-modle", "x", "--megatron-path", "y"])
  #expect(outcome.status == 2)
  #expect(outcome.error.contains("--hf-modle"))
  #expect(outcome.error.contains("Did you mean '--hf-model'?"))
}

@Test func unknownCommandNamesTheNearest() throws {
  let outcome = try program.run(["improt"])
  #expect(outcome.status == 2)
  #expect(outcome.error.contains("Did you mean 'import'?"))
}

@Test(arguments: ["import", "export", "roundtrip", "inspect", "compare", "architectures"])
func everyCommandHelpsWithExamples(_ command: String) throws {
  let outcome = try program.run([command, "--help"])
  #expect(outcome.status == 0)
  #expect(outcome.error.isEmpty)
  #expect(outcome.output.contains("EXAMPLES"))
  #expect(outcome.output.contains("\n  convert \(command) "))
}

@Test func optionsAreGroupedAndShowTheirDefaults() throws {
  let help = try program.run(["import", "--help"]).output
  for title in ["MODEL:", "TENSORS:", "LAYOUT:", "DESTINATION:", "RUNNING:"] {
    #expect(help.contains("\n\(title)\n"))
  }
  #expect(help.contains("default: torch_dist"))
  #expect(help.contains("default: 1GiB"))
}

@Test func acceptedOptionsOfThePeersHaveNoEffect() throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try program.run([
      "import", "--hf-model", demo.path, "--megatron-path", folder.appending(path: "m").path,
      "--trust-remote-code", "--device", "cpu", "--low-memory-save",
      "--tensor-model-parallel-size", "1", "--pipeline-model-parallel-size", "1",
      "--expert-model-parallel-size", "1", "--expert-tensor-parallel-size", "1",
    ])
    #expect(outcome.status == 0)
  }
}

@Test(arguments: ["torch", "zarr", "nemo2", "fsdp_dtensor"])
func formatsThatCannotBeWrittenAreRefused(_ format: String) throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try program.run([
      "import", "--hf-model", demo.path, "--megatron-path", folder.appending(path: "m").path,
      "--format", format,
    ])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("format \(format) cannot be written"))
    #expect(names(in: folder).isEmpty)
  }
}

@Test func architecturesAreListed() throws {
  let outcome = try program.run(["architectures", "--json"])
  let list = try #require(try outcome.object["architectures"] as? [[String: Any]])
  let all = list.flatMap { $0["names"] as? [String] ?? [] }
  #expect(all.contains("LlamaForCausalLM"))
  #expect(Set(all).count == all.count)
  #expect(list.allSatisfy { !($0["note"] as? String ?? "").isEmpty })
  let origins = Set(list.compactMap { $0["megatronNames"] as? String })
  #expect(origins == ["bridge", "nemo", "derived"])
}
