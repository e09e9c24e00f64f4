/// Nemotron 3 Nano, as Megatron-Bridge trains it (megatron.bridge.recipes.nemotronh.nemotron_3_nano, 0.3.1).
///
/// That version sets the least rate and the warm-up of pretraining where nobody reads them; here they are where they
/// were meant.
extension Recipe {
  static let nemotronNano = Recipe(
    "nemotron_3_nano", "Nemotron 3 Nano, 31.6 billion parameters, 3.6 billion of them for a token",
    scheme: .none, isPacked: true
  ) { variant in
    if variant.purpose == .pretrain { return [pretraining, PublishedModels.nemotronNano] }
    let adapters = variant.scheme.target.map { target in
      """
      peft:
        _target_: \(target)
        target_modules: [linear_qkv, linear_proj, linear_fc1, linear_fc2, in_proj, out_proj]
        dim: 32
        alpha: \(variant.scheme == .dora ? 64 : 32)
        dropout: 0.0
        dropout_position: pre
      """
    }
    return [
      tuning(rate: adapters == nil ? "5.0e-6" : "1.0e-4"), PublishedModels.nemotronNano, adapters,
      variant.isPacked ? packs(of: 2048) : nil,
    ].compactMap { $0 }
  }

  private static let pretraining = """
    train:
      train_iters: 39735
      global_batch_size: 3072
      micro_batch_size: 2
    validation: {eval_interval: 500, eval_iters: 32}
    optimizer:
      optimizer: adam
      lr: 1.6e-3
      min_lr: 1.6e-5
      weight_decay: 0.1
      adam_beta1: 0.9
      adam_beta2: 0.95
      adam_eps: 1.0e-8
      clip_grad: 1.0
    scheduler:
      lr_decay_style: cosine
      lr_warmup_iters: 333
      start_weight_decay: 0.033
      end_weight_decay: 0.033
    dataset:
      mock: true
      seq_length: 8192
      split: 9999,8,2
      random_seed: 1234
      dataloader_type: single
    model:
      seq_length: 8192
      moe_aux_loss_coeff: 1.0e-4
      moe_router_load_balancing_type: seq_aux_loss
      tensor_model_parallel_size: 4
      pipeline_model_parallel_size: 1
      expert_model_parallel_size: 8
      expert_tensor_parallel_size: 1
      context_parallel_size: 1
      sequence_parallel: true
    mixed_precision: bf16_mixed
    checkpoint: {save_interval: 200}
    logger: {log_interval: 10}
    rng: {seed: 1234}
    """

  private static func tuning(rate: String) -> String {
    """
    train:
      train_iters: 1000
      global_batch_size: 128
      micro_batch_size: 1
    validation: {eval_interval: 500, eval_iters: 32}
    optimizer:
      optimizer: adam
      lr: \(rate)
      min_lr: 0.0
      weight_decay: 0.1
      adam_beta1: 0.9
      adam_beta2: 0.95
      adam_eps: 1.0e-8
      clip_grad: 1.0
    scheduler:
      lr_decay_style: cosine
      lr_warmup_iters: 50
      start_weight_decay: 0.1
      end_weight_decay: 0.1
    dataset:
      dataset_name: squad
      seq_length: 2048
      seed: 5678
      val_proportion: 0.1
      dataloader_type: batch
    model:
      seq_length: 2048
      calculate_per_token_loss: true
      moe_aux_loss_coeff: 1.0e-4
      moe_router_load_balancing_type: seq_aux_loss
      tensor_model_parallel_size: 1
      pipeline_model_parallel_size: 1
      expert_model_parallel_size: 8
      expert_tensor_parallel_size: 1
      context_parallel_size: 1
      sequence_parallel: false
    mixed_precision: bf16_mixed
    checkpoint: {save_interval: 200}
    logger: {log_interval: 10}
    rng: {seed: 1234}
    """
  }
}
