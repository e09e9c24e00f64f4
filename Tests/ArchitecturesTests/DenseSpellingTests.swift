import Architectures
import Blueprint
import JSON
import Support
import Testing

/// Families that are others under new names, what the dense ones refuse, and what run_config says.
struct DenseSpellingTests {
  private func configuration(
    _ name: String, _ changes: KeyValuePairs<String, JSON?> = [:]
  ) throws -> JSONObject {
    var configuration = try Case(path: "hf/" + name).configuration()
    for (key, value) in changes { configuration[key] = value }
    return configuration
  }

  private func blueprint(
    _ name: String, _ changes: KeyValuePairs<String, JSON?> = [:]
  ) throws -> Blueprint {
    try Registry.blueprint(configuration(name, changes)).blueprint
  }

  private func named(_ className: String) -> JSON { .array([.string(className)]) }

  @Test(arguments: [
    ("gritlm", "GritLM", "MistralForCausalLM"), ("mixtral", "GritLM", "MixtralForCausalLM"),
    ("aquila2", "AquilaModel", "LlamaForCausalLM"),
    ("internlm3", "InternLM3ForCausalLM", "LlamaForCausalLM"),
  ])
  func oneModelUnderTwoNamesHasTheSameTensors(
    _ name: String, _ own: String, _ other: String
  ) throws {
    let switches: KeyValuePairs<String, JSON?> =
      name == "internlm3" ? ["qkv_bias": nil, "bias": nil] : [:]
    var left = try configuration(name, switches)
    left["architectures"] = named(own)
    var right = left
    right["architectures"] = named(other)
    #expect(
      try Registry.blueprint(left).blueprint.slots.map(\.slot)
        == Registry.blueprint(right).blueprint.slots.map(\.slot))
  }

  @Test func gemma3sRotationsMayStandTogether() throws {
    // As transformers 5 writes gemma3_text_scaled's configuration.
    func kind(_ keys: KeyValuePairs<String, JSON>) -> JSON { .object(JSONObject(keys)) }
    let rotations = JSONObject([
      "full_attention": kind([
        "rope_type": .string("linear"), "factor": .number(8), "rope_theta": .integer(1_000_000),
      ]),
      "sliding_attention": kind(["rope_type": .string("default"), "rope_theta": .integer(10_000)]),
    ])
    let new = try blueprint(
      "gemma3_text_scaled",
      [
        "rope_theta": nil, "rope_local_base_freq": nil, "rope_scaling": nil,
        "rope_parameters": .object(rotations), "sliding_window_pattern": nil,
        "_sliding_window_pattern": .integer(3),
      ])
    let old = try blueprint("gemma3_text_scaled")
    #expect(new.attentions.map(\.rotary) == old.attentions.map(\.rotary))
    #expect(new.attentions.map(\.window) == old.attentions.map(\.window))
  }

  @Test func switchesOfBiasesAreEachForTheirOwn() throws {
    func biases(_ name: String, _ changes: KeyValuePairs<String, JSON?> = [:]) throws -> [Bool] {
      let blueprint = try blueprint(name, changes)
      let attention = try #require(blueprint.attentions.first)
      let mlp = blueprint.blocks.flatMap(\.leaves).compactMap { $0 as? MLP }.first
      return [attention.hasInputBias, attention.hasOutputBias, mlp?.hasBias == true]
    }
    #expect(try biases("seed_oss") == [true, false, false])
    #expect(try biases("seed_oss_out_bias") == [false, true, true])
    #expect(try biases("glm") == [true, false, false])
    #expect(try biases("internlm_7b") == [true, true, false])
    #expect(try biases("jais2") == [true, true, true])
    #expect(try biases("internlm3", ["qkv_bias": .bool(true)]) == [true, false, false])
    #expect(try biases("internlm3", ["bias": .bool(true)]) == [false, true, true])
    // The classes' defaults.
    #expect(try biases("seed_oss_out_bias", ["attention_bias": nil]) == [true, true, true])
    #expect(try biases("glm4", ["attention_bias": nil]) == [true, false, false])
    #expect(try biases("internlm2", ["bias": nil]) == [true, true, false])
  }

  @Test(arguments: [
    ("aquila2", "attention_bias", JSON.bool(true)), ("orion_14b", "attention_bias", .bool(true)),
    ("gemma", "hidden_act", .string("silu")), ("gemma", "use_bidirectional_attention", .bool(true)),
    ("gemma3_text", "use_bidirectional_attention", .bool(true)),
    ("gemma4_ple", "use_bidirectional_attention", .string("all")),
    ("hunyuan_dense", "use_cla", .bool(true)), ("hunyuan_dense", "use_qk_norm", .bool(false)),
    ("hunyuan_dense", "num_experts", .integer(16)), ("apertus", "post_norm", .bool(true)),
    ("apertus", "mlp_bias", .bool(true)),
    ("exaone4_hybrid", "sliding_window_pattern", .string("LXG")),
  ])
  func whatTheClassesDoNotDoIsRefused(_ name: String, _ key: String, _ value: JSON) throws {
    let error = #expect(throws: ConfigError.self) { try blueprint(name, [key: value]) }
    guard case .unsupported(key, _, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func contradictionsAreRefused() throws {
    let changes: [(String, KeyValuePairs<String, JSON?>)] = [
      ("hunyuan_dense", ["attention_head_dim": .integer(16)]),
      ("smollm3", ["no_rope_layers": .array([.integer(1)])]),
      ("internlm_7b", ["num_key_value_heads": .integer(2)]),
      ("gemma4_moe", ["num_global_key_value_heads": .integer(3)]),
    ]
    for (name, change) in changes {
      let error = #expect(throws: ConfigError.self) { try blueprint(name, change) }
      guard case .contradiction = error else {
        Issue.record("\(name): \(String(describing: error))")
        continue
      }
    }
    #expect(throws: ConfigError.missing(key: "layer_norm_epsilon")) {
      try blueprint("exaone3", ["layer_norm_epsilon": nil])
    }
    #expect(throws: ConfigError.missing(key: "rope_parameters")) {
      try blueprint("ministral3", ["rope_parameters": nil])
    }
  }

  // MARK: - What run_config says

  private func model(_ name: String) throws -> JSONObject {
    MegatronArguments(try blueprint(name), dtype: .bfloat16).model
  }

  /// Classes and words of Megatron-Bridge 0.3.1 (gemma_provider.py, gemma3_provider.py and their
  /// bridges), which loads these checkpoints.
  @Test func gemmasHaveTheirOwnClasses() throws {
    let models = "megatron.bridge.models.gemma."
    let first = try model("gemma")
    #expect(first["_target_"] == .string(models + "gemma_provider.GemmaModelProvider"))
    #expect(first["isthmus_embedding_scale"] == nil)
    let third = try model("gemma3_text_scaled")
    #expect(third["_target_"] == .string(models + "gemma3_provider.Gemma3ModelProvider"))
    #expect(third["rotary_base"] == .array([.number(10_000), .number(1_000_000)]))
    #expect(third["rope_scaling_factor"] == .number(8))
    #expect(third["seq_len_interpolation_factor"] == .null)
    #expect(third["window_size"] == .integer(6))
    #expect(third["interleaved_attn_pattern"] == .array([.integer(2), .integer(1)]))
    #expect(third["softmax_scale"] == .number(0.22360679774997896))
    #expect(third["layernorm_zero_centered_gamma"] == .bool(true))
  }

  @Test func layersThatDifferAreSaid() throws {
    let exaone = try model("exaone4_hybrid")
    #expect(exaone["no_rope_freq"] == .array([0, 0, 0, 1].map { .integer($0) }))
    #expect(exaone["window_attn_skip_freq"] == .integer(4))
    #expect(
      exaone["transformer_layer_spec"]?.object?["_target_"]
        == .string("megatron.bridge.models.exaone.exaone4.exaone4_provider.exaone4_layer_spec"))
    #expect(try model("smollm3")["no_rope_freq"] == .array([0, 0, 0, 1].map { .integer($0) }))
    #expect(try model("glm")["rotary_interleaved"] == .bool(true))
    #expect(try model("glm4")["isthmus_output_norms"] == .bool(true))
    let small = try model("gemma4_ple")
    #expect(small["kv_channels"] == .integer(24))
    #expect(small["isthmus_keys_of_layer"] == .array([0, 1, 0, 1].map { .integer($0) }))
    let sliding = try #require(small["isthmus_sliding_attention"]?.object)
    #expect(sliding["kv_channels"] == .integer(12) && sliding["rotary_base"] == .number(10_000))
    #expect(small["isthmus_rope_scaling"]?.object?["partial_rotary_factor"] == .number(0.25))
    #expect(small["isthmus_layer_inputs"]?.object?["size"] == .integer(8))
    let large = try model("gemma4_moe")
    #expect(large["isthmus_values_are_keys"] == .array([0, 0, 1].map { .integer($0) }))
    #expect(large["isthmus_router_reads_stream"] == .bool(true))
    #expect(large["isthmus_parallel_block"] == nil)
  }

  @Test func whatMegatronCoreLacksIsNamed() throws {
    #expect(try model("apertus")["isthmus_activation_func"] == .string("xielu"))
    #expect(
      try model("hunyuan_dense")["isthmus_rope_scaling"]?.object?["alpha"] == .number(1000))
    #expect(try model("hunyuan_dense")["isthmus_qk_layernorm_follows_rotary"] == .bool(true))
    let temperature = try model("ministral3")["isthmus_query_temperature"]?.object
    #expect(temperature?["slope"] == .number(0.4) && temperature?["period"] == .number(8))
    #expect(try model("nemotron")["layernorm_zero_centered_gamma"] == .bool(true))
    #expect(try model("nemotron")["normalization"] == .string("LayerNorm"))
    #expect(try model("internlm_7b")["isthmus_attention_output_bias"] == .bool(true))
  }
}
