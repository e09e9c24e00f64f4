import Checkpoints
import Foundation
import Support
import Tensors
import Testing

/// Checkpoints whose keys are spelled in other ways export to the same bytes.
///
/// Each test respells the keys of an import; which spellings exist is FORMATS.md B.3 to B.8.
@Suite struct SpellingTests {
  private typealias Tensors = [String: Stored]

  /// Imports a model, respells its keys, exports, and compares with the source.
  private func check(_ name: String, _ respell: (Tensors) throws -> Tensors) throws {
    let item = Case(path: "bridge/\(name)")
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(item.folder, to: megatron)
      let original = try tensors(ofMegatron: megatron)
      let respelled = try respell(original)
      #expect(Set(respelled.keys) != Set(original.keys))
      let other = folder.appending(path: "other")
      try writeMegatron(respelled, to: other)
      let back = folder.appending(path: "back")
      let plan = try exportModel(other, like: item.folder, to: back)
      #expect(try differences(item.folder, back) == [])
      #expect(plan.notes == [])
    }
  }

  /// The slices of a tensor along an axis, `count` elements of it each.
  private func slices(_ tensor: Stored, axis: Int, count: Int = 1, drop: Bool) -> [Stored] {
    let outer = tensor.shape.dimensions[..<axis].reduce(1, *)
    let inner =
      tensor.shape.dimensions[(axis + 1)...].reduce(1, *) * tensor.dtype.byteWidth
    var dimensions = tensor.shape.dimensions
    if drop { dimensions.remove(at: axis) } else { dimensions[axis] = count }
    return stride(from: 0, to: tensor.shape[axis], by: count).map { first in
      var bytes: [UInt8] = []
      for index in 0..<outer {
        let start = (index * tensor.shape[axis] + first) * inner
        bytes += tensor.bytes[start..<start + count * inner]
      }
      return Stored(dtype: tensor.dtype, shape: Shape(dimensions), bytes: bytes)
    }
  }

  private func renamed(_ tensors: Tensors, _ pairs: KeyValuePairs<String, String>) -> Tensors {
    var result: Tensors = [:]
    for (key, tensor) in tensors {
      var key = key
      for (old, new) in pairs { key = key.replacing(old, with: new) }
      result[key] = tensor
    }
    return result
  }

  /// `decoder.layers.X` of all layers as `decoder.layers.0.X`, `decoder.layers.1.X` and so on.
  private func numbered(_ tensors: Tensors) -> Tensors {
    var result: Tensors = [:]
    for (key, tensor) in tensors {
      guard key.hasPrefix("decoder.layers.") else {
        result[key] = tensor
        continue
      }
      for (layer, slice) in slices(tensor, axis: 0, drop: true).enumerated() {
        result["decoder.layers.\(layer).\(key.dropFirst("decoder.layers.".count))"] = slice
      }
    }
    return result
  }

  /// The halves of gated layers as `…weight_w` and `…weight_v`.
  private func halved(_ tensors: Tensors) -> Tensors {
    var result: Tensors = [:]
    for (key, tensor) in tensors {
      guard key.hasSuffix("linear_fc1.weight"), !key.contains(".experts.experts.linear") else {
        result[key] = tensor
        continue
      }
      let axis = tensor.shape.rank - 2
      let halves = slices(tensor, axis: axis, count: tensor.shape[axis] / 2, drop: false)
      result[key + "_w"] = halves[0]
      result[key + "_v"] = halves[1]
    }
    return result
  }

  /// Stacked experts one by one, under the key that `name` gives (head, tail, expert).
  private func listed(
    _ tensors: Tensors, _ name: (Substring, Substring, Int) -> String
  ) -> Tensors {
    var result: Tensors = [:]
    for (key, tensor) in tensors {
      guard let marker = key.firstRange(of: "experts.experts.") else {
        result[key] = tensor
        continue
      }
      let axis = tensor.shape.rank - 3
      for (expert, slice) in slices(tensor, axis: axis, drop: true).enumerated() {
        result[name(key[..<marker.lowerBound], key[marker.upperBound...], expert)] = slice
      }
    }
    return result
  }

  @Test(arguments: ["llama", "qwen3_moe", "deepseek_v3", "nemotron_h_moe", "gemma2"])
  func prefixesOfWrappersAreTakenOff(_ name: String) throws {
    for prefix in ["module.", "model.", "module.module.", "model.module."] {
      try check(name) { tensors in
        Dictionary(uniqueKeysWithValues: tensors.map { (prefix + $0.key, $0.value) })
      }
    }
  }

  @Test(arguments: ["llama", "llama_tied", "mistral", "qwen2", "qwen3", "qwen3_moe", "gemma2"])
  func layersMayHaveKeysOfTheirOwn(_ name: String) throws { try check(name, numbered) }

  @Test(arguments: ["llama", "qwen2", "qwen3", "gemma2"])
  func normsMayBeModulesOfTheirOwn(_ name: String) throws {
    let pairs: KeyValuePairs = [
      "self_attention.linear_qkv.layer_norm_": "input_layernorm.",
      "mlp.linear_fc1.layer_norm_": "pre_mlp_layernorm.",
    ]
    try check(name) { renamed($0, pairs) }
    try check(name) { numbered(renamed($0, pairs)) }
  }

  @Test func theLocalSpecificationsNamesOfAMixturesNorms() throws {
    try check("qwen3_moe") { tensors in
      renamed(
        tensors,
        [
          "self_attention.linear_qkv.layer_norm_": "input_layernorm.",
          "pre_mlp_layernorm.": "mlp.linear_fc1.layer_norm_",
        ])
    }
  }

  @Test(arguments: ["llama", "qwen3", "gemma2", "deepseek_v3"])
  func gatesMayBeTwoKeys(_ name: String) throws {
    try check(name, halved)
    if name != "deepseek_v3" { try check(name) { numbered(halved($0)) } }
  }

  @Test(arguments: ["qwen3_moe", "deepseek_v3", "nemotron_h_moe"])
  func expertsMayBeListed(_ name: String) throws {
    try check(name) { listed($0) { "\($0)experts.experts.\($2).\($1)" } }
    try check(name) { listed($0) { "\($0)experts.local_experts.\($2).\($1)" } }
    try check(name) { listed($0) { "\($0)experts.\($1)\($2)" } }
  }

  @Test func listedExpertsOfNumberedLayersWithTwoGates() throws {
    try check("qwen3_moe") { tensors in
      let plain = listed(numbered(tensors)) { "\($0)experts.local_experts.\($2).\($1)" }
      return halved(plain)
    }
  }

  @Test func severalSpellingsInOneCheckpoint() throws {
    try check("llama") { tensors in
      // Norms fused, gates halved, layers stacked but for the projections behind attention.
      var result = halved(tensors)
      let key = "decoder.layers.self_attention.linear_proj.weight"
      for (name, tensor) in numbered([key: tensors[key]].compactMapValues { $0 }) {
        result[name] = tensor
      }
      result[key] = nil
      return result
    }
  }

  @Test func trainingStateBesideTheModelIsPassedBy() throws {
    try check("llama") { tensors in
      var result = tensors
      for key in [
        "optimizer.state.exp_avg.decoder.layers.mlp.linear_fc1.weight", "rng_state.x",
        "chained_0.optimizer.state.fp32_param.embedding.word_embeddings.weight",
      ] {
        result[key] = Stored(dtype: .float32, shape: [1], bytes: [0, 0, 0, 0])
      }
      return result
    }
  }

  @Test func twoKeysThatWouldBeOneAreNotGuessedAbout() throws {
    let item = Case(path: "bridge/llama")
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(item.folder, to: megatron)
      var stored = try tensors(ofMegatron: megatron)
      stored["module.output_layer.weight"] = stored["output_layer.weight"]
      let twice = folder.appending(path: "twice")
      try writeMegatron(stored, to: twice)
      #expect {
        try ExportPlan(
          item.model(), from: MegatronModel(path: twice.path), ConversionOptions())
      } throws: {
        guard case ConversionError.coverage(let coverage, _) = $0 else { return false }
        return coverage.extra == ["module.output_layer.weight"]
      }
    }
  }

  @Test func piecesOfTwoTypesAreRefused() throws {
    try Support.withTemporaryFolder { folder in
      let item = Case(path: "bridge/nemotron_h")
      let megatron = folder.appending(path: "megatron")
      try importModel(item.folder, to: megatron)
      var stored = try tensors(ofMegatron: megatron)
      let key = try #require(stored.keys.filter { $0.hasSuffix("in_proj.weight.x") }.min())
      stored[key]?.dtype = .float16
      let mixed = folder.appending(path: "mixed")
      try writeMegatron(stored, to: mixed)
      #expect {
        try ExportPlan(
          item.model(), from: MegatronModel(path: mixed.path), ConversionOptions())
      } throws: {
        guard case ConversionError.mixedTypes(let names, let types) = $0 else { return false }
        return names.contains(key) && types.contains(.float16) && types.contains(.bfloat16)
      }
    }
  }
}
