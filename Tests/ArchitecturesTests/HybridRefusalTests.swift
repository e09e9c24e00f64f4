import Architectures
import Blueprint
import JSON
import Support
import Testing

/// Configurations of hybrid models that must not be taken for something else.
struct HybridRefusalTests {
  @Test(arguments: [
    ("mamba2", "rms_norm", JSON.bool(false)), ("mamba2", "hidden_act", .string("gelu")),
    ("bamba", "partial_rotary_factor", .number(0.25)), ("bamba", "attn_rotary_emb", .integer(4)),
    ("falcon_h1", "mamba_use_mlp", .bool(false)),
    ("falcon_h1", "attn_layer_indices", .array([.integer(1)])),
    ("granite4_h_moe", "normalization_function", .string("layernorm")),
    ("granite4_h_moe", "position_embedding_type", .string("alibi")),
    ("granite4_h_moe", "layer_types", .array([1, 2, 3, 4].map { .string("kind \($0)") })),
    ("lfm2", "conv_dim", .integer(64)), ("lfm2", "block_use_swiglu", .bool(false)),
    ("lfm2", "use_pos_enc", .bool(false)),
    ("lfm2", "layer_types", .array(Array(repeating: .string("mamba"), count: 4))),
    ("qwen3_next", "hidden_act", .string("gelu")),
    ("qwen3_next", "layer_types", .array(Array(repeating: .string("sliding_attention"), count: 4))),
    ("qwen3_5_text", "attn_output_gate", .bool(false)),
    ("qwen3_5_text", "mtp_use_dedicated_embeddings", .bool(true)),
    ("qwen3_5_moe_text", "norm_topk_prob", .bool(false)),
  ])
  func whatTheClassCannotDoIsRefused(_ name: String, _ key: String, _ value: JSON) throws {
    let found = try Case.refusal(name, key, value)
    guard case .unsupported(key, _, _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test(arguments: [
    ("mamba2", "num_heads", JSON.integer(5)), ("mamba2", "n_groups", .integer(4)),
    ("mamba2", "expand", .integer(3)), ("bamba", "mamba_d_head", .integer(12)),
    ("bamba", "num_key_value_heads", .integer(3)), ("falcon_h1", "mamba_d_ssm", .integer(64)),
    ("falcon_h1", "ssm_multipliers", .array([.number(1)])),
    ("falcon_h1", "mlp_multipliers", .array([])), ("granite4_h_moe", "mamba_n_heads", .integer(6)),
    ("granite4_h_moe", "layer_types", .array([.string("mamba")])),
    ("lfm2", "layer_types", .array([.string("conv")])),
    ("qwen3_next", "linear_num_value_heads", .integer(3)),
    ("qwen3_5_text", "layer_types", .array([.string("full_attention")])),
  ])
  func sizesThatContradictEachOtherAreRefused(_ name: String, _ key: String, _ value: JSON) throws {
    let found = try Case.refusal(name, key, value)
    guard case .contradiction = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test(arguments: [
    ("bamba", "attn_layer_indices", JSON.array([.integer(4)])),
    ("bamba", "mamba_d_state", .integer(0)), ("mamba2", "conv_kernel", .integer(0)),
    ("mamba2", "time_step_limit", .array([.number(1)])),
    ("falcon_h1", "mamba_n_groups", .integer(7)),
    ("lfm2", "full_attn_idxs", .array([.integer(-1)])), ("lfm2", "block_multiple_of", .integer(0)),
    ("lfm2", "block_ffn_dim_multiplier", .number(0)),
    ("qwen3_next", "full_attention_interval", .integer(0)),
    ("qwen3_next", "linear_conv_kernel_dim", .integer(1 << 20)),
    ("qwen3_next", "num_experts_per_tok", .integer(7)),
    ("qwen3_5_text", "mtp_num_hidden_layers", .integer(2)),
    ("granite4_h_moe", "num_local_experts", .integer(-1)),
  ])
  func sizesThatNoModelHasAreRefused(_ name: String, _ key: String, _ value: JSON) throws {
    let found = try Case.refusal(name, key, value)
    guard case .outOfRange(key, _, _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }

  @Test func aKeyInsideTheLanguageModelMustBeKnown() throws {
    var inner = try Case(path: "hf/qwen3_5_text").configuration()
    inner["odd"] = .integer(1)
    let whole = JSONObject([
      "architectures": .array([.string("Qwen3_5ForConditionalGeneration")]),
      "text_config": .object(inner), "vision_config": .object(JSONObject(["depth": .integer(1)])),
    ])
    #expect(throws: ConfigError.unread(keys: ["text_config.odd"])) {
      try Registry.blueprint(whole)
    }
  }
}
