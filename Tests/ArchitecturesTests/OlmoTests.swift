import Architectures
import Blueprint
import JSON
import Tensors
import Testing

/// OLMo 1 in the keys of its own program, which no case in the reference set has.
struct OlmoTests {
  /// OLMo-7B's own configuration.
  private static let original = """
    {"architectures": ["OLMoForCausalLM"], "model_type": "hf_olmo", "activation_type": "swiglu",
     "alibi": false, "attention_dropout": 0.0, "attention_layer_norm": false,
     "block_type": "sequential", "clip_qkv": null, "d_model": 4096, "embedding_size": 50304,
     "flash_attention": true, "include_bias": false, "init_device": "meta", "init_fn": "mitchell",
     "init_std": 0.02, "layer_norm_type": "default", "layer_norm_with_affine": false,
     "bias_for_layer_norm": false, "max_sequence_length": 2048, "mlp_hidden_size": 22016,
     "mlp_ratio": 4, "multi_query_attention": false, "n_heads": 32, "n_layers": 32,
     "precision": "amp_bf16", "residual_dropout": 0.0, "rope": true, "rope_full_precision": true,
     "scale_logits": false, "vocab_size": 50280, "weight_tying": false}
    """

  private func blueprint() throws -> Blueprint {
    let json = try JSON(parsing: Array(Self.original.utf8))
    return try Registry.blueprint(try #require(json.object)).blueprint
  }

  @Test func theOriginalFilesHoldTheTensorsOfTheirProgram() throws {
    let parts = try blueprint().slots.flatMap(\.slot.parts)
    let shapes = Dictionary(uniqueKeysWithValues: parts.map { ($0.name, $0.shape) })
    // Names and shapes as MAPPINGS.md §38 lists them.
    #expect(shapes.count == 2 + 4 * 32)
    #expect(shapes["model.transformer.wte.weight"] == [50304, 4096])
    #expect(shapes["model.transformer.ff_out.weight"] == [50304, 4096])
    #expect(shapes["model.transformer.blocks.31.att_proj.weight"] == [12288, 4096])
    #expect(shapes["model.transformer.blocks.31.attn_out.weight"] == [4096, 4096])
    #expect(shapes["model.transformer.blocks.31.ff_proj.weight"] == [22016, 4096])
    #expect(shapes["model.transformer.blocks.31.ff_out.weight"] == [4096, 11008])
  }

  @Test func theGateStandsBehindWhatItGates() throws {
    let slot = try #require(blueprint().slots.first { $0.slot.role == .fc1(.weight) }?.slot)
    #expect(
      slot.layout
        == .rows([
          Segment(part: 0, first: 11008, count: 11008), Segment(part: 0, first: 0, count: 11008),
        ]))
  }

  @Test func normsWithNothingToLearnAreOnesAndZerosForMegatronAndNoParameters() throws {
    let blueprint = try blueprint()
    let made = blueprint.slots.map(\.slot).filter(\.parts.isEmpty)
    #expect(made.count == 2 * (2 * 32 + 1))
    #expect(Set(made.map(\.layout)) == [.filled(1), .filled(0)])
    // The number of the converted release, which transformers counts.
    #expect(blueprint.parameters == 6_888_095_744)
  }
}
