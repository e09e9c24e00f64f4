import Adapters
import Checkpoints
import Engine
import Foundation
import Kernels
import SafeTensors
import Support
import Tensors
import Testing
import Weights

/// Adapters out of files become the engine's, and come back.
@Suite struct AdapterTests {
  private struct Case {
    let adapter: Adapter
    let model: Model
    /// What PEFT merges, by tensor.
    let merged: SafeTensorsFile

    init(_ name: String) throws {
      struct Description: Decodable { var model: String }
      let root = Support.fixtures.appending(path: "adapters")
      let folder = root.appending(path: name)
      let description = try JSONDecoder().decode(
        Description.self, from: Data(contentsOf: folder.appending(path: "case.json")))
      let source = try HuggingFaceModel(
        folder: root.appending(path: "models/\(description.model)").path)
      adapter = try Adapter(reading: folder.path, for: source)
      model = try Model(ModelWeights(source), .float32)
      merged = try SafeTensorsFile(folder.appending(path: "merged.safetensors").path)
    }
  }

  static let cases: [String] = Support.names(in: "adapters").filter {
    let file = Support.fixtures.appending(path: "adapters/\($0)/case.json")
    return FileManager.default.fileExists(atPath: file.path)
  }

  /// What is no low-rank change of a matrix that is multiplied by.
  static let beyond: Set<String> = [
    "bias_all", "bias_lora_only", "dora_embedding", "embeddings", "lora_bias", "mlx_dora",
    "mlx_full",
    "mlx_lora", "tied_saved",
    "modules_to_save", "tied_both", "tied_head", "tied_lora",
  ]

  @Test func thereAreCases() { #expect(Self.cases.count >= 30) }

  @Test(arguments: cases) func mergedInMemoryTheyAreWhatPEFTMerges(_ name: String) throws {
    let made = try Case(name)
    guard !Self.beyond.contains(name) else {
      #expect(throws: AdapterError.self) { try made.model.attach(made.adapter) }
      return
    }
    try made.model.attach(made.adapter)
    #expect(!made.model.learned.isEmpty)
    made.model.mergeAdapters()
    var found = 0
    for parameter in made.model.parameters {
      for (part, runs) in parameter.parts(parameter.value) {
        guard let entry = made.merged[part.name] else { continue }
        let expected = try made.merged.runs(of: part.name).floats(dtype: entry.dtype)
        let ours = try runs.floats(dtype: .float32)
        let worst = zip(ours, expected).reduce(0) { max($0, abs($1.0 - $1.1) / (1 + abs($1.1))) }
        #expect(ours.count == expected.count && worst < 1e-5, "\(part.name): \(worst)")
        found += 1
      }
    }
    #expect(found > 0)
  }

  /// What is given back is what was read: read again, it is the same to the last bit.
  @Test(arguments: cases.filter { !beyond.contains($0) })
  func whatIsGivenBackIsWhatWasRead(_ name: String) throws {
    let (first, second) = (try Case(name), try Case(name))
    try first.model.attach(first.adapter)
    let given = try first.model.adapter("memory")
    #expect(Set(given.changes.keys) == Set(first.adapter.changes.keys))
    try second.model.attach(given)
    #expect(first.model.learned.map(\.name) == second.model.learned.map(\.name))
    for (one, other) in zip(first.model.learned, second.model.learned) {
      #expect(one.value.floats == other.value.floats, "\(one.name)")
    }
  }

  /// Megatron's adapters have one A for all tensors of a packed matrix, or for all experts.
  @Test func whatMegatronFusesIsFused() throws {
    let source = try HuggingFaceModel(folder: Support.model("bridge/llama").path)
    let run = Support.data("bridge/llama/lora")
    let adapter = try Adapter(reading: run.path, for: source)
    let model = try Model(ModelWeights(source), .float32)
    try model.attach(adapter)
    let changes = model.parameters.compactMap(\.change)
    #expect(!changes.isEmpty)
    for change in changes {
      #expect(change.pairs.count == 1)
      #expect(change.pairs[0].place.rows != .part(1))
    }
    let fused = model.parameters.filter { $0.slot.slot.parts.count > 1 }.compactMap(\.change)
    #expect(fused.allSatisfy { $0.pairs[0].place.rows == .all })
    #expect(!fused.isEmpty)
  }
}
