import JSON

// What each layer is to Megatron. A layer of a new kind brings its own.

extension Attention {
  public func describe(in arguments: inout MegatronArguments) {
    arguments.pattern += "*"
    arguments.attentions.append(self)
    arguments.attentionBiases = (hasInputBias, hasOutputBias)
    if softCap != nil { arguments.provider = .capped }
    var values = arguments.values
    values["num_attention_heads"] = .integer(heads)
    values["num_query_groups"] = .integer(groups)
    values["kv_channels"] = .integer(headSize)
    values["add_qkv_bias"] = .bool(hasInputBias)
    values["qk_layernorm"] = .bool(headNorms != nil && headNorms?.kind != .rmsWithoutWeight)
    if let softCap { values["attn_logit_softcapping"] = .number(softCap) }
    if let scale {
      // Bridge names the number under the root, Megatron-Core the factor.
      let scalar = 1 / (scale * scale)
      let whole = scalar.rounded()
      let isWhole = abs(scalar - whole) < whole * 1e-9 && whole < 1e9
      values[softCap == nil ? "softmax_scale" : "query_pre_attn_scalar"] =
        softCap == nil ? .number(scale) : isWhole ? .integer(Int(whole)) : .number(scalar)
    }
    if let alibi {
      values["isthmus_alibi"] = .object(
        JSONObject(["scaled": .bool(alibi.isScaled), "rounded": .bool(alibi.isRounded)]))
    }
    arguments.values = values
    describeWhatIsRare(in: &arguments)
  }

  private func describeWhatIsRare(in arguments: inout MegatronArguments) {
    if let headNorms {
      if headNorms.kind == .rmsWithoutWeight { arguments.values["qk_l2_norm"] = .bool(true) }
      switch headNorms.reach {
      case .head: break
      case .ownHead, .listedHeads: arguments.values["isthmus_qk_layernorm"] = .string("own_head")
      case .allHeads: arguments.values["isthmus_qk_layernorm"] = .string("all_heads")
      }
      if headNorms.followsRotation {
        arguments.values["isthmus_qk_layernorm_follows_rotary"] = .bool(true)
      }
    }
    if valueEps != nil { arguments.values["isthmus_value_norm"] = .bool(true) }
    if sinks != nil { arguments.values["softmax_type"] = .string("learnable") }
    if isGated { arguments.values["attention_output_gate"] = .bool(true) }
    if keyScale != 1 { arguments.values["isthmus_key_scale"] = .number(keyScale) }
    if let clip { arguments.values["isthmus_qkv_clip"] = .number(clip) }
    if let temperature {
      arguments.values["isthmus_query_temperature"] = .object(
        JSONObject([
          "slope": .number(temperature.slope), "period": .number(temperature.period),
          "first": .integer(temperature.first),
        ]))
    }
  }
}

extension LatentAttention {
  public func describe(in arguments: inout MegatronArguments) {
    arguments.provider = .latent
    arguments.describe(rotary, headSize: rotary.dimensions)
    // The latent provider has names of its own for the scaling.
    for key in arguments.values.keys where key.hasPrefix("yarn_") { arguments.values[key] = nil }
    var values = arguments.values
    values["position_embedding_type"] = .string("rope")
    values["multi_latent_attention"] = .bool(true)
    values["num_attention_heads"] = .integer(heads)
    values["num_query_groups"] = .integer(heads)
    values["kv_channels"] = .integer(rotary.dimensions)
    values["q_lora_rank"] = queryRank.map(JSON.integer) ?? .null
    values["kv_lora_rank"] = .integer(keyValueRank)
    values["qk_head_dim"] = .integer(plainSize)
    values["qk_pos_emb_head_dim"] = .integer(rotary.dimensions)
    values["v_head_dim"] = .integer(valueSize)
    values["qk_layernorm"] = .bool(true)
    values["isthmus_latent_layernorm_epsilon"] = .number(eps)
    values["rotary_scaling_factor"] = .number(1)
    values["mscale_all_dim"] = .number(1)
    if case .yarn(let yarn) = rotary.scaling {
      values["rotary_scaling_factor"] = .number(yarn.factor)
      values["original_max_position_embeddings"] = .integer(yarn.original)
      values["beta_fast"] = .number(yarn.betaFast)
      values["beta_slow"] = .number(yarn.betaSlow)
      values["mscale"] = .number(yarn.mscale ?? 1)
      values["mscale_all_dim"] = .number(yarn.mscaleAllDimensions ?? 0)
    }
    arguments.values = values
    indexer?.describe(in: &arguments)
  }
}

extension Indexer {
  fileprivate func describe(in arguments: inout MegatronArguments) {
    var values = arguments.values
    values["experimental_attention_variant"] = .string("dsa")
    values["dsa_indexer_n_heads"] = .integer(heads)
    values["dsa_indexer_head_dim"] = .integer(headSize)
    values["dsa_indexer_topk"] = .integer(kept)
    values["dsa_indexer_rope_interleaved"] = .bool(rotary.isInterleaved)
    values["dsa_indexer_k_norm_epsilon"] = .number(eps)
    // The rotation turns queries and keys alike, so that it changes no score.
    values["dsa_indexer_rotate_activation"] = .bool(false)
    values["transformer_layer_spec"] = MegatronDefaults.attentionVariants
    arguments.values = values
  }
}

extension MLP {
  public func describe(in arguments: inout MegatronArguments) {
    arguments.pattern += "-"
    arguments.denseSizes.append(inner)
    arguments.describe(activation, isGated: input.isGated)
    arguments.values["add_bias_linear"] = .bool(hasBias)
    arguments.describe(limit: limit, offset: offset)
    if gateScale != 1 { arguments.values["isthmus_gate_scale"] = .number(gateScale) }
  }
}

extension Experts {
  public func describe(in arguments: inout MegatronArguments) {
    arguments.pattern += "E"
    arguments.expertSizes.append(inner)
    arguments.describe(activation, isGated: storage.isGated)
    arguments.describe(limit: limit, offset: offset)
    var values = arguments.values
    values["num_moe_experts"] = .integer(count)
    values["moe_ffn_hidden_size"] = .integer(inner)
    values["moe_router_topk"] = .integer(router.perToken)
    values["moe_aux_loss_coeff"] = .number(router.balance)
    values["moe_grouped_gemm"] = .bool(true)
    values["moe_permute_fusion"] = .bool(true)
    values["moe_token_dispatcher_type"] = .string("alltoall")
    values["moe_router_enable_expert_bias"] = .bool(router.correction != nil)
    if router.balancesSequences {
      values["moe_router_load_balancing_type"] = .string("seq_aux_loss")
    }
    if let groups = router.groups {
      values["moe_router_num_groups"] = .integer(groups.count)
      values["moe_router_group_topk"] = .integer(groups.kept)
    }
    if let shared {
      values["moe_shared_expert_intermediate_size"] = .integer(shared.inner)
      // Megatron-Core does not run a gated one beside the others.
      values["moe_shared_expert_overlap"] = .bool(sharedGate == nil)
    }
    if sharedGate != nil { values["moe_shared_expert_gate"] = .bool(true) }
    if let latent { values["moe_latent_size"] = .integer(latent.size) }
    if router.scalesInput { values["moe_apply_probs_on_input"] = .bool(true) }
    if hasBias { values["add_bias_linear"] = .bool(true) }
    if router.input != nil { values["isthmus_router_reads_stream"] = .bool(true) }
    if router.expertScale != nil { values["isthmus_router_expert_scale"] = .bool(true) }
    if router.hasBias { values["isthmus_router_bias"] = .bool(true) }
    if router.normMinimum != 0 {
      values["isthmus_router_norm_minimum"] = .number(router.normMinimum)
    }
    // Megatron-Core ranks a group by as many experts as each of the kept groups gives.
    if let groups = router.groups, groups.kept < groups.count,
      groups.ranked != router.perToken / groups.kept
    {
      values["isthmus_router_group_ranked"] = .integer(groups.ranked)
    }
    switch router.score {
    case .softmax:
      // Softmax over all, left as it is; or over the chosen, which is normalising.
      values["moe_router_pre_softmax"] = .bool(!router.isNormalized)
      if router.scale != 1 { values["moe_router_topk_scaling_factor"] = .number(router.scale) }
    case .sparseMixer(let jitter):
      values["isthmus_router_sparse_mixer_jitter"] = .number(jitter)
    case .sigmoid:
      values["moe_router_score_function"] = .string("sigmoid")
      values["moe_router_dtype"] = .string("fp32")
      values["moe_router_topk_scaling_factor"] = .number(router.scale)
      // Megatron-Core always normalises such scores.
      if !router.isNormalized { values["isthmus_router_normalizes"] = .bool(false) }
    }
    arguments.values = values
  }
}

extension Scalar {
  public func describe(in arguments: inout MegatronArguments) {
    arguments.values["isthmus_layer_scalar"] = .bool(true)
  }
}

extension Mamba {
  public func describe(in arguments: inout MegatronArguments) {
    arguments.pattern += "M"
    var values = arguments.values
    values["mamba_num_heads"] = .integer(heads)
    values["mamba_head_dim"] = .integer(headSize)
    values["mamba_num_groups"] = .integer(groups)
    values["mamba_state_dim"] = .integer(state)
    values["mamba_chunk_size"] = .integer(chunk)
    // Megatron-Core's mixer knows one length, a bias, one order of gate and norm, and no bounds.
    if kernel != 4 { values["isthmus_mamba_conv_kernel"] = .integer(kernel) }
    if !hasConvolutionBias { values["isthmus_mamba_conv_bias"] = .bool(false) }
    if hasInputBias { values["isthmus_mamba_input_bias"] = .bool(true) }
    if hasOutputBias { values["isthmus_mamba_output_bias"] = .bool(true) }
    switch gating {
    case .thenNorm: break
    case .afterNorm: values["isthmus_mamba_norm_before_gate"] = .bool(true)
    case .withoutNorm: values["isthmus_mamba_norm"] = .bool(false)
    }
    if scales != Scales() {
      values["isthmus_mamba_scales"] = .array(scales.list.map(JSON.number))
    }
    // Its norm's epsilon is fixed.
    if eps != 1e-5, gating != .withoutNorm {
      values["isthmus_mamba_norm_epsilon"] = .number(eps)
    }
    if stepLimit.low > 0 { values["isthmus_mamba_step_minimum"] = .number(stepLimit.low) }
    if stepLimit.high.isFinite {
      values["isthmus_mamba_step_maximum"] = .number(stepLimit.high)
    }
    arguments.values = values
  }
}

extension DeltaNet {
  public func describe(in arguments: inout MegatronArguments) {
    var values = arguments.values
    values["experimental_attention_variant"] = .string("gated_delta_net")
    values["linear_num_key_heads"] = .integer(keyHeads)
    values["linear_num_value_heads"] = .integer(valueHeads)
    values["linear_key_head_dim"] = .integer(keySize)
    values["linear_value_head_dim"] = .integer(valueSize)
    values["linear_conv_kernel_dim"] = .integer(kernel)
    arguments.values = values
  }
}

extension ShortConvolution {
  public func describe(in arguments: inout MegatronArguments) {
    arguments.values["isthmus_short_convolution_kernel"] = .integer(kernel)
    if hasBias { arguments.values["isthmus_short_convolution_bias"] = .bool(true) }
  }
}
