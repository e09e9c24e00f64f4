import Engine
import Foundation
import Kernels
import Support
import Tensors
import Testing

@testable import Training

/// Whatever a model is made of, a checkpoint gives back every number that is trained and all that the optimiser
/// keeps, bit for bit.
@Suite struct FamilyTests {
  /// Experts, Mamba layers, delta rules, latent attention, predictors, fused and shifted and copied rows.
  static let families = [
    "deepseek_v3", "exaone_moe", "falcon_h1", "gemma3_text", "gpt_bigcode_mqa", "gpt_oss",
    "llama4_moe", "nemotron_h_latent_moe", "nemotron_h_moe", "olmoe", "phi3_mini_4k", "qwen2_tied",
    "qwen3_next",
  ]

  private func same(_ left: Matrix, _ right: Matrix) throws -> Bool {
    func bytes(_ matrix: Matrix) throws -> [UInt8] {
      let runs = matrix.bytes
      let buffer = ByteBuffer(capacity: max(1, runs.byteCount))
      try buffer.fill(runs)
      return buffer.bytes(0..<runs.byteCount)
    }
    let (lhs, rhs) = (try bytes(left), try bytes(right))
    return left.numbers == right.numbers && left.rows == right.rows
      && left.columns == right.columns && lhs == rhs
  }

  private func check(_ run: RunCase, _ name: String) throws {
    let live = try run.begin()
    _ = try run.train(live, 0..<2)
    try run.checkpoints(live).save(run.progress(2))
    let saved = try #require(try SavedRun.find(run.settings.saving))
    let other = try run.begin(from: saved)
    _ = try saved.restore(into: other.trainer, run.settings.saving)
    #expect(other.trainer.optimiser.updates == 2)
    #expect(!live.trainer.optimiser.states.isEmpty)
    for (left, right) in zip(live.trainer.optimiser.states, other.trainer.optimiser.states) {
      #expect(left.target.name == right.target.name)
      #expect(try same(left.target.value, right.target.value), "\(name): \(left.target.name)")
      #expect(try same(left.master, right.master), "\(name): master of \(left.target.name)")
      #expect(try same(left.first, right.first), "\(name): first of \(left.target.name)")
      #expect(try same(left.second, right.second), "\(name): second of \(left.target.name)")
    }
    for (left, right) in zip(live.trainer.model.parameters, other.trainer.model.parameters)
    where !left.isTrained {
      #expect(try same(left.value, right.value), "\(name): \(left.name)")
    }
  }

  @Test(arguments: families) func weightsAndStatesComeBack(_ name: String) throws {
    try Support.withTemporaryFolder { folder in
      var run = RunCase(folder)
      run.folder = Support.model("hf/\(name)").path
      run.numbers = .bfloat16
      try check(run, name)
    }
  }

  @Test(arguments: families, [AdapterSettings.Kind.lora, .dora, .parts])
  func adaptersAndStatesComeBack(_ name: String, _ kind: AdapterSettings.Kind) throws {
    try Support.withTemporaryFolder { folder in
      var run = RunCase(folder)
      run.folder = Support.model("hf/\(name)").path
      run.numbers = .bfloat16
      var adapters = AdapterSettings()
      adapters.rank = 2
      adapters.alpha = 4
      adapters.kind = kind
      run.adapters = adapters
      try check(run, name)
    }
  }
}
