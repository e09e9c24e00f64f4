import Architectures
import Blueprint
import Foundation
import JSON
import Support
import Testing

/// Configurations that must not be taken for something else.
struct RefusalTests {
  /// The error a published configuration gives after some of its keys were changed.
  private func error(
    _ name: String, _ changes: KeyValuePairs<String, JSON?>
  ) throws -> ConfigError? {
    let file = try readObject(Support.fixtures.appending(path: "counts/\(name).json"))
    var configuration = try #require(file["configuration"]?.object)
    for (key, value) in changes { configuration[key] = value }
    do {
      _ = try Registry.blueprint(configuration)
      return nil
    } catch {
      return error
    }
  }

  @Test func aKeyThatChangesTheMathematicsMustBeKnown() throws {
    #expect(
      try error("llama_3.1_8b", ["attn_logit_softcapping": .integer(30)])
        == .unread(keys: ["attn_logit_softcapping"]))
    #expect(
      try error("mistral_7b_v0.1", ["logit_scale": .number(0.5), "clip_qkv": .integer(8)])
        == .unread(keys: ["clip_qkv", "logit_scale"]))
  }

  @Test func anUnknownKeyOfRopeScalingIsFoundInside() throws {
    let scaling = JSONObject([
      "type": .string("linear"), "factor": .integer(2), "odd": .integer(1),
    ])
    #expect(
      try error("llama_3.1_8b", ["rope_scaling": .object(scaling)])
        == .unread(keys: ["rope_scaling.odd"]))
  }

  @Test func notStrictPassesOverUnknownKeys() throws {
    let file = try readObject(Support.fixtures.appending(path: "counts/llama_3.1_8b.json"))
    var configuration = try #require(file["configuration"]?.object)
    configuration["attn_logit_softcapping"] = .integer(30)
    let result = try Registry.blueprint(configuration, isStrict: false)
    #expect(result.blueprint.parameters == 8_030_261_248)
    #expect(result.architecture.names == ["LlamaForCausalLM"])
  }

  @Test func anUnknownKindOfRotaryScalingIsRefused() throws {
    let scaling = JSONObject(["type": .string("fancy"), "factor": .integer(2)])
    let found = try error("llama_3.1_8b", ["rope_scaling": .object(scaling)])
    guard case .unsupported("rope_scaling.type", "\"fancy\"", _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test(arguments: [
    ("llama_3.1_8b", "num_key_value_heads", JSON.integer(5)),
    ("gpt_neox_20b", "num_attention_heads", .integer(63)),
    ("falcon_40b", "num_kv_heads", .integer(7)),
    ("deepseek_v3", "num_key_value_heads", .integer(64)),
    ("deepseek_v3", "n_group", .integer(7)),
    ("deepseek_v3", "topk_group", .null),
    ("nemotron_3_nano_30b_a3b", "num_hidden_layers", .integer(51)),
    ("nemotron_3_nano_30b_a3b", "n_groups", .integer(3)),
    ("falcon_2_11b", "ff_factor", .integer(3)),
    ("qwen2_7b", "layer_types", .array([.string("full_attention")])),
    ("gemma_2_2b", "layer_types", .array([.string("full_attention")])),
    ("phi_3_mini_4k", "partial_rotary_factor", .number(0.01)),
  ])
  func sizesThatContradictEachOtherAreRefused(_ name: String, _ key: String, _ value: JSON) throws {
    let found = try error(name, [key: value])
    guard case .contradiction = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test(arguments: [
    ("llama_3.1_8b", "hidden_size", JSON.integer(0)),
    ("llama_3.1_8b", "num_hidden_layers", .integer(-1)),
    ("llama_3.1_8b", "intermediate_size", .integer(Int.max)),
    ("llama_3.1_8b", "vocab_size", .integer(1 << 40)),
    ("llama_3.1_8b", "head_dim", .integer(0)),
    ("llama_3.1_8b", "num_key_value_heads", .integer(0)),
    ("llama_3.1_8b", "rms_norm_eps", .number(-1)),
    ("llama_3.1_8b", "rope_theta", .integer(0)),
    ("mixtral_8x7b", "num_experts_per_tok", .integer(9)),
    ("mixtral_8x7b", "num_local_experts", .integer(1 << 30)),
    ("qwen3_30b_a3b", "decoder_sparse_step", .integer(0)),
    ("mistral_7b_v0.1", "sliding_window", .integer(0)),
    ("deepseek_v3", "first_k_dense_replace", .integer(62)),
    ("deepseek_v3", "num_nextn_predict_layers", .integer(-1)),
    ("deepseek_v3", "q_lora_rank", .integer(0)),
    ("nemotron_3_nano_30b_a3b", "num_nextn_predict_layers", .integer(2)),
    ("gpt_neox_20b", "rotary_pct", .number(1.5)),
    ("nemotron_3_nano_30b_a3b", "time_step_limit", .array([.number(1), .number(0)])),
  ])
  func sizesThatNoModelHasAreRefused(_ name: String, _ key: String, _ value: JSON) throws {
    let found = try error(name, [key: value])
    guard case .outOfRange(key, _, _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test func sizesThatTogetherAreTooManyAreRefused() throws {
    let huge = JSON.integer(1 << 20)
    let found = try error(
      "mixtral_8x7b",
      [
        "hidden_size": huge, "intermediate_size": huge, "num_local_experts": .integer(4096),
        "num_hidden_layers": .integer(64),
      ])
    guard case .contradiction = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test(arguments: [
    ("nemotron_3_nano_30b_a3b", "hybrid_override_pattern", JSON.string("MEX*")),
    ("nemotron_3_nano_30b_a3b", "mtp_hybrid_override_pattern", .string("*X")),
    ("nemotron_3_nano_30b_a3b", "mlp_hidden_act", .string("mish")),
    ("nemotron_3_nano_30b_a3b", "mamba_proj_bias", .bool(true)),
    ("deepseek_v3", "attention_bias", .bool(true)),
    ("deepseek_v3", "scoring_func", .string("softmax")),
    ("mistral_7b_v0.1", "attention_bias", .bool(true)),
    ("falcon_7b", "apply_residual_connection_post_layernorm", .bool(true)),
    ("gemma_2_2b", "use_bidirectional_attention", .bool(true)),
    ("phi_4", "lm_head_bias", .bool(true)),
    ("qwen2_7b", "layer_types", .array(Array(repeating: .string("chunked_attention"), count: 28))),
  ])
  func whatTheBlueprintCannotSayIsRefused(_ name: String, _ key: String, _ value: JSON) throws {
    let found = try error(name, [key: value])
    guard case .unsupported(key, _, _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test(arguments: ["gptq", "awq", "bitsandbytes", "compressed-tensors", ""])
  func quantisationThatCannotBeUndoneIsRefusedByName(_ method: String) throws {
    let settings = JSONObject(["quant_method": .string(method), "bits": .integer(4)])
    let found = try error("llama_3.1_8b", ["quantization_config": .object(settings)])
    guard case .unsupported("quantization_config.quant_method", "\"\(method)\"", _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test func eightBitsOfAnotherFormatAreRefused() throws {
    let settings = JSONObject([
      "quant_method": .string("fp8"), "fmt": .string("e5m2"),
      "weight_block_size": .array([.integer(128), .integer(128)]),
    ])
    let found = try error("deepseek_v3", ["quantization_config": .object(settings)])
    guard case .unsupported("quantization_config.fmt", _, _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test func aMissingSizeIsNamed() throws {
    #expect(
      try error("llama_3.1_8b", ["hidden_size": nil]) == .missing(key: "hidden_size"))
    #expect(
      try error("nemotron_3_nano_30b_a3b", ["hybrid_override_pattern": nil])
        == .missing(key: "hybrid_override_pattern"))
  }

  @Test func aModelWithoutANameIsRefused() throws {
    #expect(try error("llama_3.1_8b", ["architectures": nil]) == .noArchitecture)
    #expect(try error("llama_3.1_8b", ["architectures": .array([])]) == .noArchitecture)
  }

  @Test func anUnknownNameIsAnsweredWithTheNearestOnes() throws {
    let found = try error(
      "llama_3.1_8b", ["architectures": .array([.string("Qwen3MoEForCausalLM2")])])
    guard case .unknownArchitecture(let name, let nearest) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
    #expect(name == "Qwen3MoEForCausalLM2")
    #expect(nearest.first == "Qwen3MoeForCausalLM")
    #expect(found?.description.contains("convert architectures") == true)
  }

  @Test func noTwoArchitecturesShareAName() {
    let names = Registry.all.flatMap { $0.names }
    #expect(Set(names).count == names.count)
  }
}
