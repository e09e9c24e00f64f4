import Architectures
import Blueprint
import JSON
import Support
import Testing

/// What a run configuration says of mixtures of experts: keys and values are those that Megatron-Bridge's
/// own classes set (minimax_m2_bridge.py, glm5_bridge.py, ernie_45_bridge.py, exaone_moe_bridge.py).
struct MegatronMixtureTests {
  private func model(_ path: String) throws -> JSONObject {
    MegatronArguments(try Case(path: path).blueprint(), dtype: .bfloat16).model
  }

  private func target(_ model: JSONObject) -> String? {
    model["transformer_layer_spec"]?.object?["_target_"]?.string
  }

  @Test func minimaxIsBuiltWithNormsOfAllHeads() throws {
    let model = try model("hf/minimax_m2")
    #expect(
      target(model)
        == "megatron.bridge.models.minimax_m2.minimax_m2_provider.minimax_m2_layer_spec")
    #expect(model["rotary_percent"] == .number(0.5))
    #expect(model["moe_router_score_function"] == .string("sigmoid"))
    #expect(model["moe_router_enable_expert_bias"] == .bool(true))
    #expect(model["moe_layer_freq"] == .integer(1))
    #expect(model["mtp_num_layers"] == .null)
  }

  @Test func theIndexerIsSparseAttention() throws {
    let model = try model("hf/deepseek_v32")
    #expect(model["experimental_attention_variant"] == .string("dsa"))
    #expect(model["dsa_indexer_n_heads"] == .integer(8))
    #expect(model["dsa_indexer_head_dim"] == .integer(12))
    #expect(model["dsa_indexer_topk"] == .integer(8))
    #expect(model["dsa_indexer_k_norm_epsilon"] == .number(1e-6))
    #expect(model["dsa_indexer_rope_interleaved"] == .bool(false))
    #expect(model["dsa_indexer_rotate_activation"] == .bool(false))
    #expect(
      target(model)?.hasSuffix("get_transformer_block_with_experimental_attention_variant_spec")
        == true)
    #expect(model["moe_layer_freq"] == .array([.integer(0), .integer(1)]))
    #expect(try self.model("hf/deepseek_v3")["experimental_attention_variant"] == .null)
  }

  @Test func theLatentsNormsStandAloneWhereTheIndexerReadsThem() throws {
    // Megatron-Core's get_dsa_module_spec_for_backend; NEWER_ARCHITECTURES.md.
    let blueprint = try Case(path: "hf/deepseek_v32").blueprint()
    let names = MegatronNames(blueprint)
    let keys = Set(blueprint.slots.flatMap { names.pieces(of: $0).map(\.key) })
    let attention = "decoder.layers.0.self_attention."
    for name in [
      "q_layernorm.weight", "kv_layernorm.weight", "core_attention.indexer.linear_wq_b.weight",
      "core_attention.indexer.linear_wk.weight", "core_attention.indexer.k_norm.weight",
      "core_attention.indexer.k_norm.bias", "core_attention.indexer.linear_weights_proj.weight",
    ] { #expect(keys.contains(attention + name), "\(name)") }
    #expect(!keys.contains(attention + "linear_q_up_proj.layer_norm_weight"))
  }

  @Test func layersWithExpertsAreAList() throws {
    #expect(
      try model("hf/ernie4_5_moe_interval")["moe_layer_freq"]
        == .array([0, 1, 0, 0].map { .integer($0) }))
    let exaone = try model("hf/exaone_moe")
    #expect(exaone["moe_layer_freq"] == .array([0, 1, 1, 1].map { .integer($0) }))
    #expect(exaone["no_rope_freq"] == .array([0, 0, 0, 1].map { .integer($0) }))
    // Three layers in four: Megatron-Core's other way to write the list.
    #expect(exaone["window_attn_skip_freq"] == .integer(4))
    #expect(exaone["window_size"] == .array([.integer(7), .integer(0)]))
    #expect(exaone["moe_shared_expert_intermediate_size"] == .integer(12))
    #expect(exaone["moe_router_topk_scaling_factor"] == .number(2.5))
  }

  @Test func ernieTurnsNeighboursAndWeighsBySoftmax() throws {
    let model = try model("hf/ernie4_5_moe")
    #expect(model["rotary_interleaved"] == .bool(true))
    #expect(model["moe_router_enable_expert_bias"] == .bool(true))
    #expect(model["moe_shared_expert_intermediate_size"] == .integer(32))
    #expect(model["moe_router_score_function"] == .string("softmax"))
    #expect(model["isthmus_router_norm_minimum"] == .number(1e-12))
  }

  @Test func groupsAreRankedByPerTokenOverKeptExpertsOrItIsSaid() throws {
    // moe_utils.py, group_limited_topk: topk // group_topk, here 3 // 2 and 2 // 1.
    #expect(try model("hf/deepseek_v2_groups")["isthmus_router_group_ranked"] == nil)
    #expect(try model("hf/glm4_moe_qk_norm")["isthmus_router_group_ranked"] == nil)
    #expect(try model("hf/deepseek_v3")["isthmus_router_group_ranked"] == .integer(2))
    // One group is never ranked.
    #expect(try model("hf/glm4_moe")["isthmus_router_group_ranked"] == nil)
  }

  @Test func whatMegatronHasNoWordForStandsUnderKeysOfOurs() throws {
    let granite = try model("hf/granitemoe_shared")
    #expect(granite["isthmus_embedding_scale"] == .number(3))
    #expect(granite["isthmus_residual_scale"] == .number(0.4))
    #expect(granite["softmax_scale"] == .number(0.15))
    #expect(granite["isthmus_logit_scale"]?.double.map { abs($0 * 1.4 - 1) < 1e-15 } == true)
    let phi = try model("hf/phimoe")
    #expect(phi["isthmus_router_sparse_mixer_jitter"] == .number(0.01))
    #expect(phi["isthmus_output_bias"] == .bool(true))
    #expect(phi["isthmus_rope_scaling"]?.object?["short_mscale"] == .number(1.24))
  }
}
