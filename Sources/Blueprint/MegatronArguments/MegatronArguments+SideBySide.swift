import JSON

// Falcon-H1's provider: attention and a Mamba layer beside it in every block. It has words for the
// factors that others lack, and calls some sizes otherwise.

extension MegatronArguments {
  /// Says the blocks in the words of that provider, in place of our own.
  mutating func describeSideBySide() {
    provider = .sideBySide
    let layers = blueprint.blocks.first?.layers ?? []
    var values = values
    for branch in layers.flatMap({ ($0 as? ParallelResidual)?.branches ?? [] }) {
      let name: String
      if let mamba = branch.layer as? Mamba {
        name = "ssm"
        Self.describe(mamba, in: &values)
      } else if let attention = branch.layer as? Attention {
        name = "attention"
        values["key_multiplier"] = .number(attention.keyScale)
      } else {
        continue
      }
      values[name + "_in_multiplier"] = .number(branch.inputScale)
      values[name + "_out_multiplier"] = .number(branch.scale)
    }
    for residual in layers.compactMap({ $0 as? Residual }) {
      guard let mlp = residual.layer as? MLP else { continue }
      values["mlp_multipliers"] = .array([.number(mlp.gateScale), .number(residual.scale)])
    }
    values["embedding_multiplier"] = .number(blueprint.embeddingScale ?? 1)
    values["lm_head_multiplier"] = .number(blueprint.logitScale ?? 1)
    for key in Self.saidOtherwise { values[key] = nil }
    self.values = values
  }

  private static func describe(_ mamba: Mamba, in values: inout [String: JSON]) {
    values["chunk_size"] = .integer(mamba.chunk)
    values["conv_bias"] = .bool(mamba.hasConvolutionBias)
    values["d_conv"] = .integer(mamba.kernel)
    values["norm_before_gate"] = .bool(mamba.gating == .afterNorm)
    values["rmsnorm"] = .bool(mamba.gating != .withoutNorm)
    values["ssm_multipliers"] = .array(mamba.scales.list.map(JSON.number))
  }

  /// What the words above replace, and keys of other providers.
  private static let saidOtherwise = [
    "hf_model_id", "mamba_chunk_size", "isthmus_embedding_scale", "isthmus_gate_scale",
    "isthmus_input_scales", "isthmus_key_scale", "isthmus_logit_scale", "isthmus_mamba_conv_bias",
    "isthmus_mamba_conv_kernel", "isthmus_mamba_norm", "isthmus_mamba_norm_before_gate",
    "isthmus_mamba_scales", "isthmus_parallel_block", "isthmus_residual_scale",
  ]
}

extension MegatronDefaults {
  /// Keys that this provider does not have.
  static let absentBeside = ["hf_model_revision", "restore_modelopt_state"]

  /// What it adds, and where it differs.
  static let sideBySide: KeyValuePairs<String, JSON> = [
    "A_init_dist": .string("uniform"),
    "A_init_range": .array([.integer(1), .integer(16)]),
    "D_has_hdim": .bool(false),
    "attention_backend": .object(
      JSONObject([
        "_args_": .array([.integer(3)]), "_call_": .bool(true), "_name_": .string("unfused"),
        "_target_": .string("megatron.core.transformer.enums.AttnBackend"),
      ])),
    "attention_softmax_in_fp32": .bool(true),
    "conv_init": .number(1),
    "cross_entropy_loss_fusion": .bool(false),
    "dt_init": .string("random"),
    "dt_init_floor": .number(0.0001),
    "dt_max": .number(0.1),
    "dt_min": .number(0.001),
    "dt_scale": .number(1),
    "expand": .integer(2),
    "falconh1_ratio": .number(1),
    "falconh1_stack_spec": function("falcon_h1.falconh1_provider.get_default_falconh1_stack_spec"),
    "gradient_accumulation_fusion": .bool(false),
    "hybrid_attention_ratio": .number(0),
    "hybrid_mlp_ratio": .number(0),
    "hybrid_override_pattern": .null,
    "masked_softmax_fusion": .bool(false),
    "transformer_impl": .string("local"),
    "use_attention": .bool(true),
    "use_mamba": .bool(true),
    "use_mlp": .bool(true),
  ]
}
