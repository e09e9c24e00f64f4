import Architectures
import Blueprint
import Foundation
import JSON
import Support
import Tensors
import Testing

/// Facts of the mathematics that leave no trace in tensors; expected values are those the modules of
/// transformers 5.23 hold for the same configurations.
struct MeaningTests {
  private func attentions(_ path: String) throws -> [Attention] {
    try Case(path: path).blueprint().blocks.flatMap(\.leaves).compactMap { $0 as? Attention }
  }

  @Test func windowsAreThoseOfTheRightLayers() throws {
    #expect(try attentions("hf/mistral_sliding").map(\.window) == [8, 8, 8])
    #expect(try attentions("hf/mistral_head_dim").map(\.window) == [nil, nil, nil])
    #expect(try attentions("hf/qwen2_mixed_window").map(\.window) == [nil, nil, 8, 8])
    #expect(try attentions("hf/qwen2_tied").map(\.window) == [nil, nil, nil])
    #expect(try attentions("hf/qwen3_untied_bias").map(\.window) == [nil, nil, 8])
    #expect(try attentions("hf/gemma2").map(\.window) == [8, nil, 8, nil])
    #expect(try attentions("bridge/gemma2").map(\.window) == [32, nil])
    #expect(try attentions("hf/phi3_mini_4k").map(\.window) == [8, 8, 8])
  }

  @Test func anAbsentWindowIsTheClassesAndNullIsNone() throws {
    var configuration = try Case(path: "hf/mistral_sliding").configuration()
    configuration["sliding_window"] = nil
    func window() throws -> Int? {
      let blueprint = try Registry.blueprint(configuration).blueprint
      return blueprint.blocks.flatMap(\.leaves).compactMap { $0 as? Attention }.first?.window
    }
    #expect(try window() == 4096)
    configuration["sliding_window"] = .null
    #expect(try window() == nil)
  }

  @Test func gemmaCapsAndScales() throws {
    let blueprint = try Case(path: "hf/gemma2").blueprint()
    let attention = try #require(try attentions("hf/gemma2").first)
    #expect(attention.scale == 0.22360679774997896)
    #expect(attention.softCap == 1.5)
    #expect(blueprint.logitSoftCap == 3)
    #expect(blueprint.embeddingScale == 6.928203230275509)
    #expect(blueprint.final.kind == .rmsUnitOffset)
    var configuration = try Case(path: "hf/gemma2").configuration()
    configuration["final_logit_softcapping"] = .null
    #expect(try Registry.blueprint(configuration).blueprint.logitSoftCap == nil)
  }

  @Test func stretchedLatentAttentionIsStronger() throws {
    let latents = try Case(path: "hf/deepseek_v3").blueprint().blocks.flatMap(\.leaves)
      .compactMap { $0 as? LatentAttention }
    #expect(latents.count == 3)
    let scale = try #require(latents.first?.scale)
    #expect(abs(scale - 0.32627118099068225) < 1e-15)
    #expect(latents.allSatisfy { $0.rotary.isInterleaved })
  }

  @Test func rotaryTurnsTheStatedPartOfAHead() throws {
    #expect(try attentions("hf/gpt_neox").map(\.rotary?.dimensions) == [4, 4, 4])
    #expect(try attentions("hf/gpt_neox_sequential").map(\.rotary?.dimensions) == [16, 16, 16])
    #expect(try attentions("hf/phi4_mini").map(\.rotary?.dimensions) == [12, 12, 12])
    #expect(try attentions("hf/falcon_rw_alibi").allSatisfy { $0.rotary == nil })
    #expect(
      try attentions("hf/falcon_rw_alibi").allSatisfy {
        $0.alibi == ALiBi(isScaled: true, isRounded: true)
      })
    #expect(try attentions("hf/nemotron_h").allSatisfy { $0.rotary == nil })
    #expect(try attentions("hf/llama_gqa_llama3rope").first?.rotary?.theta == 1000)
  }

  @Test func longFactorsKeepTheirOriginalLength() throws {
    let rotary = try attentions("hf/phi3_longrope_long").first?.rotary
    guard case .long(let long) = rotary?.scaling else {
      Issue.record("no LongRoPE")
      return
    }
    #expect(long.original == 16)
    #expect(long.factor == 32)
    #expect(long.short.count == 8 && long.long.last == 16)
  }

  @Test func routersAreWhatTheConfigurationSays() throws {
    func routers(_ path: String) throws -> [Router] {
      try Case(path: path).blueprint().blocks.flatMap(\.leaves)
        .compactMap { ($0 as? Experts)?.router }
    }
    #expect(try routers("hf/qwen3_moe_norm").allSatisfy { $0.isNormalized && $0.perToken == 3 })
    #expect(try routers("hf/qwen3_moe_norm").count == 3)
    #expect(try routers("hf/qwen3_moe_nonorm").map(\.isNormalized) == [false, false])
    let deep = try #require(try routers("hf/deepseek_v3").first)
    #expect(deep.score == .sigmoid && deep.scale == 2.5 && deep.isNormalized)
    #expect(deep.groups == Router.Groups(count: 4, kept: 2))
    #expect(try routers("hf/mixtral").allSatisfy { $0.isNormalized && $0.score == .softmax })
    #expect(
      try routers("hf/nemotron_h_latent_moe").first?.groups == Router.Groups(count: 2, kept: 1))
  }
}

/// Two ways to write one model.
struct SpellingTests {
  private func configuration(_ name: String) throws -> JSONObject {
    let file = try readObject(Support.fixtures.appending(path: "counts/\(name).json"))
    return try #require(file["configuration"]?.object)
  }

  private func slots(_ configuration: JSONObject) throws -> [Slot] {
    try Registry.blueprint(configuration).blueprint.slots.map(\.slot)
  }

  @Test func falconsFirstFilesMeanTheSame() throws {
    let new = try configuration("falcon_40b")
    var old = new
    for (key, other) in [
      ("num_attention_heads", "n_head"), ("num_hidden_layers", "n_layer"),
      ("num_kv_heads", "n_head_kv"),
    ] {
      old[other] = old[key]
      old[key] = nil
    }
    old["new_decoder_architecture"] = nil
    old["architectures"] = .array([.string("RWForCausalLM")])
    old["model_type"] = .string("RefinedWeb")
    #expect(try slots(old) == slots(new))
  }

  @Test func aPatternOfLettersIsAListOfNames() throws {
    let letters = try configuration("nemotron_3_nano_30b_a3b")
    let pattern = try #require(letters["hybrid_override_pattern"]?.string)
    var names = letters
    names["hybrid_override_pattern"] = nil
    names["num_hidden_layers"] = nil
    names["layers_block_type"] = .array(
      pattern.map { letter in
        .string(letter == "M" ? "mamba" : letter == "E" ? "moe" : "attention")
      })
    #expect(try slots(names) == slots(letters))
    names["hybrid_override_pattern"] = .string("M")
    #expect(throws: ConfigError.self) { try slots(names) }
  }

  @Test func rotaryParametersMayStandTogether() throws {
    let old = try configuration("llama_3.1_8b")
    var new = old
    var inner = try #require(old["rope_scaling"]?.object)
    inner["rope_theta"] = old["rope_theta"]
    new["rope_scaling"] = nil
    new["rope_theta"] = nil
    new["rope_parameters"] = .object(inner)
    func rotary(_ configuration: JSONObject) throws -> Rotary? {
      let blueprint = try Registry.blueprint(configuration).blueprint
      return blueprint.blocks.flatMap(\.leaves).compactMap { ($0 as? Attention)?.rotary }.first
    }
    #expect(try rotary(new) == rotary(old))
    #expect(try rotary(new)?.theta == 500_000)
  }

  @Test func theBlockThatPredictsFurtherIsNumberedOnAndNamedByDepth() throws {
    let blueprint = try Registry.blueprint(configuration("deepseek_v3")).blueprint
    let predicted = blueprint.slots.filter(\.isPredictor)
    // A decoder layer with experts as transformers builds it, its correction bias, the matrix that
    // merges and three norms.
    let count = predicted.reduce(0) { $0 + $1.slot.shape.count }
    #expect(count == 11_507_286_016 + 256 + 2 * 7168 * 7168 + 3 * 7168)
    let names = Set(predicted.flatMap { $0.slot.parts.map(\.name) })
    #expect(names.allSatisfy { $0.hasPrefix("model.layers.61.") })
    for name in ["enorm", "hnorm", "eh_proj", "shared_head.norm", "self_attn.q_a_proj"] {
      #expect(names.contains("model.layers.61.\(name).weight"))
    }
    #expect(
      blueprint.copies["model.layers.61.embed_tokens.weight"] == "model.embed_tokens.weight")
    #expect(blueprint.copies["model.layers.61.shared_head.head.weight"] == "lm_head.weight")

    let keys = MegatronNames(blueprint)
    let spelled = Set(predicted.flatMap { keys.pieces(of: $0).map(\.key) })
    // MAPPINGS.md, section 12; Megatron-Core writes the block under its older name.
    for key in [
      "mtp.layers.0.enorm.weight", "mtp.layers.0.hnorm.weight", "mtp.layers.0.eh_proj.weight",
      "mtp.layers.0.final_layernorm.weight",
      "mtp.layers.0.transformer_layer.input_layernorm.weight",
      "mtp.layers.0.transformer_layer.mlp.router.expert_bias",
      "mtp.layers.0.transformer_layer.self_attention.linear_q_down_proj.weight",
    ] { #expect(spelled.contains(key), "\(key)") }
    #expect(spelled.allSatisfy { $0.hasPrefix("mtp.layers.0.") })
  }
}
