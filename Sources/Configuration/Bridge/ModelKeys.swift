/// Megatron's keys of a model's shape, and what config.json files call them.
struct ModelKey: Sendable {
  var megatron: String
  /// The spellings of published configurations; the first one that a configuration has is meant.
  var published: [String]
  var kind = Kind.integer

  enum Kind: Sendable {
    case integer, number, flag, text
  }

  init(_ megatron: String, _ published: String..., kind: Kind = .integer) {
    self.megatron = megatron
    self.published = published
    self.kind = kind
  }

  static let all: [ModelKey] = [
    ModelKey("num_layers", "num_hidden_layers", "n_layer", "num_layers"),
    ModelKey("hidden_size", "hidden_size", "n_embd", "d_model"),
    ModelKey(
      "ffn_hidden_size", "intermediate_size", "ff_intermediate_size", "n_inner", "ffn_hidden_size"),
    ModelKey("num_attention_heads", "num_attention_heads", "n_head"),
    ModelKey("num_query_groups", "num_key_value_heads", "num_kv_heads", "multi_query_group_num"),
    ModelKey("kv_channels", "head_dim", "attention_head_dim"),
    ModelKey("vocab_size", "vocab_size", "padded_vocab_size"),
    ModelKey("num_moe_experts", "num_local_experts", "n_routed_experts", "num_experts"),
    ModelKey("moe_router_topk", "num_experts_per_tok", "moe_topk"),
    ModelKey("moe_ffn_hidden_size", "moe_intermediate_size", "intermediate_size"),
    ModelKey(
      "moe_shared_expert_intermediate_size", "moe_shared_expert_intermediate_size",
      "shared_expert_intermediate_size"),
    ModelKey("moe_router_num_groups", "n_group"),
    ModelKey("moe_router_group_topk", "topk_group"),
    ModelKey("moe_router_topk_scaling_factor", "routed_scaling_factor", kind: .number),
    ModelKey("mamba_num_heads", "mamba_num_heads", "mamba_n_heads"),
    ModelKey("mamba_head_dim", "mamba_head_dim", "mamba_d_head"),
    ModelKey("mamba_state_dim", "ssm_state_size", "mamba_d_state"),
    ModelKey("mamba_num_groups", "n_groups", "mamba_n_groups"),
    ModelKey("hybrid_override_pattern", "hybrid_override_pattern", kind: .text),
    ModelKey("hybrid_layer_pattern", "hybrid_override_pattern", kind: .text),
    ModelKey("rotary_base", "rope_theta", kind: .number),
    ModelKey("rotary_percent", "partial_rotary_factor", kind: .number),
    ModelKey(
      "layernorm_epsilon", "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon",
      "norm_eps", "layernorm_epsilon", kind: .number),
    ModelKey("share_embeddings_and_output_weights", "tie_word_embeddings", kind: .flag),
    ModelKey("init_method_std", "initializer_range", kind: .number),
    ModelKey("q_lora_rank", "q_lora_rank"),
    ModelKey("kv_lora_rank", "kv_lora_rank"),
    ModelKey("qk_head_dim", "qk_nope_head_dim"),
    ModelKey("qk_pos_emb_head_dim", "qk_rope_head_dim"),
    ModelKey("v_head_dim", "v_head_dim"),
    // What a model is, whatever its size: said, it must be so.
    ModelKey("normalization", kind: .text),
    ModelKey("position_embedding_type", kind: .text),
    ModelKey("add_bias_linear", kind: .flag),
    ModelKey("add_qkv_bias", kind: .flag),
    ModelKey("gated_linear_unit", kind: .flag),
    ModelKey("qk_layernorm", kind: .flag),
    ModelKey("layernorm_zero_centered_gamma", kind: .flag),
    ModelKey("multi_latent_attention", kind: .flag),
    ModelKey("rotary_interleaved", kind: .flag),
    ModelKey("moe_router_score_function", kind: .text),
    ModelKey("moe_router_enable_expert_bias", kind: .flag),
    ModelKey("moe_router_pre_softmax", kind: .flag),
  ]

  /// Keys of Bridge's providers and of Megatron-Core's configuration that `MegatronArguments.keys` does not list, and
  /// that say nothing here: the weights, or the published configuration, decide them.
  static let ignored = [
    "A_init_dist", "A_init_range", "D_has_hdim", "_pg_collection", "activation_func",
    "async_tensor_model_parallel_allreduce", "attention_backend", "attention_chunk_size",
    "attention_in_multiplier", "attention_out_multiplier", "attn_logit_softcapping",
    "autocast_dtype", "bias_dropout_add_fusion", "chunk_size", "conv_bias", "conv_init",
    "cuda_graph_modules", "cuda_graph_scope", "d_conv", "deterministic_mode", "dt_init",
    "dt_init_floor", "dt_max", "dt_min", "dt_scale", "embedding_init_method",
    "embedding_init_method_std", "embedding_multiplier", "enable_autocast", "encoder_num_layers",
    "encoder_pipeline_model_parallel_size", "expand", "expert_model_parallel_size",
    "falconh1_ratio", "falconh1_stack_spec", "final_logit_softcapping",
    "fp32_residual_connection", "freeze_language_model", "freeze_vision_model",
    "freeze_vision_projection", "gradient_accumulation_fusion",
    "heterogeneous_layers_config_encoded_json", "hf_config", "hf_model_revision",
    "image_token_id", "inference_cuda_graph_scope", "init_method", "interleaved_attn_pattern",
    "kd_config", "key_multiplier", "lm_head_multiplier", "make_vocab_size_divisible_by",
    "mamba_stack_spec", "max_position_embeddings", "microbatch_group_size_per_vp_stage",
    "mlp_multipliers", "moe_deepep_num_sms", "moe_extended_tp", "moe_use_legacy_grouped_gemm",
    "mscale_all_dim", "nope_layer_interval", "norm_before_gate", "output_layer_init_method",
    "pipeline_dtype", "pipeline_model_parallel_size", "query_pre_attn_scalar",
    "relative_attention_max_distance", "relative_attention_num_buckets", "restore_modelopt_state",
    "rmsnorm", "seq_length_dec", "ssm_in_multiplier", "ssm_multipliers", "ssm_out_multiplier",
    "te_rng_tracker", "teacher", "tensor_model_parallel_size", "use_attention",
    "use_cpu_initialization", "use_mamba", "use_mlp", "use_transformer_engine_full_layer_spec",
  ]
}
