import Architectures
import Blueprint
import JSON
import Support
import Tensors
import Testing

/// Models whose blocks differ, and how Megatron-Core is told so.
struct UnlikeBlocksTests {
  private func blueprint(_ name: String) throws -> Blueprint {
    try Case(path: "hf/" + name).blueprint()
  }

  @Test func blocksHoldWhatTheirConfigurationSays() throws {
    let blueprint = try blueprint("nemotron_nas")
    let leaves = blueprint.blocks.map(\.leaves)
    #expect(leaves.map(\.count) == [2, 1, 2, 1])
    #expect((leaves[0][0] as? Attention)?.groups == 2)
    #expect(leaves[1][0] is MLP)
    #expect((leaves[2][0] as? LinearMap)?.place == .attention)
    #expect((leaves[2][1] as? LinearMap)?.place == .mlp)
    #expect((leaves[3][0] as? Attention)?.groups == 1)
    // ⌊2 · 5.25 · 32 / 3⌋ = 112 and ⌊2 · 1.3125 · 32 / 3⌋ = 28, up to a multiple of 256.
    #expect(leaves.flatMap { $0 }.compactMap { ($0 as? MLP)?.inner } == [256, 256])
    #expect(!blueprint.isHybrid && !blueprint.stacksLayers)
    let others = try self.blueprint("decilm_7b").blocks.flatMap(\.leaves)
    #expect(others.compactMap { ($0 as? Attention)?.groups } == [4, 2, 1])
  }

  @Test func keysAreThoseOfMegatronsHeterogeneousBlocks() throws {
    let blueprint = try blueprint("nemotron_nas")
    let names = MegatronNames(blueprint)
    let keys = Set(blueprint.slots.flatMap { names.pieces(of: $0).map(\.key) })
    // MAPPINGS.md, section 9.
    let expected: Set = [
      "embedding.word_embeddings.weight", "output_layer.weight", "decoder.final_layernorm.weight",
      "decoder.layers.0.self_attention.linear_qkv.layer_norm_weight",
      "decoder.layers.0.self_attention.linear_qkv.weight",
      "decoder.layers.0.self_attention.linear_proj.weight",
      "decoder.layers.0.mlp.linear_fc1.layer_norm_weight",
      "decoder.layers.0.mlp.linear_fc1.weight", "decoder.layers.0.mlp.linear_fc2.weight",
      "decoder.layers.1.mlp.linear_fc1.layer_norm_weight",
      "decoder.layers.1.mlp.linear_fc1.weight", "decoder.layers.1.mlp.linear_fc2.weight",
      "decoder.layers.2.self_attention.layer_norm_weight", "decoder.layers.2.self_attention.weight",
      "decoder.layers.2.mlp.layer_norm_weight", "decoder.layers.2.mlp.weight",
      "decoder.layers.3.self_attention.linear_qkv.layer_norm_weight",
      "decoder.layers.3.self_attention.linear_qkv.weight",
      "decoder.layers.3.self_attention.linear_proj.weight",
    ]
    #expect(keys == expected)
  }

  @Test func theListOfBlocksSaysWhatMegatronCoreReads() throws {
    let model = MegatronArguments(try blueprint("nemotron_nas"), dtype: .bfloat16).model
    #expect(
      model["_target_"]
        == .string(
          "megatron.bridge.models.llama_nemotron.llama_nemotron_provider.LlamaNemotronHeterogeneousProvider"
        ))
    // Bridge takes the number of the first block.
    #expect(model["num_query_groups"] == .integer(2))
    #expect(model["heterogeneous_block_specs"] == .bool(true))
    let text = try #require(model["heterogeneous_layers_config_encoded_json"]?.string)
    let list = try #require(try JSON(parsing: Array(text.utf8)).object?["block_configs"]?.array)
    // What heterogeneous_config.py makes of the model's own config.json.
    let expected: [(Bool, Bool, Int?, Bool, Bool, Int?)] = [
      (false, false, 2, false, false, 256), (true, false, nil, false, false, 256),
      (false, true, nil, false, true, nil), (false, false, 1, true, false, nil),
    ]
    #expect(list.count == expected.count)
    for (block, facts) in zip(list, expected) {
      let attention = try #require(block.object?["attention"]?.object)
      let mlp = try #require(block.object?["mlp"]?.object)
      #expect(attention["no_op"] == .bool(facts.0))
      #expect(attention["replace_with_linear"] == .bool(facts.1))
      #expect(attention["num_query_groups"] == (facts.2.map(JSON.integer) ?? .null))
      #expect(mlp["no_op"] == .bool(facts.3))
      #expect(mlp["replace_with_linear"] == .bool(facts.4))
      #expect(mlp["ffn_hidden_size"] == (facts.5.map(JSON.integer) ?? .null))
    }
    let alike = MegatronArguments(try blueprint("starcoder2"), dtype: .bfloat16).model
    #expect(alike["heterogeneous_layers_config_encoded_json"] == nil)
  }

  @Test func whatMegatronHasNoWordForStandsUnderKeysOfOurs() throws {
    func model(_ name: String) throws -> JSONObject {
      MegatronArguments(try blueprint(name), dtype: .bfloat16).model
    }
    let solar = try #require(try model("solar_pro")["isthmus_block_skips"]?.array)
    #expect(solar.count == 3)
    #expect(solar[1].object?["from"] == .integer(3) && solar[1].object?["to"] == .integer(4))
    #expect(solar[1].object?["share"] == .number(0.8))
    let sparsity = try #require(try model("phi3_small")["isthmus_block_sparsity"]?.object)
    #expect(sparsity["layers"] == .array([1, 0, 1, 0].map { .integer($0) }))
    #expect(sparsity["stride"] == .integer(4))
    let small = try model("phi3_small")
    #expect(small["activation_func_clamp_value"] == .number(1.5))
    #expect(small["glu_linear_offset"] == .number(1))
    #expect(try model("baichuan2_13b")["isthmus_normalized_head"] == .bool(true))
    #expect(try model("gptj")["isthmus_output_bias"] == .bool(true))
    #expect(try model("gptj")["rotary_interleaved"] == .bool(true))
    #expect(try model("phi2")["rotary_interleaved"] == .bool(false))
    #expect(try model("chatglm2")["rotary_percent"] == .number(0.5))
    #expect(try model("gpt_bigcode_mqa")["position_embedding_type"] == .string("learned_absolute"))
    #expect(try model("cohere2")["no_rope_freq"] == .array([0, 0, 0, 1].map { .integer($0) }))
    #expect(try model("stablelm_2_12b")["isthmus_qk_layernorm"] == .string("own_head"))
    #expect(try model("minicpm3_4b")["multi_latent_attention"] == .bool(true))
  }

  @Test(arguments: [
    ("n_heads_in_group", JSON.integer(3)), ("n_heads_in_group", .null),
    ("window_length", .integer(8)), ("sparsify", .array([])), ("unshifted_sink", .bool(true)),
    ("odd", .integer(1)),
  ])
  func attentionThatNoPublishedModelHasIsRefused(_ key: String, _ value: JSON) throws {
    var configuration = try Case(path: "hf/nemotron_nas").configuration()
    var blocks = try #require(configuration["block_configs"]?.array)
    var first = try #require(blocks[0].object)
    var attention = try #require(first["attention"]?.object)
    attention[key] = value
    first["attention"] = .object(attention)
    blocks[0] = .object(first)
    configuration["block_configs"] = .array(blocks)
    #expect(throws: ConfigError.self) { try Registry.blueprint(configuration) }
  }

  @Test func anUnknownKeyOfABlockIsNamedWithItsPlace() throws {
    var configuration = try Case(path: "hf/nemotron_nas").configuration()
    var blocks = try #require(configuration["block_configs"]?.array)
    var block = try #require(blocks[2].object)
    block["moe"] = .bool(true)
    blocks[2] = .object(block)
    configuration["block_configs"] = .array(blocks)
    #expect(throws: ConfigError.unread(keys: ["block_configs[2].moe"])) {
      try Registry.blueprint(configuration)
    }
    configuration["block_configs"] = .array([.integer(1)])
    #expect(throws: ConfigError.self) { try Registry.blueprint(configuration) }
  }

  /// TRANSFORMS.md §9, ROPE-IL: in each block of d turning rows, new[2i] = old[i] and
  /// new[2i + 1] = old[i + d/2].
  @Test func halvesThatTurnBecomePairsInMegatronsLatentAttention() throws {
    let slots = try blueprint("minicpm3_4b").blocks[0].slots
    func rows(_ role: Role) throws -> [Int] {
      let slot = try #require(slots.first { $0.role == role })
      guard case .rows(let segments) = slot.layout else { return [] }
      return segments.flatMap { segment in
        (0..<segment.count).map { segment.first + $0 * segment.stride }
      }
    }
    let turned = [0, 4, 1, 5, 2, 6, 3, 7]
    // Four heads of 16 rows without position and 8 with it; a latent of 16 before the shared key.
    var queries: [Int] = []
    for first in [0, 24, 48, 72] {
      queries += Array(first..<first + 16)
      queries += turned.map { first + 16 + $0 }
    }
    #expect(try rows(.queryUp) == queries)
    let keys: [Int] = Array(0..<16) + turned.map { 16 + $0 }
    #expect(try rows(.keyValueDown) == keys)
    #expect(try rows(.keyValueUp) == Array(0..<128))
    let latents = try blueprint("minicpm3_4b").blocks.flatMap(\.leaves)
      .compactMap { $0 as? LatentAttention }
    #expect(latents.allSatisfy { $0.storesHalves && $0.rotary.isInterleaved && $0.eps == 1e-6 })
    #expect(latents.allSatisfy { $0.valueSize == 16 && $0.scale == nil })
    // DeepSeek's tensors are as Megatron wants them.
    let other = try blueprint("deepseek_v3").blocks[0].slots
    for slot in other {
      #expect(slot.layout == .concatenated(slot.parts.map { $0.shape.count / slot.rowWidth }))
    }
  }
}
