import JSON

/// What every key has that no layer decides: the defaults of Megatron-Bridge 0.6.0.
///
/// Taken from run_config.yaml files that it wrote (fixtures/run_config); the classes are its
/// TransformerConfig, GPTModelProvider, MLAModelProvider and HybridModelProvider. Without
/// `inference_cuda_graph_scope`: Bridge 0.3.1 refuses a file that names a class it does not know, and
/// reads all the rest.
enum MegatronDefaults {
  /// Keys of all providers: false, true, null, and others.
  static let off = [
    "account_for_embedding_in_pipeline_split", "account_for_loss_in_pipeline_split",
    "activation_func_fp8_input_store", "apply_query_key_layer_scaling",
    "apply_residual_connection_post_layernorm", "apply_rope_fusion",
    "attention_output_gate", "attention_softmax_in_fp32", "batch_invariant_mode",
    "bias_activation_fusion", "bias_dropout_fusion", "calculate_per_token_loss",
    "cpu_offloading", "cpu_offloading_double_buffering",
    "cpu_offloading_retain_pinned_cpu_buffers", "cpu_offloading_weights",
    "cuda_graph_retain_backward_graph", "defer_embedding_wgrad_compute",
    "delay_offload_until_cuda_graph", "delay_wgrad_compute", "deterministic_mode",
    "disable_bf16_reduced_precision_matmul", "disable_parameter_transpose_cache",
    "distribute_saved_activations", "dsa_indexer_k_norm_fp32",
    "dsa_indexer_rope_interleaved", "dsa_indexer_use_sparse_loss", "enable_autocast",
    "enable_cuda_graph", "ep_overlap_early_attn_memory_release", "external_cuda_graph",
    "fine_grained_activation_offloading", "first_last_layers_bf16", "flash_decode",
    "fp16_lm_cross_entropy", "fp4_param", "fp8_dot_product_attention",
    "fp8_multi_head_attention", "fp8_output_proj", "fp8_param", "fused_residual_rmsnorm",
    "fused_single_qkv_rope", "hetereogenous_dist_checkpoint", "heterogeneous_block_specs",
    "high_priority_a2a_comm_stream", "hybrid_context_parallel",
    "inference_disable_triton_nvls_kernels", "inference_fuse_tp_communication",
    "inference_moe_disable_fused_quant_kernels", "inference_rng_tracker",
    "init_model_with_meta_device", "is_hybrid_model", "log_max_attention_logit",
    "memory_efficient_layer_norm", "moe_apply_probs_on_input", "moe_enable_deepep",
    "moe_enable_routing_replay", "moe_grouped_gemm",
    "moe_hybridep_pad_uneven_dispatch_inputs", "moe_layer_recompute",
    "moe_ncclep_static_shape", "moe_ncclep_use_symm_mem",
    "moe_pad_expert_input_to_capacity", "moe_pad_experts_for_cuda_graph_inference",
    "moe_paged_stash", "moe_per_layer_logging", "moe_permute_fusion",
    "moe_permute_fusion_into_hybridep", "moe_router_enable_expert_bias",
    "moe_router_force_load_balancing", "moe_router_fusion", "moe_router_padding_for_fp8",
    "moe_router_padding_for_quantization", "moe_router_pre_softmax",
    "moe_shared_expert_gate", "moe_shared_expert_overlap", "moe_single_grouped_bias",
    "moe_single_grouped_weight", "moe_token_dropping", "mtp_detach_heads", "mtp_standalone",
    "mtp_use_repeated_layer", "multi_latent_attention", "nccl_all_reduce_for_prefill",
    "overlap_dispatch_backward_with_experts_wgrad", "overlap_moe_expert_parallel_comm",
    "overlap_p2p_comm", "overlap_p2p_comm_warmup_flush", "perform_initialization",
    "persist_layer_norm", "qk_clip", "qk_l2_norm", "restore_modelopt_state",
    "sequence_parallel", "should_pad_vocab", "test_mode", "tp_comm_atomic_ag",
    "tp_comm_atomic_rs", "tp_comm_overlap", "tp_comm_overlap_disable_fc1",
    "tp_comm_overlap_disable_qkv", "tp_comm_overlap_rs_dgrad", "tp_only_amax_red",
    "use_fused_weighted_squared_relu", "use_grouped_gemm_for_dense_mlp",
    "use_grouped_gemm_for_shared_expert", "use_inference_optimized_layers", "use_kitchen",
    "use_kitchen_attention", "use_mup", "use_ring_exchange_p2p", "use_te_activation_func",
    "use_te_rng_tracker", "use_transformer_engine_op_fuser", "variable_seq_lengths",
  ]

  static let on = [
    "barrier_with_L1_time", "batch_p2p_comm", "batch_p2p_sync",
    "clone_scatter_output_in_embedding", "cpu_offloading_activations",
    "cross_entropy_loss_fusion", "cuda_graph_use_single_mempool",
    "deallocate_pipeline_outputs", "dsa_indexer_rotate_activation",
    "dsa_indexer_scoring_relu", "fp8_wgrad", "gradient_accumulation_fusion",
    "masked_softmax_fusion", "parallel_output", "tp_comm_bulk_dgrad", "tp_comm_bulk_wgrad",
    "tp_comm_overlap_ag", "tp_comm_overlap_rs", "tp_comm_split_ag", "tp_comm_split_rs",
    "use_cpu_initialization", "use_mamba_mem_eff_path",
  ]

  static let none = [
    "activation_func_clamp_value", "cp_comm_type", "cuda_graph_scope",
    "dsa_indexer_head_dim", "dsa_indexer_k_norm_epsilon", "dsa_indexer_loss_coeff",
    "dsa_indexer_n_heads", "dsa_indexer_topk", "experimental_attention_variant",
    "experimental_attention_variant_loss_scale_func",
    "expert_tensor_parallel_num_weight_shards", "finalize_model_grads_func",
    "fine_grained_offloading_max_inflight_offloads", "flash_attention_version", "fp4",
    "fp4_quantizer_factory", "fp8", "fp8_quantizer_factory", "grad_scale_func",
    "grad_sync_func", "hf_model_revision", "hierarchical_context_parallel_sizes",
    "linear_attention_freq", "mamba_num_heads", "mamba_training_ssm_states_dtype",
    "max_seqlen_per_dp_cp_rank", "moe_deepep_num_sms", "moe_expert_capacity_factor",
    "moe_expert_rank_capacity_factor", "moe_ffn_hidden_size", "moe_flex_dispatcher_num_sms",
    "moe_grad_scale_func", "moe_hybridep_num_blocks_permute",
    "moe_hybridep_num_blocks_unpermute", "moe_hybridep_num_sms", "moe_input_jitter_eps",
    "moe_latent_size", "moe_mlp_glu_interleave_size", "moe_router_dtype",
    "moe_router_force_biased", "moe_router_group_topk", "moe_router_num_groups",
    "moe_router_topk_limited_devices", "moe_router_topk_scaling_factor",
    "moe_shared_expert_glu_interleave_size", "moe_shared_expert_intermediate_size",
    "moe_z_loss_coeff", "mrope_section", "mtp_grad_scale_func",
    "mtp_hybrid_override_pattern", "mtp_num_layers", "mup_base_head_dim",
    "mup_base_hidden_size", "no_rope_freq", "no_sync_func",
    "num_layers_in_first_pipeline_stage", "num_layers_in_last_pipeline_stage",
    "num_microbatches_with_partial_activation_checkpoints", "num_moe_experts",
    "param_sync_func", "pipeline_model_parallel_comm_backend",
    "pipeline_model_parallel_layout", "quant_recipe", "recompute_granularity",
    "recompute_method", "recompute_num_layers", "seq_len_interpolation_factor",
    "softmax_scale", "symmetric_ar_type", "tensor_parallel_num_weight_shards", "timers",
    "virtual_pipeline_model_parallel_size", "window_attn_skip_freq", "window_size",
  ]

  static let other: KeyValuePairs<String, JSON> = [
    "activation_offload_fraction": .number(1.0),
    "attention_backend": .object(
      JSONObject([
        "_args_": .array([.integer(5)]), "_call_": .bool(true), "_name_": .string("auto"),
        "_target_": .string("megatron.core.transformer.enums.AttnBackend"),
      ])),
    "attention_dropout": .number(0.0),
    "config_logger_dir": .string(""),
    "context_parallel_size": .integer(1),
    "cpu_offloading_num_layers": .integer(0),
    "cross_entropy_fusion_impl": .string("native"),
    "cuda_graph_impl": .string("none"),
    "cuda_graph_modules": .array([]),
    "cuda_graph_warmup_steps": .integer(3),
    "delta_offload_bytes_across_pp_ranks": .integer(0),
    "dsa_indexer_skip_topk_offset": .integer(0),
    "dsa_indexer_topk_freq": .integer(1),
    "dsa_kernel_backend": .string("none"),
    "expert_gtp_weight_remat_size": .integer(1),
    "expert_tensor_parallel_size": .integer(1),
    "fp4_recipe": .string("nvfp4"),
    "fp8_amax_compute_algo": .string("most_recent"),
    "fp8_amax_history_len": .integer(1),
    "fp8_interval": .integer(1),
    "fp8_margin": .integer(0),
    "fp8_recipe": .string("delayed"),
    "glu_linear_offset": .number(0.0),
    "gtp_weight_remat_size": .integer(1),
    "hidden_dropout": .number(0.0),
    "inference_grouped_gemm_backend": .string("vllm"),
    "inference_moe_token_dispatcher_type": .string("nvls"),
    "inference_sampling_seed": .integer(42),
    "kitchen_attention_backend": .string("sdpa"),
    "linear_conv_kernel_dim": .integer(4),
    "linear_key_head_dim": .integer(128),
    "linear_num_key_heads": .integer(16),
    "linear_num_value_heads": .integer(32),
    "linear_value_head_dim": .integer(128),
    "mamba_head_dim": .integer(64),
    "mamba_num_groups": .integer(8),
    "mamba_state_dim": .integer(128),
    "min_offloaded_tensor_size": .integer(1048576),
    "mlp_chunks_for_prefill": .integer(1),
    "mlp_chunks_for_training": .integer(1),
    "moe_aux_loss_coeff": .number(0.0),
    "moe_flex_dispatcher_backend": .string("deepep"),
    "moe_hybridep_num_sms_preprocessing": .integer(108),
    "moe_layer_freq": .integer(1),
    "moe_paged_stash_buffer_size_factor_cpu": .number(0.0),
    "moe_paged_stash_buffer_size_factor_cuda": .number(1.1),
    "moe_paged_stash_page_size": .integer(64),
    "moe_router_bias_update_rate": .number(0.001),
    "moe_router_load_balancing_type": .string("aux_loss"),
    "moe_router_quantile_balancing_ema": .number(0.0),
    "moe_router_score_function": .string("softmax"),
    "moe_router_topk": .integer(2),
    "moe_token_dispatcher_type": .string("allgather"),
    "moe_token_drop_policy": .string("probs"),
    "mtp_loss_scaling_factor": .number(0.1),
    "mup_attn_scale_power": .number(1.0),
    "mup_embedding_mult": .number(1.0),
    "mup_output_mult": .number(1.0),
    "mup_width_mult": .number(1.0),
    "num_layers_at_end_in_bf16": .integer(1),
    "num_layers_at_start_in_bf16": .integer(1),
    "offload_modules": .array([]),
    "qk_clip_alpha": .number(0.5),
    "qk_clip_threshold": .integer(100),
    "recompute_modules": .array([.string("core_attn")]),
    "softmax_type": .string("vanilla"),
    "tp_comm_bootstrap_backend": .string("nccl"),
    "transformer_impl": .string("transformer_engine"),
    "wgrad_deferral_limit": .integer(0),
  ]

  /// Keys that the providers of GPT models add.
  static let gpt: KeyValuePairs<String, JSON> = [
    "dense_grouped_gemm": .bool(false),
    "mtp_enabled": .bool(false),
    "rope_scaling": .bool(false),
    "rope_scaling_factor": .number(1.0),
    "rotary_scaling_factor": .null,
    "scatter_embedding_sequence_parallel": .bool(true),
    "tp_comm_overlap_cfg": .null,
    "transformer_layer_spec": .object(
      JSONObject([
        "_call_": .bool(false),
        "_target_": .string("megatron.bridge.models.gpt_provider.default_layer_spec"),
      ])),
    "use_arbitrary_attention_mask": .null,
    "use_transformer_engine_full_layer_spec": .bool(false),
    "yarn_beta_fast": .null,
    "yarn_beta_slow": .null,
    "yarn_correction_range_round_to_int": .null,
    "yarn_mscale": .null,
    "yarn_mscale_all_dim": .null,
    "yarn_original_max_position_embeddings": .null,
    "yarn_rotary_scaling_factor": .null,
  ]

  /// What the providers of Gemma's models add to those.
  static let scaled: KeyValuePairs<String, JSON> = ["attention_backend": flash]
  static let alternating: KeyValuePairs<String, JSON> = [
    "attention_backend": flash,
    "gradient_accumulation_fusion": .bool(false),
    "is_vision_language": .bool(false),
    "transformer_layer_spec": function("gemma.gemma3_provider.gemma3_layer_spec"),
  ]
  static let capped: KeyValuePairs<String, JSON> = [
    "transformer_layer_spec": function("gemma.gemma2_provider.gemma2_layer_spec")
  ]

  /// What the provider of latent attention adds to those of GPT models, and where it differs.
  static let latent: KeyValuePairs<String, JSON> = [
    "beta_fast": .integer(32),
    "beta_slow": .integer(1),
    "bias_activation_fusion": .bool(true),
    "bias_dropout_fusion": .bool(true),
    "cache_mla_latents": .bool(false),
    "cross_entropy_fusion_impl": .string("te"),
    "deallocate_pipeline_outputs": .bool(false),
    "mla_down_proj_fusion": .bool(false),
    "moe_router_pre_softmax": .bool(true),
    "mscale": .number(1),
    "original_max_position_embeddings": .integer(4096),
    "persist_layer_norm": .bool(true),
    "rope_type": .string("yarn"),
    "transformer_layer_spec": mixedLayers,
  ]

  /// What the provider of hybrid models adds, and where it differs.
  static let hybrid: KeyValuePairs<String, JSON> = [
    "apply_rope_fusion": .bool(true),
    "attention_backend": flash,
    "bias_dropout_fusion": .bool(true),
    "first_last_layers_bf16": .bool(true),
    "hybrid_attention_ratio": .number(0),
    "hybrid_mlp_ratio": .number(0),
    "hybrid_override_pattern": .null,
    "hybrid_stack_spec": .null,
    "keep_mtp_spec_in_bf16": .bool(false),
    "mamba_chunk_size": .integer(128),
    "persist_layer_norm": .bool(true),
    "rotary_base": .number(10_000),
  ]

  /// Keys that layers set where they have something to say.
  static let unsaid: KeyValuePairs<String, JSON> = [
    "add_bias_linear": .bool(false),
    "add_qkv_bias": .bool(false),
    "kv_channels": .null,
    "layernorm_zero_centered_gamma": .bool(false),
    "num_attention_heads": .integer(1),
    "num_query_groups": .null,
    "position_embedding_type": .string("none"),
    "qk_layernorm": .bool(false),
    "rotary_base": .number(10_000),
    "rotary_interleaved": .bool(false),
    "rotary_percent": .number(1),
    "seq_length": .integer(1024),
  ]

  /// What the provider of blocks that differ from each other adds to those of GPT models.
  static let heterogeneous: KeyValuePairs<String, JSON> = [
    "heterogeneous_block_specs": .bool(true),
    "heterogeneous_layers_config_path": .null,
    "transformer_layer_spec": function(
      "llama_nemotron.llama_nemotron_provider.heterogeneous_layer_spec"),
  ]

  /// Layers built one by one, as dense and expert layers in one model need it.
  static let mixedLayers = JSON.object(
    JSONObject([
      "_args_": .array([]), "_partial_": .bool(true),
      "_target_": .string(
        "megatron.core.models.gpt.gpt_layer_specs.get_gpt_decoder_block_spec"),
      "use_transformer_engine": .bool(true),
    ]))

  /// Layers built one by one, some with another kind of attention.
  static let attentionVariants = JSON.object(
    JSONObject([
      "_call_": .bool(false),
      "_target_": .string(
        "megatron.core.models.gpt.experimental_attention_variant_module_specs."
          + "get_transformer_block_with_experimental_attention_variant_spec"),
    ]))

  /// Layers of experts whose attention norms all heads of a token together: the first only where each
  /// query head has a key head of its own.
  static let wideNormLayers = function("olmoe.olmoe_provider.olmoe_layer_spec")
  static let groupedWideNormLayers = function(
    "minimax_m2.minimax_m2_provider.minimax_m2_layer_spec")

  /// Layers whose norms are on their outputs.
  static let outputNorms = function("exaone.exaone4.exaone4_provider.exaone4_layer_spec")

  private static let flash = JSON.object(
    JSONObject([
      "_args_": .array([.integer(1)]), "_call_": .bool(true), "_name_": .string("flash"),
      "_target_": .string("megatron.core.transformer.enums.AttnBackend"),
    ]))

  /// A function of Bridge's models, not called.
  static func function(_ name: String) -> JSON {
    .object(
      JSONObject([
        "_call_": .bool(false), "_target_": .string("megatron.bridge.models." + name),
      ]))
  }

  /// All keys of a provider before any layer is asked.
  static func values(of provider: MegatronArguments.Provider) -> [String: JSON] {
    var values: [String: JSON] = [:]
    for key in off { values[key] = .bool(false) }
    for key in on { values[key] = .bool(true) }
    for key in none { values[key] = .null }
    func add(_ pairs: KeyValuePairs<String, JSON>) {
      for (key, value) in pairs { values[key] = value }
    }
    add(other)
    add(unsaid)
    switch provider {
    case .plain: add(gpt)
    case .scaled:
      add(gpt)
      add(scaled)
    case .alternating:
      add(gpt)
      add(alternating)
    case .capped:
      add(gpt)
      add(capped)
    case .latent:
      add(gpt)
      add(latent)
    case .hybrid: add(hybrid)
    case .heterogeneous:
      add(gpt)
      add(heterogeneous)
    case .sideBySide:
      add(sideBySide)
      for key in absentBeside { values[key] = nil }
    }
    return values
  }
}
