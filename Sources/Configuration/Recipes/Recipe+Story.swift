/// A recipe of our own: a small model that learns to write in minutes, from files of text.
extension Recipe {
  static let story = Recipe(
    "story_3m", "a Llama of 3 million parameters that learns from your texts in minutes",
    scheme: .none, purposes: [.pretrain], unknownSizes: ["model.vocab_size=2048"]
  ) { _ in
    [
      """
      # The tokenizer's vocabulary is the model's: --tokenizer DIR. Texts: --data FILE.jsonl.
      train:
        train_iters: 1000
        global_batch_size: 16
        micro_batch_size: 16
      validation: {eval_interval: 100, eval_iters: 4}
      optimizer:
        optimizer: adam
        lr: 2.0e-3
        min_lr: 1.0e-4
        weight_decay: 0.1
        adam_beta1: 0.9
        adam_beta2: 0.95
        adam_eps: 1.0e-8
        clip_grad: 1.0
      scheduler: {lr_decay_style: cosine, lr_warmup_iters: 100}
      dataset:
        seq_length: 256
        val_proportion: 0.02
        seed: 1234
      model:
        seq_length: 256
        calculate_per_token_loss: true
        config:
          architectures: [LlamaForCausalLM]
          model_type: llama
          hidden_act: silu
          hidden_size: 192
          initializer_range: 0.02
          intermediate_size: 512
          max_position_embeddings: 1024
          num_attention_heads: 6
          num_hidden_layers: 6
          num_key_value_heads: 3
          rms_norm_eps: 1.0e-5
          rope_theta: 10000.0
          tie_word_embeddings: true
      mixed_precision: bf16_mixed
      checkpoint: {save_interval: 250, most_recent_k: 2}
      logger: {log_interval: 10}
      rng: {seed: 1234}
      """
    ]
  }
}
