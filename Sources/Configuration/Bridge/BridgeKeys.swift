/// Keys of Megatron-Bridge that can have no effect on one machine without a GPU, section by section: how several
/// processes talk, how a GPU's kernels are chosen, what is measured of them.
///
/// Of Megatron-Bridge 0.3.1 and 0.6.0 with Megatron-Core 0.16.1. Keys of the model lie in Blueprint's
/// `MegatronDefaults`.
enum BridgeKeys {
  /// Sections of which nothing has an effect.
  static let sections: [String: [String]] = [
    "ddp": [
      "fp4_param_gather", "fsdp_all_gather_in_start_param_sync",
      "fsdp_db_use_persist_buf_on_alloc_fail", "megatron_fsdp_cuda_graph_mode",
      "megatron_fsdp_enable_fine_grained_param_gather", "megatron_fsdp_grad_comm_dtype",
      "megatron_fsdp_main_grads_dtype", "megatron_fsdp_main_params_dtype",
      "megatron_fsdp_max_pool_double_buffer", "megatron_fsdp_use_decoupled_grad", "num_buckets",
      "param_name_patterns_for_fp32_local_accumulation",
      "align_param_gather", "average_in_collective", "bucket_size", "check_for_large_grads",
      "check_for_nan_in_grad", "data_parallel_sharding_strategy", "delay_wgrad_compute",
      "disable_symmetric_registration", "fp8_param_gather", "fsdp_double_buffer",
      "fsdp_manual_registration", "grad_reduce_in_fp32", "gradient_reduce_div_fusion",
      "keep_fp8_transpose_cache", "nccl_ub", "num_distributed_optimizer_instances",
      "outer_dp_sharding_strategy", "overlap_grad_reduce", "overlap_param_gather",
      "pad_buckets_for_high_nccl_busbw", "preserve_fp32_weights",
      "reduce_scatter_with_fp32_accumulation", "reuse_grad_buf_for_mxfp8_param_ag",
      "suggested_communication_unit_size", "use_custom_fsdp", "use_distributed_optimizer",
      "use_megatron_fsdp",
    ],
    "dist": [
      "eval_context_parallel_size", "flight_recorder_dump_on_timeout", "flight_recorder_dump_path",
      "flight_recorder_extra_dump_on_exec", "flight_recorder_include_only_active",
      "flight_recorder_include_stack_trace", "flight_recorder_trace_buffer_size", "lazy_mpu_init",
      "align_grad_reduce", "disable_jit_fuser", "distributed_backend",
      "distributed_timeout_minutes", "distributed_timeout_seconds_after_init",
      "enable_megatron_core_experimental", "external_gpu_device_mapping",
      "high_priority_stream_groups", "lazy_init", "local_rank", "nccl_communicator_config_path",
      "sharp_enabled_group", "use_decentralized_pg", "use_gloo_process_groups",
      "use_megatron_fsdp", "use_sharp", "use_torch_fsdp2", "use_tp_pp_dp_mapping",
    ],
    "rerun_state_machine": [
      "check_for_nan_in_loss", "check_for_spiky_loss", "error_injection_rate",
      "error_injection_type", "rerun_mode", "spiky_loss_factor",
    ],
    "profiling": [
      "memory_snapshot_path", "nvtx_ranges", "profile_ranks", "profile_step_end",
      "profile_step_start", "pytorch_profiler_collect_callstack",
      "pytorch_profiler_collect_chakra", "pytorch_profiler_collect_shapes",
      "record_memory_history", "record_shapes", "use_nsys_profiler", "use_pytorch_profiler",
    ],
    "tensor_inspect": [
      "enabled", "feature_dirs", "features", "init_training_step", "log_dir",
    ],
    "ft": [
      "calc_ft_timeouts", "enable_ft_package", "simulate_fault", "simulated_fault_base_delay",
      "simulated_fault_rank", "simulated_fault_type",
    ],
    "straggler": [
      "disable_straggler_on_startup", "enable_straggler_on_startup", "log_straggler",
      "straggler_ctrlr_port", "straggler_minmax_count",
    ],
    "nvrx_straggler": [
      "calc_individual_gpu_perf", "calc_relative_gpu_perf", "enable_logging", "enabled",
      "gpu_individual_perf_threshold", "gpu_relative_perf_threshold", "logger_name",
      "num_gpu_perf_scores_to_print", "profiling_interval", "report_time_interval",
      "stop_if_detected",
    ],
    "inprocess_restart": [
      "active_world_size", "barrier_timeout", "completion_timeout", "empty_cuda_cache", "enabled",
      "granularity", "hard_timeout", "heartbeat_interval", "heartbeat_timeout", "last_call_wait",
      "max_iterations", "max_rank_faults", "monitor_process_interval", "monitor_process_logdir",
      "monitor_thread_interval", "progress_watchdog_interval", "soft_timeout",
      "termination_grace_time",
    ],
    "comm_overlap": [
      "align_param_gather", "batch_p2p_comm", "bucket_size", "data_parallel_size",
      "defer_embedding_wgrad_compute", "delay_wgrad_compute", "overlap_grad_reduce",
      "overlap_moe_expert_parallel_comm", "overlap_p2p_comm", "overlap_param_gather",
      "overlap_param_gather_with_optimizer_step", "tp_comm_bootstrap_backend", "tp_comm_overlap",
      "tp_comm_overlap_cfg", "wgrad_deferral_limit",
    ],
    "optimizer_config_override_provider": [],
  ]

  static let train = [
    "check_optimizer_step_success", "exit_signal_handler_for_training", "gpu_sniff_test_interval",
    "skip_sync_grad_norm_across_mp",
    "check_weight_hash_across_dp_replicas_interval", "decrease_batch_size_if_needed",
    "empty_unused_memory_level", "exit_signal", "exit_signal_handler",
    "exit_signal_handler_for_dataloader", "manual_gc", "manual_gc_eval", "manual_gc_interval",
    "train_sync_interval",
  ]

  static let validation = [
    "eval_global_batch_size", "eval_micro_batch_size", "multiple_validation_sets",
    "start_eval_at_iter", "test_mode", "validation_set_names",
  ]

  static let optimizer = [
    "adaptive_muon_beta2", "adaptive_muon_eps", "adaptive_muon_moment2_method",
    "barrier_with_L1_time", "config_logger_dir", "fp8_recipe", "hysteresis",
    "initial_loss_scale", "lion_beta1", "lion_beta2", "log_num_zeros_in_grad", "loss_scale",
    "loss_scale_window", "main_grads_dtype", "min_loss_scale", "muon_coefficient_type",
    "muon_extra_scale_factor", "muon_fp32_matmul_prec", "muon_momentum", "muon_nesterov",
    "muon_num_ns_steps", "muon_scalar_optimizer", "muon_scale_mode", "muon_split_qkv",
    "muon_tp_mode", "muon_use_nesterov", "optimizer_cpu_offload", "optimizer_cuda_graph",
    "optimizer_offload_fraction", "overlap_cpu_optimizer_d2h_h2d", "overlap_param_gather",
    "overlap_param_gather_with_optimizer_step", "params_dtype", "pin_cpu_grads",
    "pin_cpu_params", "reuse_grad_buf_for_mxfp8_param_ag", "sgd_momentum",
    "soap_precondition_frequency", "soap_shampoo_beta", "soap_use_kl_shampoo",
    "store_param_remainders", "timers", "use_distributed_optimizer",
    "use_layer_wise_distributed_optimizer", "use_precision_aware_optimizer",
    "use_torch_optimizer_for_cpu_offload", "bf16",
  ]

  static let scheduler = [
    "lr_decay_steps", "lr_warmup_steps", "no_wd_decay_cond_type", "override_opt_param_scheduler",
    "use_checkpoint_opt_param_scheduler", "wd_incr_steps", "wsd_decay_steps",
  ]

  static let rng = [
    "data_parallel_random_init", "inference_rng_tracker", "te_rng_tracker",
  ]

  static let checkpoint = [
    "async_ckpt_cpu_priority", "async_ckpt_io_priority", "async_ckpt_use_cpu_shm", "async_save",
    "async_strategy", "async_write_results_mp_mode", "auto_detect_ckpt_format",
    "ckpt_assume_constant_structure", "ckpt_convert_format", "ckpt_convert_save",
    "ckpt_convert_update_legacy_dist_opt_format", "ckpt_fully_parallel_load_exchange_algo",
    "ckpt_fully_parallel_load_process_group", "ckpt_fully_parallel_save_process_group",
    "ckpt_load_validate_sharding_integrity", "custom_manager_class",
    "dist_ckpt_optim_fully_reshardable", "dist_ckpt_save_pre_mcore_014", "dist_ckpt_strictness",
    "dist_ckpt_workers", "distrib_optim_fully_reshardable_mem_efficient",
    "exit_on_missing_checkpoint", "fully_parallel_load", "fully_parallel_save",
    "hf_distributed_save", "hf_save_every_n_ranks", "hf_source_path", "hf_trust_remote_code",
    "load_main_params_from_ckpt", "non_persistent_ckpt_type", "non_persistent_global_ckpt_dir",
    "non_persistent_local_ckpt_algo", "non_persistent_local_ckpt_dir",
    "non_persistent_save_interval", "replication", "replication_factor", "replication_jump",
    "save_activations_interval", "save_dgrads_interval", "save_params_interval",
    "save_retain_interval", "save_tokenizer_assets", "save_tokens_per_expert_interval",
    "save_wgrads_interval", "storage_writers_per_rank", "strict_fsdp_dtensor_load",
    "use_checkpoint_args", "use_mp_args_from_checkpoint_args", "use_persistent_ckpt_worker",
    "use_tokenizer_model_from_checkpoint_args", "verify_integrity",
  ]

  static let logger = [
    "barrier_with_L1_time", "comet_api_key", "comet_experiment_name", "comet_project",
    "comet_tags", "comet_workspace", "filter_warnings", "log_device_memory_used", "log_energy",
    "log_l2_norm_grad_to_tensorboard",
    "log_max_attention_logit", "log_memory_interval",
    "log_num_zeros_in_grad", "log_params_norm", "log_progress",
    "log_throughput",
    "logging_level", "memory_keys", "mlflow_description",
    "mlflow_log_artifacts", "modules_to_filter", "moe_routing_trace_capture_hidden_states",
    "moe_routing_trace_capture_logits", "moe_routing_trace_dump_weights",
    "moe_routing_trace_max_training_iters", "moe_routing_trace_path", "runtime_time_unit",
    "save_config_filepath", "set_level_for_all_loggers", "skip_train_metrics_log",
    "tensorboard_queue_size", "throughput_window_size", "timing_log_level", "timing_log_option",
  ]

  static let peft = [
    "a2a_experimental", "canonical_mapping", "params_to_save",
    "sequence_parallel_input_regather",
  ]

  /// Of data sets, of either kind.
  static let dataset = [
    "dataloader_load", "dataloader_save", "hf_output_root", "hf_rewrite", "hf_test_dataset",
    "hf_validation_dataset", "preprocessing",
    "allow_ambiguous_pad_tokens", "context_parallel_size", "create_attention_mask",
    "data_parallel_size", "data_sharding", "dataset_dict", "dataset_subset", "defer_npy_index_mmap",
    "delete_raw", "do_test", "download_mode", "fast_cache_load", "hf_filter_lambda",
    "hf_filter_lambda_kwargs", "hf_kwargs", "hybrid_context_parallel", "memmap_workers",
    "mmap_bin_files", "num_dataset_builder_threads", "num_workers", "object_storage_cache_path",
    "per_dataset_sequences_path", "persistent_workers", "pin_memory", "process_example_fn",
    "rewrite", "sequence_parallel_size", "sequences_per_dataset",
    "skip_getting_attention_mask_from_dataset", "split_matrix", "token_dtype_code", "tokenizer",
    "trust_remote_code",
  ]

  static let tokenizer = [
    "chat_template_path", "force_system_message", "hf_tokenizer_kwargs", "image_tag_type",
    "legacy_tokenizer", "make_vocab_size_divisible_by", "merge_file", "metadata_path",
    "null_tokenizer_eod_id", "null_tokenizer_pad_id", "pad_vocab_size", "padded_vocab_size",
    "rank", "sp_tokenizer_kwargs", "special_tokens", "tensor_model_parallel_size",
    "tiktoken_num_special_tokens", "tiktoken_special_tokens",
    "tokenizer_hf_no_include_special_tokens",
    "tokenizer_hf_no_use_fast", "tokenizer_prompt_format",
    "tokenizer_sentencepiece_ignore_extra_whitespaces", "tokenizer_sentencepiece_legacy",
    "trust_remote_code", "use_tokenizer_vocab_size", "vocab_extra_ids", "vocab_file",
  ]

  static let mixedPrecision = [
    "autocast_dtype", "autocast_enabled", "first_last_layers_bf16", "fp4_recipe",
    "fp8_amax_compute_algo", "fp8_amax_history_len", "fp8_dot_product_attention", "fp8_margin",
    "fp8_multi_head_attention", "fp8_param", "fp8_param_gather", "fp8_recipe", "fp8_wgrad",
    "grad_reduce_in_fp32", "hysteresis", "initial_loss_scale", "loss_scale",
    "loss_scale_window", "min_loss_scale", "num_layers_at_end_in_bf16",
    "num_layers_at_start_in_bf16", "pipeline_dtype", "reuse_grad_buf_for_mxfp8_param_ag",
  ]
}
