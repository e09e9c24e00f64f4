import Architectures
import Blueprint
import JSON
import Support
import Testing

/// Configurations of the families from GPT-J to Solar that must not be taken for something else, and
/// two spellings of one model.
struct ClassicRefusalTests {
  private func blueprint(
    _ name: String, _ changes: KeyValuePairs<String, JSON?>
  ) throws -> Blueprint {
    var configuration = try Case(path: "hf/" + name).configuration()
    for (key, value) in changes { configuration[key] = value }
    return try Registry.blueprint(configuration).blueprint
  }

  @Test(arguments: [
    ("stablelm_3b", "num_heads", JSON.integer(5)),
    ("stablelm_3b", "rotary_scaling_factor", .integer(2)),
    ("cohere2", "use_parallel_block", .bool(false)),
    ("cohere2", "position_embedding_type", .string("nope")),
    ("cohere2", "use_qk_norm", .bool(true)),
    ("cohere2", "order_of_interleaved_layers", .string("global_attn_first")),
    ("gptj", "rotary", .bool(false)), ("gpt_bigcode_mqa", "add_cross_attention", .bool(true)),
    ("chatglm2", "post_layer_norm", .bool(false)), ("chatglm2", "quantization_bit", .integer(4)),
    ("chatglm2", "pre_seq_len", .integer(128)), ("chatglm2", "tie_word_embeddings", .bool(true)),
    ("phi3_small", "hidden_act", .string("silu")),
    ("phi3_small", "rope_position_scale", .number(2)),
    ("starcoder2", "mlp_type", .string("gated")), ("starcoder2", "norm_type", .string("rms_norm")),
    ("minicpm3_4b", "attention_bias", .bool(true)), ("nemotron_nas", "mlp_bias", .bool(true)),
  ])
  func whatTheClassCannotDoIsRefused(_ name: String, _ key: String, _ value: JSON) throws {
    do {
      _ = try blueprint(name, [key: value])
      Issue.record("\(name) with another \(key) is taken")
    } catch ConfigError.unsupported(let found, _, _) {
      #expect(found == key)
    }
  }

  @Test(arguments: [
    ("gptj", "rotary_dim", JSON.integer(18)), ("gptj", "n_head", .integer(5)),
    ("gpt_bigcode_mqa", "n_head", .integer(5)), ("baichuan_7b", "num_attention_heads", .integer(5)),
    ("chatglm2", "multi_query_group_num", .integer(3)), ("chatglm2", "kv_channels", .integer(18)),
    ("cohere2", "head_dim", .integer(8)), ("cohere2", "layer_switch", .integer(3)),
    ("stablelm_3b", "head_dim", .integer(8)), ("minicpm3_4b", "num_key_value_heads", .integer(2)),
    ("phi3_small", "ff_dim_multiplier", .integer(4)),
    ("decilm_7b", "num_hidden_layers", .integer(4)),
    ("decilm_7b", "num_key_value_heads_per_layer", .array([3, 2, 1].map { .integer($0) })),
    ("nemotron_nas", "num_hidden_layers", .integer(3)),
    ("olmo3", "layer_types", .array([.string("full_attention")])),
  ])
  func sizesThatContradictEachOtherAreRefused(_ name: String, _ key: String, _ value: JSON) throws {
    do {
      _ = try blueprint(name, [key: value])
      Issue.record("\(name) with another \(key) is taken")
    } catch ConfigError.contradiction {
    }
  }

  @Test(arguments: [
    ("decilm_7b", "num_key_value_heads_per_layer"), ("solar_pro", "bskcn_1"),
    ("olmo2", "hidden_size"), ("baichuan_7b", "num_attention_heads"),
  ])
  func aMissingKeyIsNamed(_ name: String, _ key: String) throws {
    #expect(throws: ConfigError.missing(key: key)) { try blueprint(name, [key: nil]) }
  }

  /// The first ChatGLM has the same class name.
  @Test func theFirstChatGLMIsAnotherModel() throws {
    let first = JSONObject([
      "architectures": .array([.string("ChatGLMModel")]), "hidden_size": .integer(4096),
      "inner_hidden_size": .integer(16_384), "layernorm_epsilon": .number(1e-5),
      "max_sequence_length": .integer(2048), "model_type": .string("chatglm"),
      "num_attention_heads": .integer(32), "num_layers": .integer(28),
      "position_encoding_2d": .bool(true), "vocab_size": .integer(130_528),
    ])
    #expect(
      throws: ConfigError.unread(
        keys: ["inner_hidden_size", "max_sequence_length", "position_encoding_2d"])
    ) { try Registry.blueprint(first) }
  }

  // MARK: - Two spellings

  private func expectEqual(_ left: Blueprint, _ right: Blueprint) {
    #expect(left.slots.map(\.slot) == right.slots.map(\.slot))
    func rotaries(_ blueprint: Blueprint) -> [Rotary?] {
      blueprint.blocks.flatMap(\.leaves).compactMap { ($0 as? Attention)?.rotary }
    }
    #expect(rotaries(left) == rotaries(right))
    func norms(_ blueprint: Blueprint) -> [Norm?] {
      blueprint.blocks.flatMap(\.layers).compactMap { ($0 as? Residual)?.before }
    }
    #expect(norms(left) == norms(right))
    #expect(left.final == right.final)
  }

  @Test func stableLMsFirstFilesMeanTheSame() throws {
    let old = try blueprint(
      "stablelm_3b",
      [
        "architectures": .array([.string("StableLMEpochForCausalLM")]),
        "model_type": .string("stablelm_epoch"), "layer_norm_eps": nil, "norm_eps": .number(1e-3),
        "partial_rotary_factor": nil, "rope_pct": .number(0.5), "num_heads": .integer(4),
        "rotary_scaling_factor": .number(1),
      ])
    expectEqual(
      old,
      try blueprint(
        "stablelm_3b", ["layer_norm_eps": .number(1e-3), "partial_rotary_factor": .number(0.5)]))
  }

  @Test func eachKindOfLayerMayHaveItsRotaryParameters() throws {
    let configuration = try Case(path: "hf/olmo3").configuration()
    var full = try #require(configuration["rope_scaling"]?.object)
    full["rope_theta"] = .integer(500_000)
    let sliding = JSONObject(["rope_type": .string("default"), "rope_theta": .integer(500_000)])
    let new = try blueprint(
      "olmo3",
      [
        "rope_scaling": nil, "rope_theta": nil,
        "rope_parameters": .object(
          JSONObject(["full_attention": .object(full), "sliding_attention": .object(sliding)])),
      ])
    expectEqual(new, try blueprint("olmo3", [:]))
  }

  @Test func layersOfCommandMayBeListed() throws {
    let kinds = ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"]
    let listed = try blueprint(
      "cohere2",
      [
        "layer_types": .array(kinds.map { .string($0) }), "sliding_window_pattern": nil,
        "layer_switch": nil, "_sliding_window_pattern": .integer(4),
      ])
    expectEqual(listed, try blueprint("cohere2", [:]))
  }

  @Test func sizesHaveTwoNames() throws {
    expectEqual(
      try blueprint(
        "gptj",
        [
          "n_embd": nil, "hidden_size": .integer(48), "n_head": nil,
          "num_attention_heads": .integer(3), "n_layer": nil, "num_hidden_layers": .integer(3),
        ]), try blueprint("gptj", [:]))
    let glm = try blueprint("chatglm2", ["num_hidden_layers": .integer(3)])
    #expect(glm.frame.depth == 3)
  }

  @Test func theMixtureOfMiniCPMIsAMixture() throws {
    let mixture = try blueprint(
      "minicpm_2b", ["num_experts": .integer(4), "num_experts_per_tok": .integer(2)])
    let experts = mixture.blocks.flatMap(\.leaves).compactMap { $0 as? Experts }
    #expect(experts.count == 3)
    #expect(experts.allSatisfy { $0.router.isNormalized && $0.router.score == .softmax })
    let names = Set(mixture.slots.flatMap { $0.slot.parts.map(\.name) })
    // MAPPINGS.md, section 32.
    for name in ["mlp.gate", "mlp.experts.3.w1", "mlp.experts.3.w2", "mlp.experts.3.w3"] {
      #expect(names.contains("model.layers.2.\(name).weight"))
    }
    let residuals = mixture.blocks.flatMap(\.layers).compactMap { ($0 as? Residual)?.scale }
    #expect(Set(residuals).count == 1)
  }
}
