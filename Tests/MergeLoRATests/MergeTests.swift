import Foundation
import Support
import Testing

/// A model, its Megatron checkpoint and an adapter run that names it, all by Megatron-Bridge.
private let llama = Support.model("bridge/llama").path
private let checkpoint = Support.data("bridge/llama/megatron").path
private let adapter = Support.data("bridge/llama/lora").path

private func merge(_ more: [String], to target: URL) throws -> BuiltProgram.Outcome {
  try program.run(["--hf-model-path", llama, "--output", target.path] + more)
}

@Test func resultHasTheModelsFilesAndTellsWhatChanged() throws {
  try Support.withTemporaryFolder { folder in
    let target = folder.appending(path: "new")
    let outcome = try merge(
      ["--lora-checkpoint", adapter, "--pretrained", checkpoint, "--json"], to: target)
    #expect(outcome.status == 0, "\(outcome.error)")
    let object = try outcome.object
    #expect(object["status"] as? String == "done")
    #expect(object["base"] as? String == checkpoint)
    #expect(object["baseNamedBy"] as? String == "--pretrained")
    let changed = try #require(object["changed"] as? [[String: Any]])
    // Bridge's default targets: four projections of attention and three of the MLP, in two layers.
    #expect(changed.count == 14)
    #expect(changed.allSatisfy { ($0["largest"] as? Double ?? 0) > 0 })
    #expect(changed.allSatisfy { $0["ranks"] as? [Int] == [8] })
    let kinds = try #require(object["unchangedKinds"] as? [[String: Any]])
    let norms = kinds.first { $0["kind"] as? String == "model.layers.*.input_layernorm.weight" }
    #expect(norms?["count"] as? Int == 2)
    let added = Set(names(in: target)).subtracting(names(in: URL(filePath: llama)))
    #expect(added == ["merged_adapters.json"])
    #expect(Set(names(in: URL(filePath: llama))).isSubset(of: names(in: target)))
  }
}

@Test func resultIsToldInTablesAndEndsWithTheNextCommand() throws {
  try Support.withTemporaryFolder { folder in
    let target = folder.appending(path: "new")
    let outcome = try merge(
      ["--lora-checkpoint", adapter, "--pretrained", checkpoint], to: target)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("Changed most:"))
    #expect(outcome.output.contains("Without an adapter:"))
    #expect(outcome.output.contains("\n  2  model.layers.*.input_layernorm.weight"))
    #expect(outcome.output.contains("\nNext:\n  convert inspect \(target.path)\n"))
  }
}

@Test func dryRunTellsTheSameAndWritesNothing() throws {
  try Support.withTemporaryFolder { folder in
    let target = folder.appending(path: "a/new")
    let arguments = [
      "--lora-checkpoint", adapter, "--pretrained", checkpoint, "--dry-run",
    ]
    #expect(try merge(arguments, to: target).output.contains("nothing was written"))
    let object = try merge(arguments + ["--json"], to: target).object
    #expect(object["status"] as? String == "planned")
    #expect((object["changed"] as? [[String: Any]])?.count == 14)
    #expect((object["diskNeeded"] as? Int ?? 0) > 0)
    #expect(names(in: folder).isEmpty)
  }
}

@Test func megatronResultsAreCutAsAskedFor() throws {
  try Support.withTemporaryFolder { folder in
    let target = folder.appending(path: "new")
    let outcome = try merge(
      [
        "--lora-checkpoint", adapter, "--pretrained", llama, "--output-format", "megatron",
        "--tp", "2",
      ], to: target)
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(names(in: target).contains("latest_checkpointed_iteration.txt"))
    let files = names(in: target.appending(path: "iter_0000000"))
    #expect(files.contains { $0.hasPrefix("__1_") })
    #expect(outcome.output.contains("convert export --hf-model"))
  }
}

// MARK: The base

@Test func baseIsWhatTheAdaptersRunNames() throws {
  try Support.withTemporaryFolder { folder in
    // run_config.yaml says llama/megatron, from the folder that holds the runs.
    let runs = folder.appending(path: "runs")
    let files = FileManager.default
    try files.createDirectory(
      at: runs.appending(path: "llama"), withIntermediateDirectories: true)
    try files.copyItem(atPath: adapter, toPath: runs.path + "/llama/lora")
    try files.copyItem(atPath: checkpoint, toPath: runs.path + "/llama/megatron")
    let outcome = try merge(
      ["--lora-checkpoint", runs.path + "/llama/lora", "--json"],
      to: folder.appending(path: "new"))
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(try outcome.object["base"] as? String == runs.path + "/llama/megatron")
    let namedBy = try #require(try outcome.object["baseNamedBy"] as? String)
    #expect(namedBy.hasSuffix("/run_config.yaml"))
  }
}

@Test func recordedBaseThatIsGoneIsNotReplacedByAnother() throws {
  try Support.withTemporaryFolder { folder in
    try FileManager.default.copyItem(atPath: adapter, toPath: folder.path + "/lora")
    let outcome = try merge(
      ["--lora-checkpoint", folder.path + "/lora"], to: folder.appending(path: "new"))
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("run_config.yaml names the base llama/megatron"))
    #expect(outcome.error.contains("--pretrained"))
    #expect(names(in: folder) == ["lora"])
  }
}

@Test func checkpointWhoseModelIsNotThereIsNoBase() throws {
  try Support.withTemporaryFolder { folder in
    let moved = folder.path + "/megatron"
    try FileManager.default.copyItem(atPath: checkpoint, toPath: moved)
    let outcome = try program.run([
      "--lora-checkpoint", adapter, "--pretrained", moved,
      "--output", folder.path + "/new",
    ])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("--hf-model-path"))
  }
}

@Test func nothingNamedIsNoBase() throws {
  try Support.withTemporaryFolder { folder in
    try Data("{}".utf8).write(to: folder.appending(path: "adapter_config.json"))
    let outcome = try program.run([
      "--lora-checkpoint", folder.path, "--output", folder.path + "-new",
    ])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("--hf-model-path"))
  }
}

@Test func modelThatIsNowhereIsAnError() throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try program.run(
      [
        "--lora-checkpoint", adapter, "--pretrained", "no-such/model",
        "--output", folder.path + "/new", "--json",
      ], environment: ["HF_HOME": folder.path])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("convert download no-such/model"))
    #expect(try outcome.object["status"] as? String == "failed")
  }
}

// MARK: Refusals

@Test func folderWithoutAnAdapterIsRefusedBeforeTheBaseIsLookedFor() throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try program.run([
      "--lora-checkpoint", folder.path + "/none", "--hf-model-path", "no-such/model",
      "--output", folder.path + "/new",
    ])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("/none holds no adapter"))
  }
}

@Test func modelWithoutAnAdapterIsNone() throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try merge(["--lora-checkpoint", llama], to: folder.appending(path: "new"))
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("holds no adapter"))
  }
}

@Test func checkpointOfAModelIsNoAdapter() throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try merge(
      ["--lora-checkpoint", checkpoint, "--pretrained", llama], to: folder.appending(path: "new"))
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("no adapter but a model's own weights"))
    #expect(outcome.error.contains("--pretrained"))
  }
}

@Test func adapterOfAnotherModelNamesTensorsAndBothShapes() throws {
  try Support.withTemporaryFolder { folder in
    let other = Support.model("bridge/gemma2").path
    let outcome = try program.run([
      "--lora-checkpoint", adapter, "--pretrained", other, "--output", folder.path + "/new",
    ])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("linear_qkv.adapter.linear_out.weight is [2, 128, 8]"))
    #expect(outcome.error.contains("model.layers.0.self_attn.q_proj.weight needs is [2, 256, 8]"))
    #expect(names(in: folder).isEmpty)
  }
}

@Test func adapterIsNotMergedTwice() throws {
  try Support.withTemporaryFolder { folder in
    let first = folder.appending(path: "first")
    #expect(
      try merge(["--lora-checkpoint", adapter, "--pretrained", checkpoint], to: first).status == 0)
    let outcome = try merge(
      ["--lora-checkpoint", adapter, "--pretrained", first.path],
      to: folder.appending(path: "second"))
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("already"))
    #expect(names(in: folder) == ["first"])
  }
}

@Test func destinationsAreTreatedAsConvertTreatsThem() throws {
  try Support.withTemporaryFolder { folder in
    try FileManager.default.copyItem(atPath: adapter, toPath: folder.path + "/lora")
    let arguments = ["--lora-checkpoint", folder.path + "/lora", "--pretrained", checkpoint]
    let onItself = try merge(
      arguments + ["--overwrite"], to: folder.appending(path: "lora"))
    #expect(onItself.status == 1)
    #expect(onItself.error.contains("holds the source"))
    let target = folder.appending(path: "full")
    try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: target.appending(path: "precious.txt"))
    let refused = try merge(arguments, to: target)
    #expect(refused.status == 1)
    #expect(refused.error.contains("--overwrite"))
    #expect(names(in: target) == ["precious.txt"])
    #expect(try merge(arguments + ["--overwrite"], to: target).status == 0)
    #expect(!names(in: target).contains("precious.txt"))
    #expect(names(in: folder) == ["full", "lora"])
  }
}

@Test func memoryThatIsTooLittleIsAnError() throws {
  try Support.withTemporaryFolder { folder in
    let outcome = try merge(
      ["--lora-checkpoint", adapter, "--pretrained", checkpoint, "--max-memory", "1k"],
      to: folder.appending(path: "new"))
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("--max-memory"))
  }
}

/// A PEFT adapter of rank 1 for one projection of 16 numbers to `outputs`.
private func writeAdapter(
  to folder: URL, module: String, inputs: Int, outputs: Int, first: Float = 0.5
) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  let target = module.split(separator: ".").last ?? ""
  let configuration = """
    {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 1, "lora_alpha": 1, "bias": "none",
     "target_modules": ["\(target)"], "lora_dropout": 0.0, "base_model_name_or_path": null}
    """
  try Data(configuration.utf8).write(to: folder.appending(path: "adapter_config.json"))
  func tensor(_ side: String, _ shape: [Int]) -> HandMade {
    var values = [Float](repeating: 0.5, count: shape[0] * shape[1])
    values[0] = first
    var tensor = HandMade.floats("base_model.model.\(module).\(side).weight", values)
    tensor.shape = shape
    return tensor
  }
  try HandMade.write(
    [tensor("lora_A", [1, inputs]), tensor("lora_B", [outputs, 1])],
    to: folder.appending(path: "adapter_model.safetensors"))
}

@Test(arguments: [Float.nan, .infinity])
func adaptersThatAreNotFiniteAreMergedOnlyWhenAskedFor(_ value: Float) throws {
  try Support.withTemporaryFolder { folder in
    let bad = folder.appending(path: "bad")
    try writeAdapter(
      to: bad, module: "model.layers.0.self_attn.o_proj", inputs: 64, outputs: 64, first: value)
    let target = folder.appending(path: "new")
    let arguments = ["--lora-checkpoint", bad.path]
    let refused = try merge(arguments, to: target)
    #expect(refused.status == 1)
    #expect(refused.error.contains("lora_A"))
    #expect(refused.error.contains("--allow-non-finite"))
    #expect(names(in: folder) == ["bad"])
    let allowed = try merge(arguments + ["--allow-non-finite", "--json"], to: target)
    #expect(allowed.status == 0, "\(allowed.error)")
    let changed = try #require(try allowed.object["changed"] as? [[String: Any]])
    #expect(changed.first?["largest"] as? String == "infinity")
  }
}

@Test func quantisedBaseIsRefusedWithAWayOut() throws {
  try Support.withTemporaryFolder { folder in
    let lora = folder.appending(path: "lora")
    try writeAdapter(
      to: lora, module: "model.layers.0.self_attn.o_proj", inputs: 8, outputs: 16)
    let base = Support.fixtures.appending(path: "quantised/deepseek_v3/hf").path
    let outcome = try program.run([
      "--lora-checkpoint", lora.path, "--hf-model-path", base, "--output", folder.path + "/new",
    ])
    #expect(outcome.status == 1)
    #expect(outcome.error.contains("convert import --torch-dtype"))
  }
}
