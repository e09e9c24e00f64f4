import Foundation
import HDF5
import Support
import Testing

/// Models with an adapter compute what the merged model computes.
@Suite struct AdapterOptionTests {
  private static let merge = BuiltProgram("merge-lora")

  private func logits(_ model: [String], in folder: URL) throws -> [Float] {
    let (inputs, output) = (
      folder.appending(path: "inputs.safetensors"), folder.appending(path: "\(UUID()).h5").path
    )
    try writeInputs(["input_ids": ([1, 6], [1, 5, 9, 30, 2, 7])], to: inputs)
    let outcome = try program.run(
      ["capture", "--inputs", inputs.path, "--output", output] + model)
    #expect(outcome.status == 0, "\(outcome.error)")
    return try HDF5File(output).floats("logits")
  }

  private func isClose(_ left: [Float], _ right: [Float]) -> Bool {
    let most = right.reduce(0) { max($0, abs($1)) }
    return left.count == right.count
      && zip(left, right).allSatisfy { abs($0 - $1) < 1e-4 * max(1, most) }
  }

  /// The model in float32, so that the sum of weights and adapter is not rounded.
  private func exact(in folder: URL) throws -> String {
    let (run, model) = (folder.appending(path: "run").path, folder.appending(path: "exact").path)
    for arguments in [
      ["import", "--hf-model", llama, "--megatron-path", run, "--torch-dtype", "float32"],
      [
        "export", "--hf-model", llama, "--megatron-path", run, "--hf-path", model, "--torch-dtype",
        "float32",
      ],
    ] {
      let outcome = try convert.run(arguments)
      #expect(outcome.status == 0, "\(outcome.error)")
    }
    return model
  }

  /// A PEFT folder, a Megatron run of fused pairs, and one of a pair for each tensor.
  @Test(arguments: ["peft", "lora", "lora_canonical"])
  func theyComputeWhatTheMergedModelDoes(_ name: String) throws {
    let adapter = Support.data("bridge/llama/\(name)").path
    try Support.withTemporaryFolder { folder in
      let merged = folder.appending(path: "merged").path
      let base = try exact(in: folder)
      let outcome = try Self.merge.run([
        "--lora-checkpoint", adapter, "--hf-model-path", base, "--pretrained", base, "--output",
        merged,
      ])
      #expect(outcome.status == 0, "\(outcome.error)")
      let expected = try logits(["--model", merged], in: folder)
      let plain = try logits(["--model", llama], in: folder)
      #expect(!isClose(plain, expected))
      for model in [
        ["--model", llama, "--adapter", adapter],
        // The folder alone names its base; or the user does.
        ["--model", adapter], ["--model", adapter, "--hf-model", llama],
      ] {
        #expect(isClose(try logits(model, in: folder), expected), "\(model)")
      }
    }
  }

  /// What no pair of factors does is merged as weights are read: bit for bit as `merge-lora` writes it.
  @Test(arguments: [
    "bias_all", "bias_lora_only", "lora_bias", "embeddings", "modules_to_save", "dora_embedding",
    "mlx_dora", "mlx_full",
  ])
  func whatIsNoPairIsMergedInMemory(_ name: String) throws {
    struct Case: Decodable { var model: String }
    let folder = Support.fixtures.appending(path: "adapters/\(name)")
    let made = try JSONDecoder().decode(
      Case.self, from: Data(contentsOf: folder.appending(path: "case.json")))
    let base = Support.fixtures.appending(path: "adapters/models/\(made.model)").path
    try Support.withTemporaryFolder { place in
      let merged = place.appending(path: "merged").path
      let outcome = try Self.merge.run([
        "--lora-checkpoint", folder.path, "--hf-model-path", base, "--pretrained", base, "--output",
        merged,
      ])
      #expect(outcome.status == 0, "\(outcome.error)")
      let expected = try logits(["--model", merged], in: place)
      let ours = try logits(["--model", base, "--adapter", folder.path], in: place)
      #expect(try logits(["--model", base], in: place) != expected)
      #expect(ours == expected)
    }
  }

  @Test func aRunOnAHuggingFaceModelNamesItsBase() throws {
    try Support.withTemporaryFolder { folder in
      let run = folder.appending(path: "run").path
      let data = Support.fixtures.appending(path: "rows/squad.json").path
      let trained = try program.run([
        "finetune", "--model", demo, "--data", data, "--output", run, "--peft", "lora",
        "--max-steps", "2", "--lr", "1e-2", "-gb", "2", "--no-progress",
      ])
      #expect(trained.status == 0, "\(trained.error)")
      func loss(_ model: String) throws -> Double {
        let outcome = try program.run([
          "evaluate", "--model", model, "--data", data, "--no-answers", "--json",
        ])
        #expect(outcome.status == 0, "\(outcome.error)")
        return try #require(try outcome.object["loss"] as? Double)
      }
      #expect(try loss(run) < loss(demo))
      // What the run says next can be done.
      let merged = folder.appending(path: "merged").path
      let outcome = try Self.merge.run(["--lora-checkpoint", run, "--output", merged])
      #expect(outcome.status == 0, "\(outcome.error)")
    }
  }

  @Test func aBaseThatIsGoneIsReplacedByTheNamedModel() throws {
    try Support.withTemporaryFolder { folder in
      let copy = folder.appending(path: "far/away/lora")
      try FileManager.default.createDirectory(
        at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: Support.data("bridge/llama/lora"), to: copy)
      let alone = try program.run(["generate", "--model", copy.path, "--tokens", "1"])
      #expect(alone.status == 1 && alone.error.contains("llama/megatron"))
      let named = try program.run([
        "generate", "--model", copy.path, "--hf-model", llama, "--tokens", "1", "--json",
      ])
      #expect(named.status == 0, "\(named.error)")
      #expect(named.output.contains("are used"))
    }
  }

  @Test func gradientsOfFrozenWeightsAreRefused() throws {
    try Support.withTemporaryFolder { folder in
      let inputs = folder.appending(path: "inputs.safetensors")
      try writeInputs(
        ["input_ids": ([1, 3], [1, 5, 9]), "labels": ([1, 3], [1, 5, 9])], to: inputs)
      let outcome = try program.run([
        "capture", "--model", llama, "--adapter", Support.data("bridge/llama/lora").path,
        "--inputs", inputs.path, "--output", folder.appending(path: "o.h5").path, "--gradients",
      ])
      #expect(outcome.status == 1 && outcome.error.contains("merge-lora"))
    }
  }
}
