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
  ]

  /// Keys of Bridge 0.3.1's providers, of `model.` settings of its recipes, and of ours that no layer decides and
  /// `MegatronDefaults` does not list.
  static let ignored = [
    "_pg_collection", "async_tensor_model_parallel_allreduce", "attention_backend",
    "autocast_dtype", "bias_dropout_add_fusion", "cuda_graph_modules", "cuda_graph_scope",
    "deterministic_mode", "enable_autocast", "embedding_init_method", "embedding_init_method_std",
    "gradient_accumulation_fusion", "hf_model_revision", "inference_cuda_graph_scope",
    "init_method", "moe_deepep_num_sms", "output_layer_init_method", "pipeline_dtype",
    "te_rng_tracker", "use_cpu_initialization", "use_transformer_engine_full_layer_spec",
  ]
}
