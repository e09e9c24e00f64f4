import Foundation
import Support
import Testing

@testable import Convert

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
  let outcome = try Program.run(arguments)
  #expect(outcome.status == 2)
  #expect(outcome.error.hasPrefix("error: "))
  #expect(outcome.error.contains("Usage: convert"))
  #expect(outcome.output.isEmpty)
}

@Test func unknownOptionNamesTheNearest() throws {
  let outcome = try Program.run(["import", "--hf-modle", "x", "--megatron-path", "y"])
  #expect(outcome.status == 2)
  #expect(outcome.error.contains("--hf-modle"))
  #expect(outcome.error.contains("Did you mean '--hf-model'?"))
}

@Test func unknownCommandNamesTheNearest() throws {
  let outcome = try Program.run(["improt"])
  #expect(outcome.status == 2)
  #expect(outcome.error.contains("Did you mean 'import'?"))
}

@Test(arguments: ["import", "export", "roundtrip", "inspect", "compare", "architectures"])
func everyCommandHelpsWithExamples(_ command: String) throws {
  let outcome = try Program.run([command, "--help"])
  #expect(outcome.status == 0)
  #expect(outcome.error.isEmpty)
  #expect(outcome.output.contains("EXAMPLES"))
  #expect(outcome.output.contains("\n  convert \(command) "))
}

@Test func optionsAreGroupedAndShowTheirDefaults() throws {
  let help = try Program.run(["import", "--help"]).output
  for title in ["MODEL:", "TENSORS:", "LAYOUT:", "DESTINATION:", "RUNNING:"] {
    #expect(help.contains("\n\(title)\n"))
  }
  #expect(help.contains("default: torch_dist"))
  #expect(help.contains("default: 1GiB"))
}

@Test func acceptedOptionsOfThePeersHaveNoEffect() throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try Program.run([
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
    let outcome = try Program.run([
      "import", "--hf-model", demo.path, "--megatron-path", folder.appending(path: "m").path,
      "--format", format,
    ])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("format \(format) cannot be written"))
    #expect(names(in: folder).isEmpty)
  }
}

@Test func architecturesAreListed() throws {
  let outcome = try Program.run(["architectures", "--json"])
  let list = try #require(try outcome.object["architectures"] as? [[String: Any]])
  let all = list.flatMap { $0["names"] as? [String] ?? [] }
  #expect(all.contains("LlamaForCausalLM"))
  #expect(Set(all).count == all.count)
  #expect(list.allSatisfy { !($0["note"] as? String ?? "").isEmpty })
  let origins = Set(list.compactMap { $0["megatronNames"] as? String })
  #expect(origins == ["bridge", "nemo", "derived"])
}

@Test(arguments: [
  (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.00 kB"),
  (2_471_645_608, "2.47 GB"), (999_499, "999 kB"), (999_500, "1.00 MB"), (12_345, "12.3 kB"),
])
func sizesAreDecimalWithThreeDigits(_ count: Int, _ text: String) {
  #expect(Format.bytes(count) == text)
}

@Test func countsHaveSeparators() {
  #expect(Format.count(0) == "0")
  #expect(Format.count(999) == "999")
  #expect(Format.count(1_234_567) == "1,234,567")
  #expect(Format.count(-1000) == "-1,000")
}

@Test(arguments: [
  (0.0, "0"), (0.5, "0.5000"), (0.0003051757, "0.0003052"), (1.5e-5, "1.500e-5"), (2048, "2048"),
])
func differencesHaveFourDigits(_ value: Double, _ text: String) {
  #expect(Format.difference(value) == text)
}

@Test func wordsAreQuotedOnlyWhereAShellNeedsIt() {
  #expect(
    Format.command(["convert", "a b", "it's", "", "~x", "org/name@v1"])
      == #"convert 'a b' 'it'\''s' '' '~x' org/name@v1"#)
}

@Test(arguments: [
  ("1GiB", 1 << 30), ("512MB", 512_000_000), ("512M", 512 << 20), ("1.5k", 1536), ("4096", 4096),
  ("2 gib", 2 << 30),
])
func memorySizesAreRead(_ text: String, _ bytes: Int) {
  #expect(ByteSize(argument: text)?.bytes == bytes)
}

@Test(arguments: ["", "GB", "-1G", "1X", "1e30T", "999999999T"])
func memorySizesThatAreNoneAreRefused(_ text: String) {
  #expect(ByteSize(argument: text) == nil)
}

@Test func barsFitTheTerminal() {
  for width in [10, 40, 80, 200] {
    let bar = ProgressDisplay.bar(
      "import", done: 1_530_000_000, of: 2_470_000_000, seconds: 3.7, width: width)
    #expect(bar.count < width)
  }
  let wide = ProgressDisplay.bar("import", done: 500, of: 1000, seconds: 1, width: 100)
  #expect(wide.contains("50 %"))
  #expect(wide.contains("500 bytes/s"))
  #expect(wide.contains("0:01 left"))
}
