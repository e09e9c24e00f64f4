import Architectures
import Blueprint
import JSON
import Support
import Testing

/// Blocks that predict further tokens: their Hugging Face names are those that Megatron-Bridge 0.7 maps
/// (src/megatron/bridge/models/*/…_bridge.py), their Megatron keys those that Megatron-Core writes
/// (multi_token_prediction.py, `sharded_state_dict`).
struct PredictorNameTests {
  private func blueprint(_ path: String, _ changes: [String: JSON] = [:]) throws -> Blueprint {
    var configuration = try Case(path: path).configuration()
    for (key, value) in changes { configuration[key] = value }
    return try Registry.blueprint(configuration).blueprint
  }

  /// Hugging Face names of predictors' tensors, and the keys that hold them.
  private func keys(_ blueprint: Blueprint) -> [String: [String]] {
    let names = MegatronNames(blueprint)
    var keys: [String: [String]] = [:]
    for placed in blueprint.slots where placed.isPredictor {
      for part in placed.slot.parts { keys[part.name] = names.pieces(of: placed).map(\.key) }
    }
    return keys
  }

  @Test func glmsIsNumberedOnAndMayHaveItsOwnEmbeddingAndHead() throws {
    let blueprint = try blueprint("hf/glm4_moe")
    let keys = keys(blueprint)
    let (prefix, block) = ("model.layers.3.", "mtp.layers.0.transformer_layer.")
    for (name, key) in [
      "enorm.weight": "mtp.layers.0.enorm.weight", "hnorm.weight": "mtp.layers.0.hnorm.weight",
      "eh_proj.weight": "mtp.layers.0.eh_proj.weight",
      "shared_head.norm.weight": "mtp.layers.0.final_layernorm.weight",
      "input_layernorm.weight": block + "self_attention.linear_qkv.layer_norm_weight",
      "self_attn.v_proj.bias": block + "self_attention.linear_qkv.bias",
      "mlp.gate.e_score_correction_bias": block + "mlp.router.expert_bias",
      "mlp.experts.5.up_proj.weight": block + "mlp.experts.experts.linear_fc1.weight",
      "post_attention_layernorm.weight": block + "pre_mlp_layernorm.weight",
    ] { #expect(keys[prefix + name] == [key], "\(name)") }
    #expect(keys.keys.allSatisfy { $0.hasPrefix(prefix) })
    #expect(
      blueprint.copies == [
        prefix + "embed_tokens.weight": "model.embed_tokens.weight",
        prefix + "shared_head.head.weight": "lm_head.weight",
      ])
  }

  @Test func exaonesIsDenseAndLooksEverywhereWithoutTurning() throws {
    let blueprint = try blueprint("hf/exaone_moe")
    let keys = keys(blueprint)
    let block = "mtp.layers.0.transformer_layer."
    for (name, key) in [
      "mtp.norm.weight": "mtp.layers.0.final_layernorm.weight",
      "mtp.fc.weight": "mtp.layers.0.eh_proj.weight",
      "mtp.pre_fc_norm_hidden.weight": "mtp.layers.0.hnorm.weight",
      "mtp.pre_fc_norm_embedding.weight": "mtp.layers.0.enorm.weight",
      "mtp.layers.0.self_attn.q_norm.weight": block + "self_attention.q_layernorm.weight",
      "mtp.layers.0.self_attn.o_proj.weight": block + "self_attention.linear_proj.weight",
      "mtp.layers.0.mlp.gate_proj.weight": block + "mlp.linear_fc1.weight",
      "mtp.layers.0.post_attention_layernorm.weight": block + "mlp.linear_fc1.layer_norm_weight",
      "mtp.layers.0.self_attn.k_proj.weight": block + "self_attention.linear_qkv.weight",
    ] { #expect(keys[name] == [key], "\(name)") }
    let leaves = try #require(blueprint.predictors.first).blocks.flatMap(\.leaves)
    let attention = try #require(leaves.compactMap { $0 as? Attention }.first)
    #expect(attention.window == nil && attention.rotary == nil)
    #expect(leaves.contains { $0 is MLP })
  }

  @Test(arguments: [
    ["mtp_hybrid_override_pattern": JSON.string("*E")],
    ["mtp_layers_block_type": .array([.string("attention"), .string("moe")])],
    // What the configuration class assumes.
    [:],
  ])
  func nemotronsIsAStackOfItsOwn(_ pattern: [String: JSON]) throws {
    let changes = pattern.merging(["num_nextn_predict_layers": .integer(1)]) { first, _ in first }
    let blueprint = try blueprint("hf/nemotron_h_moe", changes)
    let keys = keys(blueprint)
    let block = "mtp.layers.0.mtp_model_layer.layers."
    for (name, key) in [
      "mtp.layers.0.eh_proj.weight": "mtp.layers.0.eh_proj.weight",
      "mtp.layers.0.enorm.weight": "mtp.layers.0.enorm.weight",
      "mtp.layers.0.hnorm.weight": "mtp.layers.0.hnorm.weight",
      "mtp.layers.1.final_layernorm.weight": "mtp.layers.0.final_layernorm.weight",
      "mtp.layers.0.norm.weight": block + "0.self_attention.linear_qkv.layer_norm_weight",
      "mtp.layers.0.mixer.q_proj.weight": block + "0.self_attention.linear_qkv.weight",
      "mtp.layers.0.mixer.o_proj.weight": block + "0.self_attention.linear_proj.weight",
      "mtp.layers.1.norm.weight": block + "1.pre_mlp_layernorm.weight",
      "mtp.layers.1.mixer.gate.weight": block + "1.mlp.router.weight",
      "mtp.layers.1.mixer.gate.e_score_correction_bias": block + "1.mlp.router.expert_bias",
      "mtp.layers.1.mixer.experts.0.up_proj.weight": block
        + "1.mlp.experts.experts.linear_fc1.weight",
      "mtp.layers.1.mixer.shared_experts.down_proj.weight": block
        + "1.mlp.shared_experts.linear_fc2.weight",
    ] { #expect(keys[name] == [key], "\(name)") }
    #expect(keys.keys.allSatisfy { $0.hasPrefix("mtp.layers.") })
    let model = MegatronArguments(blueprint, dtype: .bfloat16).model
    #expect(model["mtp_num_layers"] == .integer(1))
    #expect(model["mtp_hybrid_override_pattern"] == .string("*E"))
    #expect(model["hybrid_layer_pattern"] == .string("MEM*E"))
    let whole = blueprint.counts
    let without = try self.blueprint("hf/nemotron_h_moe").counts
    #expect(whole.parameters - whole.predictors == without.parameters)
  }

  @Test func erniesEndsInTheModelsNormAndHasNoPlaceInMegatron() throws {
    let blueprint = try blueprint("hf/ernie4_5_moe")
    #expect(blueprint.predictors.count == 1)
    #expect(keys(blueprint).isEmpty)
    #expect(blueprint.buffers.contains("model.mtp_block.0.mlp.gate_proj.weight"))
    let model = MegatronArguments(blueprint, dtype: .bfloat16).model
    #expect(model["mtp_num_layers"] == .null)
  }

  @Test func thePredictorsAttentionHasTheStateThatMegatronCoreAsksFor() throws {
    // Seen when Megatron-Core 0.16.1 loads such a checkpoint (scripts/check-megatron).
    let blueprint = try blueprint("hf/glm4_moe")
    let names = MegatronNames(blueprint)
    let states = blueprint.slots.flatMap(names.extraStates)
      .filter { $0.contains("core_attention") }
    #expect(
      states == [
        "mtp.layers.0.transformer_layer.self_attention.core_attention._extra_state/shard_0_1"
      ])
  }
}
