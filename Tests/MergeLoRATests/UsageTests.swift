import Foundation
import Support
import Testing

@testable import MergeLoRA

@Test(arguments: [
  [],
  ["--lora-checkpoint", "x"],
  ["--output", "y"],
  ["--lora-checkpoint", "x", "--output", "y", "--output-format", "gguf"],
  ["--lora-checkpoint", "x", "--output", "y", "--workers", "0"],
  ["--lora-checkpoint", "x", "--output", "y", "--tp", "0"],
  ["--adapter", "x=much", "--output", "y"],
  ["--adapter", "x=nan", "--output", "y"],
  ["export-adapter", "--lora-checkpoint", "x", "--output", "y"],
  ["import-adapter", "--hf-model-path", "x", "--output", "y"],
  ["frobnicate"],
])
func wrongUsageExitsWithTwoAndShowsTheUsage(_ arguments: [String]) throws {
  let outcome = try program.run(arguments)
  #expect(outcome.status == 2)
  #expect(outcome.error.hasPrefix("error: "))
  #expect(outcome.error.contains("Usage: merge-lora"))
  #expect(outcome.output.isEmpty)
}

@Test func unknownOptionNamesTheNearest() throws {
  let outcome = try program.run(["--lora-chekpoint", "x", "--output", "y"])
  #expect(outcome.status == 2)
  #expect(outcome.error.contains("Did you mean '--lora-checkpoint'?"))
}

@Test func unknownCommandNamesTheNearest() throws {
  let outcome = try program.run(["export-adaptor"])
  #expect(outcome.status == 2)
  #expect(outcome.error.contains("Did you mean 'export-adapter'?"))
}

@Test func helpWithoutACommandIsThatOfMerging() throws {
  for arguments in [["--help"], ["-h"], ["help"]] {
    let outcome = try program.run(arguments)
    #expect(outcome.status == 0)
    #expect(outcome.error.isEmpty)
    #expect(outcome.output.contains("USAGE: merge-lora --lora-checkpoint"))
    #expect(outcome.output.contains("\n  merge-lora --lora-checkpoint "))
    for title in ["ADAPTER:", "BASE:", "RESULT:", "RUNNING:"] {
      #expect(outcome.output.contains("\n\(title)\n"))
    }
    #expect(outcome.output.contains("default: hf"))
    #expect(outcome.output.contains("export-adapter"))
  }
}

@Test(arguments: ["export-adapter", "import-adapter", "unmerge"])
func everyCommandHelpsWithExamples(_ command: String) throws {
  let outcome = try program.run([command, "--help"])
  #expect(outcome.status == 0)
  #expect(outcome.error.isEmpty)
  #expect(outcome.output.contains("EXAMPLES"))
  #expect(outcome.output.contains("\n  merge-lora \(command)"))
}

@Test(arguments: [["unmerge"], ["unmerge", "--lora-checkpoint", "x", "--anything"]])
func unmergingIsRefusedWithTheReason(_ arguments: [String]) throws {
  let outcome = try program.run(arguments)
  #expect(outcome.status == 1)
  #expect(outcome.error.contains("rounded"))
}

@Test(arguments: [
  ("dir", "dir", 1), ("dir=0.7", "dir", 0.7), ("a=b=-2", "a=b", -2), ("dir=1e-2", "dir", 0.01),
])
func weightsFollowTheLastEqualsSign(_ text: String, _ path: String, _ weight: Double) {
  #expect(WeightedPath(argument: text) == WeightedPath(path, weight: weight))
}

@Test(arguments: ["", "=1", "dir=", "dir=x", "dir=inf"])
func weightsThatAreNoneAreRefused(_ text: String) {
  #expect(WeightedPath(argument: text) == nil)
}

@Test func foldersWithAnEqualsSignAreFolders() throws {
  try Support.withTemporaryFolder { folder in
    let path = folder.path + "/lr=0.1"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    #expect(WeightedPath(argument: path) == WeightedPath(path))
    #expect(WeightedPath(argument: path + "=0.5") == WeightedPath(path, weight: 0.5))
  }
}
