import Foundation
import Support
import Testing

/// A PEFT adapter of zeros for the large model: every projection of the MLPs.
private func writeAdapter(to folder: URL, layers: Int = 12) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  let configuration = """
    {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 64, "lora_alpha": 64, "bias": "none",
     "target_modules": ["gate_proj", "up_proj", "down_proj"], "lora_dropout": 0.0,
     "base_model_name_or_path": null}
    """
  try Data(configuration.utf8).write(to: folder.appending(path: "adapter_config.json"))
  var tensors: [HandMade] = []
  for layer in 0..<layers {
    for (name, outputs, inputs) in [
      ("gate", 2816, 1024), ("up", 2816, 1024), ("down", 1024, 2816),
    ] {
      let prefix = "base_model.model.model.layers.\(layer).mlp.\(name)_proj."
      tensors.append(
        HandMade(name: prefix + "lora_A.weight", dtype: "F32", shape: [64, inputs], bytes: nil))
      tensors.append(
        HandMade(name: prefix + "lora_B.weight", dtype: "F32", shape: [outputs, 64], bytes: nil))
    }
  }
  try HandMade.write(tensors, to: folder.appending(path: "adapter_model.safetensors"))
}

@Suite(.serialized) struct Interrupts {
  private func merging(_ folder: URL, _ body: (RunningProgram, URL) throws -> Void) throws {
    let model = folder.appending(path: "model")
    try writeLargeModel(to: model)
    try writeAdapter(to: folder.appending(path: "adapter"))
    let place = folder.appending(path: "place")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    let running = try program.start([
      "--lora-checkpoint", folder.path + "/adapter", "--hf-model-path", model.path,
      "--output", place.path + "/new",
    ])
    #expect(running.waitForStaging(in: place))
    try body(running, place)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func signalLeavesNothing(_ signal: Int32) throws {
    try Support.withTemporaryFolder { folder in
      try merging(folder) { running, place in
        running.send(signal)
        let outcome = try running.wait()
        #expect(outcome.status == 130)
        #expect(outcome.error.contains("Interrupted"))
        #expect(names(in: place).isEmpty)
      }
    }
  }

  @Test func killLeavesOnlyAStagingFolderWhichTheNextRunRemoves() throws {
    try Support.withTemporaryFolder { folder in
      try merging(folder) { running, place in
        running.send(SIGKILL)
        _ = try running.wait()
        let left = names(in: place)
        #expect(left.count == 1)
        #expect(left.allSatisfy { $0.contains(".isthmus-") })
        let next = try program.run([
          "--lora-checkpoint", folder.path + "/adapter",
          "--hf-model-path", folder.path + "/model", "--output", place.path + "/new",
        ])
        #expect(next.status == 0, "\(next.error)")
        #expect(names(in: place) == ["new"])
      }
    }
  }
}
