import Architectures
import Blueprint
import JSON
import Support
import Testing

/// Mathematics of hybrid models that leaves no trace in tensors; expected values are those the modules
/// of transformers 5.23 hold for the same configurations.
struct HybridMeaningTests {
  private func leaves<Kind: Layer>(_ path: String, _: Kind.Type) throws -> [Kind] {
    try Case(path: path).blueprint().blocks.flatMap(\.leaves).compactMap { $0 as? Kind }
  }

  /// A letter for what each block has in attention's place.
  private func mixers(_ path: String) throws -> String {
    let blocks = try Case(path: path).blueprint().blocks
    return blocks.map { block in
      let leaves = block.leaves
      let letters = [
        leaves.contains { $0 is Attention } ? "a" : "", leaves.contains { $0 is Mamba } ? "m" : "",
        leaves.contains { $0 is DeltaNet } ? "d" : "",
        leaves.contains { $0 is ShortConvolution } ? "c" : "",
      ]
      return letters.joined()
    }.joined(separator: " ")
  }

  private func blueprint(
    _ path: String, changing keys: KeyValuePairs<String, JSON?>
  ) throws -> Blueprint {
    var configuration = try Case(path: path).configuration()
    for (key, value) in keys { configuration[key] = value }
    return try Registry.blueprint(configuration).blueprint
  }

  @Test func everyBlockHasItsKindOfMixer() throws {
    #expect(try mixers("hf/qwen3_next") == "d d d a")
    #expect(try mixers("hf/qwen3_next_alternating") == "d a d a")
    #expect(try mixers("hf/qwen3_5_text") == "d d d a")
    #expect(try mixers("hf/qwen3_5_moe_text") == "d d d a")
    #expect(try mixers("hf/falcon_h1") == "am am am")
    #expect(try mixers("hf/mamba2") == "m m m")
    #expect(try mixers("hf/bamba") == "m m a m")
    #expect(try mixers("hf/granite4_h_moe") == "m m a m")
    #expect(try mixers("hf/granite4_dense") == "a a a")
    #expect(try mixers("hf/lfm2") == "c a c a")
    // The list of kinds goes before the interval.
    let kinds = ["full_attention", "linear_attention", "linear_attention", "full_attention"]
    let listed = try blueprint(
      "hf/qwen3_next", changing: ["layer_types": .array(kinds.map(JSON.string))])
    #expect(
      listed.blocks.map { $0.leaves.contains { $0 is Attention } } == [true, false, false, true])
  }

  @Test func rotationsAreOfTheStatedShare() throws {
    func rotary(_ path: String) throws -> [Rotary?] {
      try leaves(path, Attention.self).map(\.rotary)
    }
    #expect(try rotary("hf/qwen3_next") == [Rotary(theta: 10_000_000, dimensions: 4)])
    #expect(try rotary("hf/qwen3_next_alternating").map(\.?.dimensions) == [8, 8])
    #expect(try rotary("hf/qwen3_5_text") == [Rotary(theta: 10_000_000, dimensions: 8)])
    #expect(try rotary("hf/falcon_h1").first == Rotary(theta: 1e11, dimensions: 16))
    #expect(try rotary("hf/bamba") == [Rotary(theta: 10_000, dimensions: 6)])
    #expect(try rotary("hf/lfm2").first == Rotary(theta: 1_000_000, dimensions: 12))
    // Granite 4's larger models have no positions.
    #expect(try rotary("hf/granite4_h_moe") == [nil])
    #expect(try rotary("hf/granite4_dense").map(\.?.dimensions) == [10, 10, 10])
    let silent = try blueprint("hf/granite4_dense", changing: ["position_embedding_type": nil])
    #expect(silent.blocks.flatMap(\.leaves).allSatisfy { ($0 as? Attention)?.rotary == nil })
  }

  @Test func attentionIsGatedAndNormsHoldWeightsAboutZero() throws {
    for path in ["hf/qwen3_next", "hf/qwen3_5_text", "hf/qwen3_5_moe_text"] {
      let attentions = try leaves(path, Attention.self)
      #expect(attentions.count == 1)
      #expect(attentions.allSatisfy { $0.isGated && $0.headNorms?.kind == .rmsUnitOffset })
      #expect(attentions.allSatisfy { $0.headNorms?.reach == .head && $0.scale == nil })
      let blueprint = try Case(path: path).blueprint()
      #expect(blueprint.final.kind == .rmsUnitOffset)
      let norms = blueprint.blocks.flatMap(\.layers).compactMap { ($0 as? Residual)?.before?.kind }
      #expect(norms.count == 8 && norms.allSatisfy { $0 == .rmsUnitOffset })
      // The one norm whose weights are about one to Hugging Face alone.
      let shifted = blueprint.slots.filter { $0.slot.shift != 0 }
      #expect(shifted.map(\.slot.shift) == [-1, -1, -1])
      #expect(shifted.allSatisfy { $0.slot.parts[0].name.hasSuffix("linear_attn.norm.weight") })
    }
    #expect(try leaves("hf/bamba", Attention.self).allSatisfy { !$0.isGated })
    let biased = try #require(try leaves("hf/qwen3_next_alternating", Attention.self).first)
    #expect(biased.hasInputBias && biased.hasOutputBias)
  }

  @Test func expertsAreRoutedAsTheClassesDo() throws {
    let next = try leaves("hf/qwen3_next", Experts.self)
    #expect(next.count == 4)
    #expect(next.allSatisfy { $0.router.isNormalized && $0.router.score == .softmax })
    #expect(next.allSatisfy { $0.sharedGate == "mlp.shared_expert_gate.weight" })
    // The first of its blocks is dense; and it does not normalise.
    let alternating = try leaves("hf/qwen3_next_alternating", Experts.self)
    #expect(alternating.map(\.router.isNormalized) == [false, false, false])
    #expect(try leaves("hf/qwen3_next_alternating", MLP.self).map(\.inner) == [32])
    #expect(
      try leaves("hf/qwen3_5_moe_text", Experts.self).map(\.router.isNormalized)
        == [true, true, true, true])
    let granite = try leaves("hf/granite4_h_moe", Experts.self)
    #expect(granite.allSatisfy { $0.router.isNormalized && $0.router.perToken == 3 })
    #expect(granite.allSatisfy { $0.shared?.inner == 16 && $0.sharedGate == nil })
    #expect(try leaves("hf/granite4_dense", Experts.self).isEmpty)
    #expect(try leaves("hf/granite4_dense", MLP.self).map(\.inner) == [72, 72, 72])
  }

  @Test func falconsFactorsStandWhereTheyAct() throws {
    let blueprint = try Case(path: "hf/falcon_h1").blueprint()
    #expect(blueprint.embeddingScale == 2.5 && blueprint.logitScale == 0.5)
    for block in blueprint.blocks {
      let parallel = try #require(block.layers.first as? ParallelResidual)
      #expect(parallel.shared?.name == "input_layernorm")
      #expect(parallel.branches.map { $0.layer is Mamba } == [true, false])
      #expect(parallel.branches.map(\.inputScale) == [1.25, 1.2])
      #expect(parallel.branches.map(\.scale) == [0.6, 0.8])
      let residual = try #require(block.layers.last as? Residual)
      #expect(residual.scale == 0.7 && residual.inputScale == 1)
      #expect((residual.layer as? MLP)?.gateScale == 0.9)
    }
    #expect(try leaves("hf/falcon_h1", Attention.self).map(\.keyScale) == [0.6, 0.6, 0.6])
    let mamba = try #require(try leaves("hf/falcon_h1", Mamba.self).first)
    #expect(mamba.scales.list == [0.7, 0.5, 0.8, 0.9, 0.6])
    #expect(try leaves("hf/bamba", Mamba.self).allSatisfy { $0.scales == Mamba.Scales() })
  }

  @Test func gateAndNormFollowTheScanInTheirOrder() throws {
    func gatings(_ path: String) throws -> Set<Mamba.Gating> {
      Set(try leaves(path, Mamba.self).map(\.gating))
    }
    #expect(try gatings("hf/falcon_h1") == [.withoutNorm])
    #expect(try gatings("hf/falcon_h1_rms_norm") == [.thenNorm])
    // The class's default of `mamba_norm_before_gate` is true.
    let silent = try blueprint("hf/falcon_h1_rms_norm", changing: ["mamba_norm_before_gate": nil])
    let mambas = silent.blocks.flatMap(\.leaves).compactMap { $0 as? Mamba }
    #expect(mambas.map(\.gating) == [.afterNorm, .afterNorm, .afterNorm])
    // Mamba-2's class gates first, though the file says otherwise.
    #expect(try gatings("hf/mamba2") == [.thenNorm])
    #expect(try gatings("hf/bamba") == [.thenNorm])
    #expect(try gatings("hf/granite4_h_moe") == [.thenNorm])
    let pure = try leaves("hf/mamba2", Mamba.self)
    // Norm groups of 48.
    #expect(pure.allSatisfy { $0.inner / $0.groups == 48 })
    #expect(pure.allSatisfy { $0.stepLimit.low == 0 && $0.stepLimit.high == .infinity })
    #expect(try Case(path: "hf/mamba2").blueprint().keepsResidualFloat32)
  }

  @Test func granitesFactorsStandWhereTheyAct() throws {
    for path in ["hf/granite4_h_moe", "hf/granite4_dense"] {
      let blueprint = try Case(path: path).blueprint()
      #expect(blueprint.embeddingScale == 2 && blueprint.logitScale == 1 / 0.8)
      let residuals = blueprint.blocks.flatMap(\.layers).compactMap { $0 as? Residual }
      #expect(residuals.count == 2 * blueprint.blocks.count)
      #expect(residuals.allSatisfy { $0.scale == 0.6 && $0.inputScale == 1 })
      #expect(try leaves(path, Attention.self).allSatisfy { $0.scale == 0.15 })
    }
  }

  @Test func widthsThatFollowFromOthersAreRight() throws {
    // int(84 · 2 / 3) = 56, rounded up to a multiple of 16.
    #expect(try leaves("hf/lfm2", MLP.self).map(\.inner) == [64, 64, 64, 64])
    let plain = try blueprint("hf/lfm2", changing: ["block_auto_adjust_ff_dim": .bool(false)])
    #expect(plain.blocks.flatMap(\.leaves).compactMap { ($0 as? MLP)?.inner } == [84, 84, 84, 84])
    let bare = try blueprint("hf/lfm2", changing: ["block_ffn_dim_multiplier": .null])
    #expect(bare.blocks.flatMap(\.leaves).compactMap { ($0 as? MLP)?.inner } == [56, 56, 56, 56])
    // "auto" is what the inner width leaves each head.
    let automatic = try blueprint("hf/bamba", changing: ["mamba_d_head": .string("auto")])
    let sizes = automatic.blocks.flatMap(\.leaves).compactMap { ($0 as? Mamba)?.headSize }
    #expect(sizes == [16, 16, 16])
    // Without an inner width of its own Falcon-H1 takes a multiple of the model's.
    let wide = try blueprint(
      "hf/falcon_h1", changing: ["mamba_d_ssm": .null, "mamba_d_head": .string("auto")])
    #expect(wide.blocks.flatMap(\.leaves).compactMap { ($0 as? Mamba)?.inner } == [96, 96, 96])
  }

  @Test func megatronCountsTheLayersOfAHybridStackOneByOne() throws {
    let blueprint = try Case(path: "hf/bamba").blueprint()
    let names = MegatronNames(blueprint)
    let keys = Set(blueprint.slots.flatMap { names.pieces(of: $0).map(\.key) })
    // MAPPINGS.md, section 5: block i is the layers 2i and 2i + 1.
    for key in [
      "decoder.layers.0.mixer.in_proj.layer_norm_weight",
      "decoder.layers.0.mixer.in_proj.weight.dt",
      "decoder.layers.1.mlp.linear_fc1.layer_norm_weight", "decoder.layers.7.mlp.linear_fc2.weight",
      "decoder.layers.4.self_attention.linear_qkv.weight", "decoder.final_norm.weight",
    ] { #expect(keys.contains(key), "\(key)") }
    #expect(!keys.contains { $0.hasPrefix("decoder.layers.8.") })
    let model = MegatronArguments(blueprint, dtype: .bfloat16).model
    #expect(model["hybrid_layer_pattern"] == .string("M-M-*-M-"))
    #expect(model["num_layers"] == .integer(8))
    // A model without any Mamba layer is none.
    let dense = try Case(path: "hf/granite4_dense").blueprint()
    #expect(!dense.isHybrid && dense.stacksLayers && dense.stackDepth == 3)
  }

  @Test func whatMegatronComputesOtherwiseIsSaid() throws {
    func model(
      _ path: String, changing keys: KeyValuePairs<String, JSON?> = [:]
    ) throws -> JSONObject {
      MegatronArguments(try blueprint(path, changing: keys), dtype: .bfloat16).model
    }
    // Falcon-H1's provider has words for all of it.
    let falcon = try model("hf/falcon_h1")
    #expect(falcon["ssm_multipliers"] == .array([0.7, 0.5, 0.8, 0.9, 0.6].map(JSON.number)))
    #expect(falcon["mlp_multipliers"] == .array([0.9, 0.7].map(JSON.number)))
    #expect(falcon["key_multiplier"] == .number(0.6) && falcon["rmsnorm"] == .bool(false))
    #expect(falcon["lm_head_multiplier"] == .number(0.5))
    #expect(!falcon.keys.contains { $0.hasPrefix("isthmus_") })
    // Others have none for these.
    let granite = try model("hf/granite4_h_moe")
    #expect(granite["hybrid_layer_pattern"] == .string("MEME*EME"))
    #expect(granite["isthmus_residual_scale"] == .number(0.6))
    #expect(granite["isthmus_logit_scale"] == .number(1.25))
    let convolutions = try model("hf/lfm2")["isthmus_short_convolution_freq"]
    #expect(convolutions == .array([1, 0, 1, 0].map { .integer($0) }))
    let pure = try model(
      "hf/mamba2",
      changing: ["use_bias": .bool(true), "time_step_limit": .array([.number(0), .number(8)])])
    #expect(pure["isthmus_mamba_input_bias"] == .bool(true))
    #expect(pure["isthmus_mamba_output_bias"] == .bool(true))
    #expect(pure["isthmus_mamba_step_maximum"] == .number(8))
    #expect(pure["isthmus_mamba_conv_bias"] == nil && pure["isthmus_mamba_norm"] == nil)
    let delta = try model("hf/qwen3_next_alternating")
    #expect(delta["linear_attention_freq"] == .array([1, 0, 1, 0].map { .integer($0) }))
    #expect(delta["linear_conv_kernel_dim"] == .integer(3))
  }

  @Test func theDeltaNetsPredictorHasMegatronsNames() throws {
    let blueprint = try Case(path: "hf/qwen3_next").blueprint()
    let predicted = blueprint.slots.filter(\.isPredictor)
    let names = MegatronNames(blueprint)
    func key(_ part: String) -> [String] {
      predicted.filter { $0.slot.parts.contains { $0.name == part } }
        .flatMap { names.pieces(of: $0).map(\.key) }
    }
    // NEWER_ARCHITECTURES.md, Qwen3-Next.
    #expect(key("mtp.fc.weight") == ["mtp.layers.0.eh_proj.weight"])
    #expect(key("mtp.pre_fc_norm_embedding.weight") == ["mtp.layers.0.enorm.weight"])
    #expect(key("mtp.pre_fc_norm_hidden.weight") == ["mtp.layers.0.hnorm.weight"])
    #expect(key("mtp.norm.weight") == ["mtp.layers.0.final_layernorm.weight"])
    let gate = try #require(key("mtp.layers.0.mlp.shared_expert_gate.weight").first)
    #expect(gate.hasPrefix("mtp.layers.0.") && gate.hasSuffix("mlp.shared_experts.gate_weight"))
    // It has attention, and none of the delta net's tensors.
    #expect(key("mtp.layers.0.self_attn.q_proj.weight").count == 1)
    #expect(!predicted.contains { $0.slot.parts[0].name.contains("linear_attn") })
  }
}
