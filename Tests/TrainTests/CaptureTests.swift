import Foundation
import HDF5
import SafeTensors
import Support
import Tensors
import Testing

/// Captures a batch with a model of the repository.
///
/// - Parameter check: gets the file that was written, if one was.
private func capture(
  _ tensors: [String: (shape: [Int], values: [Int64])], _ options: [String] = [],
  model: String = llama, _ check: (HDF5File) throws -> Void = { _ in }
) throws -> BuiltProgram.Outcome {
  try Support.withTemporaryFolder { folder in
    let (inputs, output) = (
      folder.appending(path: "inputs.safetensors"), folder.appending(path: "out.h5")
    )
    try writeInputs(tensors, to: inputs)
    let outcome = try program.run(
      ["capture", "--model", model, "--inputs", inputs.path, "--output", output.path] + options)
    if outcome.status == 0, FileManager.default.fileExists(atPath: output.path) {
      try check(HDF5File(output.path))
    } else {
      #expect(names(in: folder) == ["inputs.safetensors"])
    }
    return outcome
  }
}

private let tokens: [Int64] = [1, 5, 9, 2, 7, 3, 8, 4]

@Suite struct CaptureTests {
  @Test func withoutLabelsThereIsNoLossAndWithoutWishesNothingElse() throws {
    let outcome = try capture(["input_ids": ([2, 4], tokens)]) { file in
      let names = file.datasets.map(\.name)
      #expect(names.contains("hidden/0") && names.contains("logits"))
      #expect(!names.contains("loss") && !names.contains("greedy"))
      #expect(!names.contains { $0.hasPrefix("gradients") })
      #expect(file["logits"]?.shape.dimensions.prefix(2) == [2, 4])
    }
    #expect(outcome.status == 0, "\(outcome.error)")
  }

  @Test func paddingChangesNothingAndIsZeros() throws {
    var plain: [String: [Float]] = [:]
    let batch: [String: (shape: [Int], values: [Int64])] = [
      "input_ids": ([1, 4], [1, 5, 9, 2]), "labels": ([1, 4], [1, 5, -100, 2]),
    ]
    let whole = try capture(batch, ["--gradients"]) { file in
      for dataset in file.datasets { plain[dataset.name] = try file.floats(dataset.name) }
    }
    #expect(whole.status == 0, "\(whole.error)")
    let padded: [String: (shape: [Int], values: [Int64])] = [
      "input_ids": ([1, 6], [1, 5, 9, 2, 0, 0]), "labels": ([1, 6], [1, 5, -100, 2, 3, -100]),
      "attention_mask": ([1, 6], [1, 1, 1, 1, 0, 0]),
    ]
    let outcome = try capture(padded, ["--gradients"]) { file in
      for dataset in file.datasets {
        let values = try file.floats(dataset.name)
        let expected = try #require(plain[dataset.name])
        #expect(Array(values.prefix(expected.count)) == expected, "\(dataset.name)")
        #expect(!values.dropFirst(expected.count).contains { $0 != 0 })
      }
    }
    #expect(outcome.status == 0, "\(outcome.error)")
  }

  @Test func sequencesOfABatchDoNotSeeEachOther() throws {
    var alone: [Float] = []
    _ = try capture(["input_ids": ([1, 4], [7, 3, 8, 4])]) { alone = try $0.floats("logits") }
    let outcome = try capture(["input_ids": ([2, 4], tokens)]) { file in
      let both = try file.floats("logits")
      #expect(both.count == 2 * alone.count)
      let difference = zip(both.suffix(alone.count), alone).map { abs($0 - $1) }.max() ?? 1
      #expect(difference < 1e-5)
    }
    #expect(outcome.status == 0)
  }

  @Test(arguments: [["--blas"], ["--threads", "1"], ["--threads", "3"]])
  func librariesAndThreadsChangeNothingButTheLastDigits(_ options: [String]) throws {
    var plain: [Float] = []
    _ = try capture(["input_ids": ([2, 4], tokens)]) { plain = try $0.floats("logits") }
    let outcome = try capture(["input_ids": ([2, 4], tokens)], options) { file in
      let difference = zip(try file.floats("logits"), plain).map { abs($0 - $1) }.max() ?? 1
      #expect(difference < 1e-4)
    }
    #expect(outcome.status == 0)
  }

  @Test(arguments: ["megatron", "megatron_tp2"])
  func aCheckpointComputesWhatItsModelDoes(_ checkpoint: String) throws {
    try Support.withTemporaryFolder { folder in
      let inputs = folder.appending(path: "inputs.safetensors")
      try writeInputs(["input_ids": ([2, 4], tokens), "labels": ([2, 4], tokens)], to: inputs)
      let paths = ["a.h5", "b.h5"].map { folder.appending(path: $0).path }
      let models = [llama, Support.data("bridge/llama/\(checkpoint)").path]
      for (model, path) in zip(models, paths) {
        let outcome = try program.run([
          "capture", "--model", model, "--inputs", inputs.path, "--output", path, "--gradients",
        ])
        #expect(outcome.status == 0, "\(outcome.error)")
      }
      let outcome = try convert.run(["compare"] + paths)
      #expect(outcome.status == 0, "\(outcome.output)")
    }
  }

  @Test func aDryRunWritesNothing() throws {
    let outcome = try capture(["input_ids": ([2, 4], tokens)], ["--dry-run", "--json"])
    #expect(outcome.status == 0)
    #expect(try outcome.object["status"] as? String == "planned")
    #expect(try (outcome.object["diskNeeded"] as? Int ?? 0) > 0)
  }

  @Test func theResultAsJSONHasTheLossAndTheTokens() throws {
    let outcome = try capture(
      ["input_ids": ([2, 4], tokens), "labels": ([2, 4], tokens)], ["--json", "--greedy", "3"]
    ) { file in
      #expect(file["greedy"]?.shape == [3])
    }
    #expect(try outcome.object["loss"] is Double)
    #expect((try outcome.object["greedy"] as? [Int])?.count == 3)
  }
}

@Suite struct CaptureFaultTests {
  /// What is wrong with a batch, and what the message says.
  private static let faults: [(inputs: [String: (shape: [Int], values: [Int64])], words: String)] =
    [
      (["ids": ([1, 2], [1, 2])], "has no tensor input_ids"),
      (["input_ids": ([2], [1, 2])], "input_ids has the shape [2]"),
      (["input_ids": ([1, 2], [1, 100_000])], "Token 100000 at index 1"),
      (["input_ids": ([1, 2], [-1, 1])], "Token -1 at index 0"),
      (["input_ids": ([0, 4], [])], "holds no tokens"),
      (["input_ids": ([1, 2], [1, 2]), "attention_mask": ([1, 2], [0, 0])], "holds no tokens"),
      (
        ["input_ids": ([1, 3], [1, 2, 3]), "attention_mask": ([1, 3], [0, 1, 1])],
        "only padding at the end is understood"
      ),
      (
        ["input_ids": ([1, 2], [1, 2]), "labels": ([1, 3], [1, 2, 3])],
        "labels has the shape [1, 3], expected is [1, 2]"
      ),
      (
        ["input_ids": ([1, 2], [1, 2]), "labels": ([1, 2], [1, 100_000])],
        "labels[0, 1] is 100000, outside the vocabulary"
      ),
      (
        ["input_ids": ([1, 2], [1, 2]), "labels": ([1, 2], [-100, -100])],
        "Every label of the batch is masked"
      ),
      // The first position's label is predicted from nothing.
      (
        ["input_ids": ([1, 2], [1, 2]), "labels": ([1, 2], [2, -100])],
        "Every label of the batch is masked"
      ),
      (["input_ids": ([1, 2], [1, 2])], "has no labels"),
    ]

  @Test(arguments: faults.indices)
  func aBatchThatCannotBeUsedIsRefusedWithItsPlace(_ index: Int) throws {
    let (inputs, words) = Self.faults[index]
    let outcome = try capture(inputs, ["--gradients"])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains(words), "\(outcome.error)")
  }

  @Test func aBatchLongerThanTheLearnedPositionsIsRefused() throws {
    let model = Support.model("hf/gpt_bigcode_mqa").path
    let outcome = try capture(
      ["input_ids": ([1, 65], [Int64](repeating: 1, count: 65))], model: model)
    #expect(outcome.status == 1)
    #expect(
      outcome.error.contains("A sequence has 65 tokens, but the model has positions for 64 only"))
  }

  @Test func aPlaceThatCannotBeWrittenIsRefused() throws {
    try Support.withTemporaryFolder { folder in
      let inputs = folder.appending(path: "inputs.safetensors")
      try writeInputs(["input_ids": ([1, 2], [1, 2])], to: inputs)
      let outcome = try program.run([
        "capture", "--model", llama, "--inputs", inputs.path,
        "--output", folder.appending(path: "no/out.h5").path,
      ])
      #expect(outcome.status == 1)
      #expect(outcome.error.contains("cannot be written"))
    }
  }

  @Test func anInterruptedCaptureLeavesTheOldFile() throws {
    try Support.withTemporaryFolder { folder in
      let inputs = folder.appending(path: "inputs.safetensors")
      try writeInputs(["input_ids": ([1, 2], [1, 2])], to: inputs)
      let output = folder.appending(path: "out.h5")
      try Data("old".utf8).write(to: output)
      let running = try program.start([
        "capture", "--model", llama, "--inputs", inputs.path, "--output", output.path,
        "--greedy", "1000000",
      ])
      #expect(running.waitForStaging(in: folder))
      running.send(SIGINT)
      #expect(try running.wait().status == 130)
      #expect(names(in: folder) == ["inputs.safetensors", "out.h5"])
      #expect(try Data(contentsOf: output) == Data("old".utf8))
    }
  }

  @Test func wrongUsageIsTold() throws {
    #expect(try program.run(["capture"]).status == 2)
    #expect(try program.run(["capture", "--dtype", "int8"]).status == 2)
    #expect(try program.run(["generate", "--model", llama, "--tokens", "one"]).status == 2)
    #expect(try program.run(["generate", "--model", llama, "--tokens", ","]).status == 2)
    let outcome = try program.run(["generate", "--model", llama, "--tokens", "1", "--top-p", "2"])
    #expect(outcome.status == 2)
    #expect(outcome.error.contains("must be more than 0 and at most 1"))
  }
}
