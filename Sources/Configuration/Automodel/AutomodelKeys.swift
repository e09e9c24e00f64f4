/// Keys of Automodel that can have no effect on one machine without a GPU, and sections that ask for what is not done.
enum AutomodelKeys {
  static let distributed = [
    "activation_checkpointing_scope", "autocast_dtype", "backend", "broadcast_buffers",
    "bucket_cap_mb", "cp_size", "defer_fsdp_grad_sync", "dp_replicate_size", "dp_size",
    "enable_async_tensor_parallel", "enable_compile", "enable_fsdp2_prefetch", "ep_size",
    "find_unused_parameters", "fsdp2_backward_prefetch_depth", "fsdp2_forward_prefetch_depth",
    "gradient_as_bucket_view", "megatron_fsdp_unit_modules", "moe", "mp_policy", "multimodal",
    "offload_policy", "patch_is_packed_sequence", "pipeline", "pp_size", "reshard_after_forward",
    "sequence_parallel", "static_graph", "strategy", "tp_plan", "tp_size", "use_hf_tp_plan",
    "zero_dp_strategy", "init_fsdp_with_meta_device", "grad_reduce_in_fp32",
    "preserve_fp32_weights", "overlap_grad_reduce", "overlap_param_gather",
    "check_for_nan_in_grad", "report_nan_in_param_grad", "average_in_collective",
    "disable_bucketing", "calculate_per_token_loss", "keep_fp8_transpose_cache", "nccl_ub",
    "fsdp_double_buffer",
  ]

  /// Sections of which nothing has an effect.
  static let sections: [String: [String]] = [
    "dist_env": ["backend", "timeout_minutes", "timeout"],
    "compile": [
      "mode", "fullgraph", "dynamic", "backend", "options", "dynamo_cache_size_limit",
    ],
  ]

  /// The same, whatever stands in them.
  static let ignoredSections = [
    "autonvtx", "autopipeline", "benchmark", "ci", "comet", "distributed_config",
    "embedding_row_repair", "mfu", "moe_metrics", "nemo_run", "nvtx", "parallelizer", "prewarm",
    "skypilot", "slurm", "tool_call_eval",
  ]

  static let losses: Set<String> = [
    "MaskedCrossEntropy", "FusedLinearCrossEntropy", "FusedLinearCE", "ChunkedCrossEntropy",
    "ChunkedCE", "TEParallelCrossEntropy", "TEParallelCE", "MaskedCrossEntropyLoss",
  ]

  static let refused: KeyValuePairs<String, String> = [
    "quantization": "Weights in 4 or 8 bits are not trained on here.",
    "fp8": "Numbers of 8 bits are not computed here.",
    "qat": "Training for quantised weights is not done here.",
    "neftune": "Noise on embeddings is not done here.",
    "freeze_config":
      "Parts of a model are not frozen here; adapters (peft) leave all of it as it is.",
    "mtp": "Predicting several tokens is not trained here.",
    "domain_mixture": "Mixtures of domains are not done here.",
    "longalign": "Batches by length are not done here.",
    "teacher_model": "Learning from another model is not done here.",
  ]

  static let model = [
    "attn_implementation", "backend", "force_hf", "is_meta_device", "kda_mode", "load_base_model",
    "output_hidden_states", "trust_remote_code", "use_cache", "use_liger_kernel",
    "use_sdpa_patching", "sdpa_method", "device_map", "low_cpu_mem_usage",
    "mtp_loss_scaling_factor", "mtp_use_repeated_layer", "num_nextn_predict_layers",
  ]

  static let optimiser = [
    "bias_correction", "capturable", "differentiable", "foreach", "fused", "master_weight_bits",
    "master_weights", "maximize", "store_param_remainders",
  ]

  static let checkpoint = [
    "allow_legacy_pickle_restore", "best_metric_key", "consolidation_timeout_minutes",
    "cpu_offload", "dequantize_base_checkpoint", "diffusers_compatible", "is_async", "is_peft",
    "legacy_paramwrapper_layout", "model_cache_dir", "model_repo_id", "model_save_format",
    "model_state_dict_keys", "original_model_root_dir", "single_rank_consolidation",
    "skip_task_head_prefixes_for_base_model", "staging_dir", "v4_compatible", "wait_for_staging",
  ]

  static let loader = [
    "batch_size", "collate_fn", "group_by_length", "num_workers", "persistent_workers",
    "pin_memory", "prefetch_factor", "shuffle_buffer_size",
  ]
}
