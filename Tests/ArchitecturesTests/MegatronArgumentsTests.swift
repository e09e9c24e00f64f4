import Architectures
import Blueprint
import Foundation
import JSON
import Support
import Testing

/// The `model:` section against those that Megatron-Bridge wrote (fixtures/run_config).
struct MegatronArgumentsTests {
  /// Keys that the peer sets from its own choice of a class rather than from what the model is: fused
  /// kernels, which its Llama class switches on and others leave off, and Mistral's class, which has
  /// nothing but other defaults.
  static let choices: [String: Set<String>] = [
    "llama": [
      "apply_rope_fusion", "bias_activation_fusion", "bias_dropout_fusion", "persist_layer_norm",
    ],
    "llama_tied": [
      "apply_rope_fusion", "bias_activation_fusion", "bias_dropout_fusion", "persist_layer_norm",
    ],
    "mistral": ["_target_"],
    // How it would train them.
    "glm4_moe": [
      "bias_activation_fusion", "bias_dropout_fusion", "persist_layer_norm",
      "moe_router_bias_update_rate", "mtp_loss_scaling_factor",
    ],
    "olmoe": ["persist_layer_norm", "moe_router_dtype", "moe_router_load_balancing_type"],
    // The peer does not say that three layers in four slide and the fourth does not turn.
    "exaone4": ["window_size", "window_attn_skip_freq", "no_rope_freq", "cp_comm_type"],
    // add_bias_linear gives that bias as well; the rest is how to train.
    "gpt_oss": [
      "add_qkv_bias", "bias_activation_fusion", "cp_comm_type", "moe_router_load_balancing_type",
    ],
    // How it would train the routers, and the size of dense layers that the model does not have.
    "qwen3_next": ["ffn_hidden_size", "moe_router_dtype", "moe_router_load_balancing_type"],
    // Sizes in config.json of layers these models do not have.
    "qwen3_moe": ["ffn_hidden_size"],
    "nemotron_h_moe": ["ffn_hidden_size"],
    "nemotron_h": [
      "num_moe_experts", "moe_ffn_hidden_size", "moe_shared_expert_intermediate_size",
      "moe_router_num_groups", "moe_router_group_topk", "moe_router_topk_scaling_factor",
      "moe_router_score_function", "moe_router_dtype", "moe_router_enable_expert_bias",
      "moe_router_load_balancing_type", "moe_aux_loss_coeff", "moe_grouped_gemm",
      "moe_permute_fusion", "moe_token_dispatcher_type", "moe_shared_expert_overlap",
    ],
  ]

  /// Left out although the peer writes it: its value is of a class that Bridge 0.3.1's Megatron-Core
  /// does not have, and that version then refuses the whole file.
  static let newerClass = "inference_cuda_graph_scope"

  @Test(arguments: Case.bridge.filter { choices[$0.name] != nil || covered.contains($0.name) })
  func everyKeyHasTheBridgesValue(_ item: Case) throws {
    let expected = try readObject(
      Support.fixtures.appending(path: "run_config/\(item.name).json"))
    let arguments = MegatronArguments(
      try item.blueprint(), source: item.name + "/hf", dtype: .bfloat16)
    let model = arguments.model
    #expect(model[Self.newerClass] == nil)
    for (key, value) in expected.members
    where key != Self.newerClass && Self.choices[item.name]?.contains(key) != true {
      let found = model[key]
      #expect(isEqual(found, value), "\(key): \(text(found)), not \(text(value))")
    }
    for key in model.keys where expected[key] == nil {
      #expect(key.hasPrefix("isthmus_"), "\(key)")
    }
    #expect(model.keys == model.keys.sorted())
  }

  static let covered: Set<String> = ["qwen2", "qwen3", "gemma2", "deepseek_v3", "falcon_h1"]

  @Test func everyRegisteredCaseOfTheBridgeIsCompared() {
    let compared = Self.covered.union(Self.choices.keys)
    #expect(Set(Case.bridge.map(\.name)).isSubset(of: compared))
    #expect(Case.bridge.count >= 10)
  }

  private func text(_ value: JSON?) -> String { value?.serialized() ?? "absent" }

  /// 1 and 1.0 are the same to YAML's readers.
  private func isEqual(_ left: JSON?, _ right: JSON) -> Bool {
    if let number = left?.double, let other = right.double {
      return abs(number - other) <= 1e-15 * abs(other)
    }
    if let object = left?.object, let other = right.object {
      return Set(object.keys) == Set(other.keys)
        && other.members.allSatisfy { isEqual(object[$0.key], $0.value) }
    }
    return left == right
  }

  private func model(_ path: String) throws -> JSONObject {
    MegatronArguments(try Case(path: path).blueprint(), dtype: .bfloat16).model
  }

  @Test func parallelSizesArePassedOn() throws {
    let arguments = MegatronArguments(
      try Case(path: "bridge/qwen3_moe").blueprint(), dtype: .float16,
      sizes: ParallelSizes(tensor: 2, pipeline: 4, expert: 8))
    let model = arguments.model
    #expect(model["tensor_model_parallel_size"] == .integer(2))
    #expect(model["pipeline_model_parallel_size"] == .integer(4))
    #expect(model["expert_model_parallel_size"] == .integer(8))
    // As the peer's file for two stages has it.
    #expect(model["microbatch_group_size_per_vp_stage"] == .integer(4))
    #expect(model["pipeline_dtype"]?.object?["_target_"] == .string("torch.float16"))
    #expect(model["fp16"] == .bool(true))
    #expect(model["bf16"] == .bool(false))
  }

  @Test func whatMegatronHasNoWordForStandsUnderKeysOfOurs() throws {
    let falcon = try model("hf/falcon_7b")
    #expect(falcon["isthmus_parallel_block"] == .bool(true))
    #expect(falcon["num_query_groups"] == .integer(1))
    #expect(falcon["normalization"] == .string("LayerNorm"))
    #expect(falcon["gated_linear_unit"] == .bool(false))
    let alibi = try model("hf/falcon_rw_alibi")
    #expect(alibi["isthmus_alibi"]?.object?["scaled"] == .bool(true))
    #expect(alibi["position_embedding_type"] == .string("none"))
    #expect(alibi["add_bias_linear"] == .bool(true))
    #expect(alibi["isthmus_parallel_block"] == nil)
    let long = try model("hf/phi3_longrope_long")["isthmus_rope_scaling"]?.object
    #expect(long?["rope_type"] == .string("longrope"))
    #expect(long?["short_factor"]?.array?.count == 8)
    #expect(try model("hf/gpt_neox")["isthmus_parallel_block"] == .bool(true))
    #expect(try model("hf/gpt_neox_sequential")["isthmus_parallel_block"] == nil)
    #expect(try model("hf/gpt_neox")["rotary_percent"] == .number(0.25))
  }

  @Test func windowsOfSomeLayersAreAList() throws {
    let mixed = try model("hf/qwen2_mixed_window")
    #expect(mixed["window_size"] == .array([.integer(7), .integer(0)]))
    #expect(mixed["window_attn_skip_freq"] == .array([0, 0, 1, 1].map { .integer($0) }))
    let all = try model("hf/mistral_sliding")
    #expect(all["window_size"] == .array([.integer(7), .integer(0)]))
    #expect(all["window_attn_skip_freq"] == .null)
  }

  @Test func rotaryScalingHasTheBridgesWords() throws {
    #expect(try model("hf/llama_linear_rope")["seq_len_interpolation_factor"] == .number(2.5))
    let yarn = try model("hf/llama_yarn")
    #expect(yarn["position_embedding_type"] == .string("yarn"))
    #expect(yarn["yarn_rotary_scaling_factor"] == .number(4))
    #expect(yarn["yarn_original_max_position_embeddings"] == .integer(256))
    #expect(yarn["yarn_beta_fast"] == .number(8))
    let latent = try model("hf/deepseek_v3")
    #expect(latent["rotary_scaling_factor"] == .number(8))
    #expect(latent["original_max_position_embeddings"] == .integer(64))
    #expect(latent["position_embedding_type"] == .string("rope"))
    #expect(latent["yarn_rotary_scaling_factor"] == .null)
  }
}
