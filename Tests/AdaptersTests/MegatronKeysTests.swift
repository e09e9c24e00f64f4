import Adapters
import Checkpoints
import Foundation
import MegatronFormat
import Support
import Tensors
import Testing

/// Other spellings of the same adapters, and files that are not what they should be.
@Suite struct MegatronKeysTests {
  /// A tensor to write.
  private struct Stored {
    var dtype: DType
    var shape: Shape
    var bytes: [UInt8]
  }

  private let llama = MegatronCase(model: "llama", adapter: "lora")

  /// The peer's tensors, changed, in a folder of their own with the peer's settings.
  private func with(
    _ item: MegatronCase, settings: (String) -> String = { $0 },
    changing change: (inout [String: Stored]) -> Void = { _ in }, _ body: (URL) throws -> Void
  ) throws {
    var tensors = try MegatronModel(path: item.folder.path).tensors.mapValues {
      Stored(dtype: $0.dtype, shape: $0.shape, bytes: try $0.runs().materialised())
    }
    change(&tensors)
    try Support.withTemporaryFolder { folder in
      try write(tensors, to: folder)
      let config = item.folder.appending(path: "iter_0000005/run_config.yaml")
      let text = try String(contentsOf: config, encoding: .utf8)
      try settings(text)
        .write(to: folder.appending(path: "run_config.yaml"), atomically: true, encoding: .utf8)
      try body(folder)
    }
  }

  private func write(_ tensors: [String: Stored], to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var plan = DistributedWritePlan()
    let sorted = tensors.sorted { $0.key < $1.key }
    for (key, tensor) in sorted {
      try plan.add(
        tensor: key, dtype: tensor.dtype, shape: tensor.shape,
        offsets: tensor.shape.dimensions.map { _ in 0 }, sizes: tensor.shape,
        file: DistributedWritePlan.fileName(rank: 0))
    }
    let layout = try plan.finish()
    let file = try OutputFile(
      creating: folder.appending(path: DistributedWritePlan.fileName(rank: 0)).path)
    for (item, entry) in zip(layout.items, sorted) {
      let bytes = entry.value.bytes
      let start = item.offset + item.archive.dataOffset
      try file.write(item.archive.prefix, at: item.offset)
      try file.write(bytes, at: start)
      try file.write(item.archive.suffix(crc32: crc32(bytes)), at: start + bytes.count)
    }
    try Data(layout.encodedMetadata()).write(to: folder.appending(path: ".metadata"))
    try Data(BackendMetadata.bytes).write(to: folder.appending(path: "metadata.json"))
  }

  private func expectEqual(_ left: Adapter, _ right: Adapter) throws {
    #expect(Set(left.changes.keys) == Set(right.changes.keys))
    for (name, changes) in left.changes {
      let (a, b) = (
        try #require(changes.first?.lowRank), try #require(right.changes[name]?.first?.lowRank)
      )
      #expect(try a.a.bytes() == b.a.bytes() && a.b.bytes() == b.b.bytes(), "\(name)")
      #expect(a.scale == b.scale)
    }
  }

  /// `decoder.layers.mlp…` [L, …] as `decoder.layers.0.mlp…`, `decoder.layers.1.mlp…`.
  private func unstack(_ tensors: inout [String: Stored]) {
    let head = "decoder.layers."
    for (key, tensor) in tensors {
      tensors[key] = nil
      let size = tensor.bytes.count / tensor.shape[0]
      for layer in 0..<tensor.shape[0] {
        tensors["\(head)\(layer).\(key.dropFirst(head.count))"] = Stored(
          dtype: tensor.dtype, shape: Shape(Array(tensor.shape.dimensions.dropFirst())),
          bytes: Array(tensor.bytes[layer * size..<(layer + 1) * size]))
      }
    }
  }

  @Test func keysOfEachLayerAreTheSameAdapter() throws {
    let model = try HuggingFaceModel(folder: llama.source.path)
    try with(llama, changing: unstack) { folder in
      try expectEqual(Adapter(megatron: folder.path, for: model), llama.read())
    }
  }

  @Test func neMosKeysAndSettingsAreTheSameAdapter() throws {
    let model = try HuggingFaceModel(folder: llama.source.path)
    let prefix = { (tensors: inout [String: Stored]) in
      tensors = Dictionary(uniqueKeysWithValues: tensors.map { ("module." + $0, $1) })
    }
    try with(llama, changing: prefix) { written in
      try Support.withTemporaryFolder { folder in
        let files = FileManager.default
        let weights = folder.appending(path: "weights")
        try files.removeItem(at: written.appending(path: "run_config.yaml"))
        try files.copyItem(at: written, to: weights)
        let context = folder.appending(path: "context")
        try files.createDirectory(at: context, withIntermediateDirectories: true)
        let base = #"{"model_ckpt_path": "/the/base"}"#
        try base.write(
          to: weights.appending(path: "adapter_metadata.json"), atomically: true, encoding: .utf8)
        let yaml = "_target_: a.LlamaModel\nmodel_transform:\n"
        let section = "  _target_: nemo.collections.llm.peft.lora.LoRA\n  dim: 8\n  alpha: 16\n"
        try (yaml + section).write(
          to: context.appending(path: "model.yaml"), atomically: true, encoding: .utf8)
        try expectEqual(Adapter(megatron: folder.path, for: model), llama.read())
        // Without model.yaml, its older brother says it; what is the class's default is not there.
        try files.removeItem(at: context.appending(path: "model.yaml"))
        try fiddle.write(
          to: context.appending(path: "io.json"), atomically: true, encoding: .utf8)
        let settings = try MegatronAdapterSettings(RunFolder(resolving: folder.path))
        #expect(settings.rank == 32 && settings.alpha == 16 && settings.base == "/the/base")
        try expectEqual(Adapter(megatron: folder.path, for: model), llama.read())
      }
    }
  }

  /// The form of `formats/nemo2_fiddle_io.json`: `LoRA(alpha=16)` in a model in a context.
  private let fiddle = """
    {"root": {"type": "ref", "key": "ctx"}, "version": "0.0.1", "objects": {
     "ctx": {"type": {"type": "pyref", "module": "fiddle._src.config", "name": "Config"},
      "items": [["Attr(name='model')", {"type": "ref", "key": "model"}]], "metadata": null},
     "model": {"type": {"type": "pyref", "module": "fiddle._src.config", "name": "Config"},
      "items": [["Attr(name='model_transform')", {"type": "ref", "key": "lora"}]], "metadata": null},
     "lora": {"type": {"type": "pyref", "module": "fiddle._src.config", "name": "Config"},
      "items": [["Attr(name='alpha')", {"type": "leaf", "value": 16, "paths": []}]],
      "metadata": {"type": "ref", "key": "meta"}},
     "meta": {"type": {"type": "pyref", "module": "fiddle._src.config",
       "name": "BuildableTraverserMetadata"},
      "items": [["Attr(name='fn_or_cls')", {"type": "pyref",
       "module": "nemo.collections.llm.peft.lora", "name": "LoRA"}]], "metadata": null}}}
    """

  /// One expert's matrices under keys of their own, and all of them under the name training knows.
  @Test func expertsKeysMayBeSpelledInAllWays() throws {
    let item = MegatronCase(model: "qwen3_moe", adapter: "lora_per_expert")
    guard item.beside("lora_per_expert") != nil else { return }
    let model = try HuggingFaceModel(folder: item.source.path)
    let marker = "experts.experts."
    for spelling in ["experts.", "experts.experts.N.", "experts.local_experts.N."] {
      let spell = { (tensors: inout [String: Stored]) in
        unstack(&tensors)
        for (key, tensor) in tensors where key.contains(marker) {
          tensors[key] = nil
          guard spelling.contains("N") else {
            tensors[key.replacingOccurrences(of: marker, with: spelling)] = tensor
            continue
          }
          let size = tensor.bytes.count / tensor.shape[0]
          for expert in 0..<tensor.shape[0] {
            let own = spelling.replacingOccurrences(of: "N", with: "\(expert)")
            tensors[key.replacingOccurrences(of: marker, with: own)] = Stored(
              dtype: tensor.dtype, shape: Shape(Array(tensor.shape.dimensions.dropFirst())),
              bytes: Array(tensor.bytes[expert * size..<(expert + 1) * size]))
          }
        }
      }
      try with(item, changing: spell) { folder in
        try expectEqual(Adapter(megatron: folder.path, for: model), item.read())
      }
    }
  }

  /// The first expert's A for all of the first matrices, its B for all of the second.
  @Test func expertsMayShareTheirOuterMatrices() throws {
    let item = MegatronCase(model: "qwen3_moe", adapter: "lora_per_expert")
    guard item.beside("lora_per_expert") != nil else { return }
    let model = try HuggingFaceModel(folder: item.source.path)
    let original = try item.read()
    let share = { (tensors: inout [String: Stored]) in
      unstack(&tensors)
      for (key, tensor) in tensors
      where key.hasSuffix("experts.linear_fc1.adapter.linear_in.weight")
        || key.hasSuffix("experts.linear_fc2.adapter.linear_out.weight")
      {
        let shape = Shape(Array(tensor.shape.dimensions.dropFirst()))
        tensors[key] = Stored(
          dtype: tensor.dtype, shape: shape,
          bytes: Array(tensor.bytes[..<(tensor.bytes.count / tensor.shape[0])]))
      }
    }
    try with(item, changing: share) { folder in
      let adapter = try Adapter(megatron: folder.path, for: model)
      #expect(Set(adapter.changes.keys) == Set(original.changes.keys))
      for expert in 0..<4 {
        func low(_ from: Adapter, _ expert: Int, _ name: String) throws -> LowRank {
          let tensor = "model.layers.1.mlp.experts.\(expert).\(name).weight"
          return try #require(from.changes[tensor]?.first?.lowRank)
        }
        let (up, down) = (
          try low(adapter, expert, "up_proj"), try low(adapter, expert, "down_proj")
        )
        #expect(try up.a.bytes() == low(original, 0, "up_proj").a.bytes())
        #expect(try up.b.bytes() == low(original, expert, "up_proj").b.bytes())
        #expect(try down.a.bytes() == low(original, expert, "down_proj").a.bytes())
        #expect(try down.b.bytes() == low(original, 0, "down_proj").b.bytes())
      }
    }
  }

  // MARK: - What is wrong

  /// What reading says of it.
  private func refusal(
    settings: (String) -> String = { $0 },
    changing change: (inout [String: Stored]) -> Void = { _ in }
  ) throws -> String {
    let model = try HuggingFaceModel(folder: llama.source.path)
    var text = ""
    try with(llama, settings: settings, changing: change) { folder in
      do {
        _ = try Adapter(megatron: folder.path, for: model)
      } catch {
        text = "\(error)"
      }
    }
    return text
  }

  private let fc2 = "decoder.layers.mlp.linear_fc2.adapter."

  @Test func partnersAreMissed() throws {
    let text = try refusal(changing: { $0[fc2 + "linear_out.weight"] = nil })
    #expect(text.contains("lacks 1 tensors") && text.contains(fc2 + "linear_out.weight"))
  }

  @Test func otherShapesAreNamedWithBoth() throws {
    let text = try refusal(changing: { tensors in
      tensors[fc2 + "linear_in.weight"]?.shape = [2, 16, 64]
    })
    #expect(text.contains(fc2 + "linear_in.weight is [2, 16, 64]"))
    #expect(text.contains("[2, 16, 128]"))
  }

  @Test func tensorsOfNoLayerAreLeftOver() throws {
    let text = try refusal(changing: { tensors in
      tensors["decoder.layers.mlp.linear_fc9.adapter.linear_in.weight"] =
        tensors[fc2 + "linear_in.weight"]
      tensors["decoder.final_layernorm.weight"] = tensors[fc2 + "linear_in.weight"]
    })
    #expect(text.contains("linear_fc9") && text.contains("decoder.final_layernorm.weight"))
  }

  @Test func partsOfLayersThatHaveNoneAreRefused() throws {
    let text = try refusal(changing: { tensors in
      let key = "decoder.layers.mlp.linear_fc2.adapter.adapter_gate."
      tensors[key + "linear_in.weight"] = tensors[fc2 + "linear_in.weight"]
    })
    #expect(text.contains("no gate"))
  }

  @Test func severalAdaptersSideBySideAreRefused() throws {
    let text = try refusal(changing: { tensors in
      tensors["decoder.layers.mlp.linear_fc2.adapters.0.linear_in.weight"] =
        tensors[fc2 + "linear_in.weight"]
    })
    #expect(text.contains("MultiLoRA"))
  }

  @Test func anotherModelsAdapterIsNamedByThreeTensors() throws {
    let model = try HuggingFaceModel(folder: Support.model("bridge/gemma2").path)
    do {
      _ = try Adapter(megatron: llama.folder.path, for: model)
      Issue.record("it was read")
    } catch let error as AdapterError {
      guard case .doesNotFit(_, let mismatches) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(!mismatches.isEmpty)
    }
  }

  @Test func settingsMustBeThere() throws {
    func lines(without key: String) -> (String) -> String {
      { text in
        text.split(separator: "\n", omittingEmptySubsequences: false)
          .filter { !$0.hasPrefix("  \(key): 16") }.joined(separator: "\n")
      }
    }
    #expect(try refusal(settings: lines(without: "alpha")).contains("peft.alpha"))
    #expect(
      try refusal(settings: { text in
        text.replacingOccurrences(of: "peft.lora.LoRA", with: "peft.lora.Other")
      }).contains("LoRA, CanonicalLoRA, DoRA or VLMLoRA"))
    #expect(
      try refusal(settings: { text in
        text.replacingOccurrences(of: "  lora_dtype: null", with: "  use_rslora: true")
      }).contains("peft.use_rslora"))
    #expect(
      try refusal(settings: { _ in "peft: null\n" }).contains("does not say what the factor"))
  }
}
