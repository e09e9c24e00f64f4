import Adapters
import Checkpoints
import Foundation
import MegatronFormat
import SafeTensors
import Support
import Tensors
import Testing

/// Adapters that Megatron-Bridge wrote, against its own exports and merges of them.
@Suite struct MegatronReadingTests {
  @Test(arguments: MegatronCase.with("peft"))
  func factorsAreThoseOfThePeersExport(_ item: MegatronCase) throws {
    let adapter = try item.read()
    let name = item.adapter.replacingOccurrences(of: "lora", with: "peft")
    let exported = try #require(item.beside(name))
    // Its files are adapter_model.safetensors alone.
    let file = try SafeTensorsFile(exported.appending(path: "adapter_model.safetensors").path)
    var seen: Set<String> = []
    for entry in file.header.tensors {
      let inner = entry.name.dropFirst("base_model.model.".count)
      let isA = inner.hasSuffix(".lora_A.weight")
      let tensor = String(inner.dropLast(".lora_A.weight".count)) + ".weight"
      seen.insert(tensor)
      let changes = try #require(adapter.changes[tensor], "\(tensor)")
      try #require(changes.count == 1 && changes[0].matrix == nil)
      let low = try #require(changes[0].lowRank)
      let factor = isA ? low.a : low.b
      #expect(factor.dtype == entry.dtype && factor.shape == entry.shape, "\(entry.name)")
      #expect(
        try factor.bytes() == file.runs(of: entry.name).materialised(), "\(entry.name)")
      #expect(low.scale == 2 && low.magnitude == nil && !low.isTransposed)
    }
    #expect(Set(adapter.changes.keys) == seen)
    #expect(adapter.notes == [])
  }

  @Test(arguments: MegatronCase.with("merged"))
  func addedToTheWeightsTheyGiveThePeersMerge(_ item: MegatronCase) throws {
    let adapter = try item.read()
    let name = item.adapter.replacingOccurrences(of: "lora", with: "merged")
    let merged = try weights(in: #require(item.beside(name)))
    let base = try weights(in: item.source)
    try #require(!adapter.changes.isEmpty)
    for (tensor, changes) in adapter.changes {
      let before = try #require(base[tensor], "\(tensor)")
      let after = try #require(merged[tensor], "\(tensor)")
      var values = try before.runs.floats(before.dtype)
      for change in changes {
        let product = try #require(change.lowRank).product()
        try #require(product.count == values.count)
        for index in values.indices { values[index] += product[index] }
      }
      let expected = try after.runs.floats(after.dtype)
      // A half step is what rounding to bfloat16 may take away.
      let off = zip(values, expected).count { (ours: Float, peers: Float) -> Bool in
        (ours - peers).magnitude > peers.magnitude / 256 + 1e-7
      }
      #expect(off == 0, "\(tensor): \(off) of \(values.count) values differ")
    }
  }

  @Test func theAdapterOfTwoRanksGivesTheTrueMerge() throws {
    let base = try numbers(file: "formats/td_gpt_tp1.expected.safetensors")
    let merged = try numbers(file: "formats/bridge_lora_tp2.merged.safetensors")
    try Support.withTemporaryFolder { folder in
      let adapter = try Adapter(
        megatron: Support.data("formats/bridge_lora_tp2").path, for: tinyLlama(in: folder))
      #expect(adapter.changes.count == 2 * 7)
      for layer in 0..<2 {
        func delta(_ name: String) throws -> (LowRank, [Float]) {
          let low = try #require(
            adapter.changes["model.layers.\(layer).\(name).weight"]?.first?.lowRank)
          return (low, try low.product())
        }
        // Megatron's matrices put together here: per group two query heads, key, value of four rows.
        let (q, k, v) = (
          try delta("self_attn.q_proj"), try delta("self_attn.k_proj"),
          try delta("self_attn.v_proj")
        )
        var qkv: [Float] = []
        for group in 0..<2 {
          qkv += q.1[group * 8 * 16..<(group + 1) * 8 * 16]
          qkv += k.1[group * 4 * 16..<(group + 1) * 4 * 16]
          qkv += v.1[group * 4 * 16..<(group + 1) * 4 * 16]
        }
        let packed = [
          ("self_attention.linear_qkv", qkv),
          ("self_attention.linear_proj", try delta("self_attn.o_proj").1),
          ("mlp.linear_fc1", try delta("mlp.gate_proj").1 + delta("mlp.up_proj").1),
          ("mlp.linear_fc2", try delta("mlp.down_proj").1),
        ]
        for (module, delta) in packed {
          let key = "decoder.layers.\(module).weight"
          let weight = try #require(base[key])
          let wanted = try #require(merged["\(key).f32"])
          let range = layer * delta.count..<(layer + 1) * delta.count
          let sum = zip(weight[range], delta).map { $0 + $1 }
          let off = zip(sum, wanted[range]).count { (ours: Float, peers: Float) -> Bool in
            (ours - peers).magnitude > 1e-5
          }
          #expect(off == 0, "\(module) of layer \(layer)")
        }
      }
    }
  }

  @Test(arguments: MegatronCase.all.filter { $0.adapter == "lora_canonical" })
  func canonicalPairsBelongToTheirOwnTensors(_ item: MegatronCase) throws {
    let adapter = try item.read()
    let stored = try MegatronModel(path: item.folder.path).tensors
    let parts = [
      ("self_attn.q_proj", "self_attention.linear_qkv.adapter.adapter_q"),
      ("self_attn.k_proj", "self_attention.linear_qkv.adapter.adapter_k"),
      ("self_attn.v_proj", "self_attention.linear_qkv.adapter.adapter_v"),
      ("self_attn.o_proj", "self_attention.linear_proj.adapter"),
      ("mlp.gate_proj", "mlp.linear_fc1.adapter.adapter_gate"),
      ("mlp.up_proj", "mlp.linear_fc1.adapter.adapter_up"),
      ("mlp.down_proj", "mlp.linear_fc2.adapter"),
    ]
    #expect(adapter.changes.count == 2 * parts.count)
    for layer in 0..<2 {
      for (name, module) in parts {
        let changes = try #require(adapter.changes["model.layers.\(layer).\(name).weight"])
        try #require(changes.count == 1)
        let low = try #require(changes[0].lowRank)
        for (factor, side) in [(low.a, "linear_in"), (low.b, "linear_out")] {
          let whole = try #require(stored["decoder.layers.\(module).\(side).weight"])
          let shape = Shape(Array(whole.shape.dimensions.dropFirst()))
          let own = try whole.runs(
            region: [layer..<layer + 1] + shape.dimensions.map { 0..<$0 })
          #expect(factor.shape == shape && low.scale == 2)
          #expect(try factor.bytes() == own.materialised(), "\(name) \(side)")
        }
      }
    }
  }

  /// The tensors of a safetensors file as float32.
  private func numbers(file path: String) throws -> [String: [Float]] {
    let file = try SafeTensorsFile(Support.data(path).path)
    return try file.header.tensors.reduce(into: [:]) { result, entry in
      result[entry.name] = try file.runs(of: entry.name).floats(entry.dtype)
    }
  }

  /// The model that `formats/td_gpt_*` is.
  private func tinyLlama(in folder: URL) throws -> HuggingFaceModel {
    let configuration = """
      {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 16,
       "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4,
       "intermediate_size": 24, "vocab_size": 48, "rms_norm_eps": 1e-5, "hidden_act": "silu",
       "max_position_embeddings": 64, "tie_word_embeddings": false, "rope_theta": 10000.0}
      """
    try Data(configuration.utf8).write(to: folder.appending(path: "config.json"))
    return try HuggingFaceModel(folder: folder.path)
  }
}
