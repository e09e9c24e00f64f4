import Architectures
import Blueprint
import JSON
import Support
import Testing

/// What Gemma 4 has that no other family does, and language models that stand beside other towers.
///
/// Expected values are those of transformers 5.23's modules and meta.json; Megatron's names those of
/// Megatron-Bridge's table in NEWER_ARCHITECTURES.md; names in whole models' files those that
/// `save_pretrained` of transformers 5.23 wrote.
struct Gemma4Tests {
  private func blueprint(
    _ name: String, _ changes: KeyValuePairs<String, JSON?> = [:]
  ) throws -> Blueprint {
    var configuration = try Case(path: "hf/" + name).configuration()
    for (key, value) in changes { configuration[key] = value }
    return try Registry.blueprint(configuration).blueprint
  }

  @Test func theLastLayersUseEarlierLayersKeys() throws {
    let small = try blueprint("gemma4_ple")
    #expect(small.attentions.map(\.keySource) == [.own, .own, .block(0), .block(1)])
    #expect(small.attentions.map(\.headSize) == [12, 24, 12, 24])
    let layers = small.blocks.flatMap(\.leaves).compactMap { $0 as? MLP }
    #expect(layers.map(\.inner) == [24, 24, 48, 48])
    let large = try blueprint("gemma4_moe")
    #expect(large.attentions.map(\.keySource) == [.own, .own, .sameProjection])
    #expect(large.attentions.map(\.groups) == [2, 2, 1])
    #expect(throws: ConfigError.self) {
      try blueprint("gemma4_ple", ["num_kv_shared_layers": .integer(3)])
    }
  }

  @Test func theLastLayerSeesAllWhateverTheFileSays() throws {
    let kinds = Array(repeating: JSON.string("sliding_attention"), count: 3)
    let changed = try blueprint("gemma4_moe", ["layer_types": .array(kinds)])
    #expect(changed.attentions.map(\.window) == [8, 8, nil])
  }

  @Test func missingKeysAreZerosToMegatronAndMissingValuesTheKeys() throws {
    func segments(_ blueprint: Blueprint, _ block: Int) throws -> [Segment] {
      let slot = try #require(
        blueprint.blocks[block].slots.first { $0.role == .queryKeyValue(.weight) })
      guard case .rows(let segments) = slot.layout else { return [] }
      return segments
    }
    let reusing = try segments(blueprint("gemma4_ple"), 2)
    #expect(reusing.map(\.use) == [.own, .zeros])
    #expect(reusing.map(\.count) == [48, 24])
    let twice = try segments(blueprint("gemma4_moe"), 2)
    #expect(twice.map(\.use) == [.own, .own, .copy])
    #expect(twice.map(\.part) == [0, 1, 1])
  }

  @Test func routersLookAtTheStreamItself() throws {
    let experts = try #require(
      try blueprint("gemma4_moe").blocks[0].leaves.compactMap { $0 as? Experts }.first)
    #expect(experts.router.input == Router.Input(scale: "router.scale", eps: 1e-6))
    #expect(experts.router.expertScale == "router.per_expert_scale")
    #expect(experts.router.score == .softmax && experts.router.isNormalized)
    #expect(experts.router.perToken == 2 && experts.activation == .geluTanh)
    #expect(experts.shared == nil)
  }

  @Test func namesAreTheBridges() throws {
    func keys(_ blueprint: Blueprint, _ prefix: String) -> Set<String> {
      let names = MegatronNames(blueprint)
      let all = blueprint.slots.flatMap { names.pieces(of: $0).map(\.key) }
      return Set(all.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) })
    }
    let dense = try blueprint("gemma4_ple")
    #expect(
      keys(dense, "decoder.layers.0.") == [
        "input_layernorm.weight", "post_self_attn_layernorm.weight", "pre_mlp_layernorm.weight",
        "post_mlp_layernorm.weight", "self_attention.linear_qkv.weight",
        "self_attention.q_layernorm.weight", "self_attention.k_layernorm.weight",
        "self_attention.linear_proj.weight", "mlp.linear_fc1.weight", "mlp.linear_fc2.weight",
        "per_layer_input_gate.weight", "per_layer_projection.weight",
        "post_per_layer_input_norm.weight", "layer_scalar",
      ])
    #expect(
      keys(dense, "per_layer_")
        == ["embedding.weight", "model_proj.weight", "proj_norm.weight"])
    #expect(
      keys(try blueprint("gemma4_moe"), "decoder.layers.2.") == [
        "self_attention.linear_qkv.layer_norm_weight",
        "self_attention.linear_proj.post_layernorm.weight", "pre_shared_expert_layernorm.weight",
        "post_ffn_layernorm.weight", "pre_mlp_layernorm.weight",
        "mlp.post_shared_expert_layernorm.weight", "mlp.post_moe_layernorm.weight",
        "mlp.shared_experts.linear_fc1.weight", "mlp.shared_experts.linear_fc2.weight",
        "mlp.router.weight", "mlp.router.scale", "mlp.router.per_expert_scale",
        "mlp.experts.experts.linear_fc1.weight", "mlp.experts.experts.linear_fc2.weight",
        "self_attention.linear_qkv.weight", "self_attention.linear_proj.weight",
        "self_attention.q_layernorm.weight", "self_attention.k_layernorm.weight", "layer_scalar",
      ])
  }

  @Test func sizesOfLayersMayStandOneByOne() throws {
    // As transformers 5 writes them.
    func layer(_ keys: KeyValuePairs<String, JSON>) -> JSON { .object(JSONObject(keys)) }
    let sizes = JSONObject([
      "2": layer(["head_dim": .integer(24), "num_key_value_heads": .integer(1)])
    ])
    let rewritten = try blueprint(
      "gemma4_moe",
      [
        "global_head_dim": nil, "num_global_key_value_heads": nil,
        "per_layer_config": .object(sizes),
      ])
    #expect(try rewritten.slots.map(\.slot) == blueprint("gemma4_moe").slots.map(\.slot))
  }
}

/// Language models in the files of models that see as well.
struct WholeModelTests {
  private func whole(
    _ className: String, text name: String, _ kind: String
  ) throws -> (blueprint: Blueprint, text: Blueprint) {
    var text = try Case(path: "hf/" + name).configuration()
    let alone = try Registry.blueprint(text).blueprint
    text["architectures"] = nil
    text["model_type"] = .string(kind)
    let configuration = JSONObject([
      "architectures": .array([.string(className)]), "text_config": .object(text),
      "vision_config": .object(JSONObject(["hidden_size": .integer(32)])),
      "image_token_index": .integer(10),
    ])
    return (try Registry.blueprint(configuration).blueprint, alone)
  }

  private func names(_ blueprint: Blueprint) -> Set<String> {
    Set(blueprint.slots.flatMap { $0.slot.parts.map(\.name) })
  }

  @Test(arguments: [
    ("Gemma3ForConditionalGeneration", "gemma3_text", "gemma3_text"),
    ("Mistral3ForConditionalGeneration", "ministral3", "ministral3"),
    ("Mistral3ForConditionalGeneration", "mistral_sliding", "mistral"),
  ])
  func theLanguageModelHasANameOfItsOwnInFront(
    _ className: String, _ name: String, _ kind: String
  ) throws {
    let (whole, text) = try whole(className, text: name, kind)
    #expect(names(whole) == Set(names(text).map { "language_model." + $0 }))
    #expect(whole.slots.map(\.slot.shape) == text.slots.map(\.slot.shape))
    for bystander in ["vision_tower.ln_pre.weight", "multi_modal_projector.norm.weight"] {
      #expect(whole.isBystander(bystander))
    }
    let (theirs, ours) = (MegatronNames(text), MegatronNames(whole))
    #expect(
      whole.slots.map { ours.pieces(of: $0).map(\.key) }
        == text.slots.map { theirs.pieces(of: $0).map(\.key) })
  }

  @Test func gemma4sLanguageModelStandsInsideTheModel() throws {
    let (whole, text) = try whole(
      "Gemma4ForConditionalGeneration", text: "gemma4_ple", "gemma4_text")
    let expected = names(text).map { "model.language_model." + $0.dropFirst("model.".count) }
    #expect(names(whole) == Set(expected))
    #expect(whole.buffers.contains("model.language_model.layers.3.self_attn.v_proj.weight"))
    #expect(whole.isBystander("model.vision_tower.patch_embedder.input_proj.weight"))
    #expect(whole.isBystander("model.embed_vision.embedding_projection.weight"))
    #expect(whole.duplicates == ["lm_head.weight": "model.language_model.embed_tokens.weight"])
  }

  @Test func whatReleasedFilesLeaveOutIsTheClasssDefault() throws {
    // Gemma 3 4B's text_config; the number is that of transformers' Gemma3ForCausalLM.
    let text = JSONObject([
      "hidden_size": .integer(2560), "intermediate_size": .integer(10_240),
      "model_type": .string("gemma3_text"), "num_hidden_layers": .integer(34),
      "rope_scaling": .object(
        JSONObject(["factor": .number(8), "rope_type": .string("linear")])),
      "sliding_window": .integer(1024),
    ])
    let configuration = JSONObject([
      "architectures": .array([.string("Gemma3ForConditionalGeneration")]),
      "text_config": .object(text),
      "vision_config": .object(JSONObject(["hidden_size": .integer(1152)])),
    ])
    let blueprint = try Registry.blueprint(configuration).blueprint
    #expect(blueprint.parameters == 3_880_263_168)
    #expect(blueprint.frame.isTied && blueprint.frame.positions == 131_072)
    #expect(blueprint.attentions.prefix(6).map(\.window) == [1024, 1024, 1024, 1024, 1024, nil])
  }

  @Test func anUnknownLanguageModelIsRefused() throws {
    let found = #expect(throws: ConfigError.self) {
      try whole("Mistral3ForConditionalGeneration", text: "llama_tied_32", "llama")
    }
    guard case .unsupported("text_config.model_type", "\"llama\"", _) = found else {
      Issue.record("\(String(describing: found))")
      return
    }
  }
}
