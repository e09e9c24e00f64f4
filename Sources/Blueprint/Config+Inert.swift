extension Config {
  /// Keys of published configurations that never change what a decoder computes when it evaluates.
  ///
  /// Tokens and text, how a model was saved or is served, dropout and other training-only settings.
  static let inert: Set<String> = [
    // Identity and provenance.
    "_name_or_path", "architectures", "auto_map", "model_type", "transformers_version",
    "torch_dtype",
    "dtype", "_from_model_config", "_commit_hash", "unsloth_version", "unsloth_fixed",
    "finetuning_task", "task_specific_params", "tokenizer_class", "custom_pipelines",
    // Tokens.
    "bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "cls_token_id",
    "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id", "prefix",
    "model_max_length",
    // Serving.
    "use_cache", "cache_implementation", "return_dict", "output_hidden_states", "output_attentions",
    "_attn_implementation", "_attn_implementation_autoset", "attn_implementation",
    "use_flash_attention", "pretraining_tp", "tensor_parallel", "ep_size", "num_logits_to_keep",
    "torchscript", "use_bfloat16", "gradient_checkpointing", "is_encoder_decoder", "is_decoder",
    "use_mamba_kernels", "mamba_ssm_cache_dtype", "chunk_size_feed_forward", "tf_legacy_loss",
    // Generation defaults of older files.
    "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups",
    "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty",
    "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids",
    "num_return_sequences", "output_scores", "return_dict_in_generate", "remove_invalid_values",
    "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
    // Other heads on the same trunk.
    "id2label", "label2id", "problem_type", "classifier_dropout", "num_labels", "pruned_heads",
    "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
    "summary_use_proj",
    // Training only.
    "initializer_range", "attention_dropout", "hidden_dropout", "dropout",
    "attention_probs_dropout_prob", "hidden_dropout_prob", "resid_pdrop",
    "embd_pdrop", "attn_pdrop", "embed_dropout", "resid_dropout", "residual_dropout",
    "output_router_logits", "router_aux_loss_coef", "aux_loss_alpha",
    "seq_aux", "router_z_loss_coef", "router_jitter_noise", "rescale_prenorm_residual",
    "time_step_floor", "time_step_min", "time_step_max",
  ]
}
