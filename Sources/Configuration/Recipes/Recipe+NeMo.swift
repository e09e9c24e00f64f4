/// The recipes of NeMo 2.0 (nemo.collections.llm.recipes, 2.4.0): how they train, and which models they are of.
///
/// Two of Phi-3's NeMo lists and does not have; they are trained as the one it has.
extension Recipe {
  /// How many GPUs a recipe is meant for: of no effect here but in what is written of a run.
  struct Layout {
    var tensor = 1
    var pipeline = 1
    var interleaved: Int?
    var context = 1
    var isSequenceParallel = false

    var yaml: String {
      """
      model:
        tensor_model_parallel_size: \(tensor)
        pipeline_model_parallel_size: \(pipeline)
        virtual_pipeline_model_parallel_size: \(interleaved.map(String.init) ?? "null")
        context_parallel_size: \(context)
        sequence_parallel: \(isSequenceParallel)
      """
    }
  }

  /// What tells a recipe from the others.
  private struct Plan {
    var rank = 8
    var alpha = 16
    /// The tokens of a sample of pretraining.
    var length = 8192
    var pretraining = Layout()
    var tuning = Layout()
    var adapting = Layout()
    /// The global batch of fine-tuning, and the tokens of a sample there, where they are not the common ones.
    var batch: Int?
    var tuningLength: Int?
  }

  static let nemo: [Recipe] = [
    of(
      "phi3_mini_4k_instruct", "Phi-3 mini, 3.8 billion parameters, 4,096 positions",
      PublishedModels.phi3Mini4k, Plan(length: 4096)),
    of(
      "phi3_mini_128k_instruct", "Phi-3 mini, 3.8 billion parameters, 131,072 positions",
      PublishedModels.phi3Mini128k, Plan(length: 4096)),
    of(
      "phi3_small_8k_instruct", "Phi-3 small, 7.4 billion parameters, 8,192 positions",
      PublishedModels.phi3Small8k, Plan(length: 8192)),
    of(
      "llama3_8b", "Llama 3, 8 billion parameters", PublishedModels.llama3(.eight),
      Plan(pretraining: Layout(context: 2), tuning: Layout(tensor: 2))),
    of(
      "llama3_70b", "Llama 3, 71 billion parameters", PublishedModels.llama3(.seventy), seventy),
    of(
      "llama31_8b", "Llama 3.1, 8 billion parameters", PublishedModels.llama31(.eight),
      Plan(pretraining: Layout(context: 2), tuning: Layout(tensor: 2))),
    of(
      "llama31_70b", "Llama 3.1, 71 billion parameters", PublishedModels.llama31(.seventy), seventy),
    of(
      "llama31_405b", "Llama 3.1, 406 billion parameters",
      PublishedModels.llama31(.fourHundred),
      Plan(
        rank: 16, alpha: 32,
        pretraining: Layout(
          tensor: 8, pipeline: 8, interleaved: 2, context: 4, isSequenceParallel: true),
        tuning: Layout(tensor: 8, pipeline: 14),
        adapting: Layout(tensor: 4, pipeline: 6, interleaved: 7), batch: 6, tuningLength: 2048)),
    of("llama32_1b", "Llama 3.2, 1.2 billion parameters", PublishedModels.llama32, Plan()),
  ]

  private static let seventy = Plan(
    rank: 16, alpha: 32,
    pretraining: Layout(
      tensor: 4, pipeline: 4, interleaved: 5, context: 2, isSequenceParallel: true),
    tuning: Layout(tensor: 8, pipeline: 4), adapting: Layout(tensor: 8))

  private static func of(
    _ name: String, _ summary: String, _ model: String, _ plan: Plan
  ) -> Recipe {
    Recipe(name, summary) { variant in
      if variant.purpose == .pretrain {
        return [pretraining(length: plan.length), plan.pretraining.yaml, model]
      }
      let length = plan.tuningLength ?? (variant.isPacked ? 4096 : 2048)
      let batch = plan.batch ?? (variant.isPacked ? 8 : 128)
      let adapters = variant.scheme.target.map { target in
        "peft: {_target_: \(target), dim: \(plan.rank), alpha: \(plan.alpha)}"
      }
      return [
        tuning(length: length, batch: batch, rate: adapters == nil ? "5.0e-6" : "1.0e-4"),
        adapters == nil ? plan.tuning.yaml : plan.adapting.yaml, model, adapters,
        variant.isPacked ? packs(of: length) : nil,
      ].compactMap { $0 }
    }
  }

  /// Packs of so many tokens.
  static func packs(of length: Int) -> String {
    """
    dataset:
      dataset_kwargs: {pad_to_max_length: true}
      packed_sequence_specs: {packed_sequence_size: \(length)}
    """
  }

  /// Of all models of NeMo's: mock data unless there are others.
  private static func pretraining(length: Int) -> String {
    """
    train:
      train_iters: 1168251
      global_batch_size: 512
      micro_batch_size: 1
    validation: {eval_interval: 2000, eval_iters: 32}
    optimizer:
      optimizer: adam
      lr: 3.0e-4
      min_lr: 3.0e-5
      weight_decay: 0.1
      adam_beta1: 0.9
      adam_beta2: 0.95
      adam_eps: 1.0e-5
      clip_grad: 1.0
    scheduler: {lr_decay_style: cosine, lr_warmup_iters: 2000}
    dataset:
      mock: true
      seq_length: \(length)
      split: 900,50,50
      random_seed: 1234
      dataloader_type: single
    model: {seq_length: \(length)}
    mixed_precision: bf16_mixed
    checkpoint: {save_interval: 2000, most_recent_k: 10}
    logger: {log_interval: 10}
    rng: {seed: 1234}
    """
  }

  /// Of all models of NeMo's: SQuAD unless there are other data.
  ///
  /// NeMo draws samples at random; here each epoch has an order of its own.
  private static func tuning(length: Int, batch: Int, rate: String) -> String {
    """
    train:
      train_iters: 1000
      global_batch_size: \(batch)
      micro_batch_size: 1
    validation: {eval_interval: 30, eval_iters: 32}
    optimizer:
      optimizer: adam
      lr: \(rate)
      min_lr: 0.0
      weight_decay: 0.1
      adam_beta1: 0.9
      adam_beta2: 0.98
      adam_eps: 1.0e-5
      clip_grad: 1.0
    scheduler: {lr_decay_style: cosine, lr_warmup_iters: 50}
    dataset:
      dataset_name: squad
      seq_length: \(length)
      seed: 1234
      val_proportion: 0.05
      dataloader_type: cyclic
    model: {seq_length: \(length)}
    mixed_precision: bf16_mixed
    checkpoint: {save_interval: 50, most_recent_k: 2}
    logger: {log_interval: 1}
    rng: {seed: 1234}
    """
  }
}

extension AdapterScheme {
  /// The class that Megatron-Bridge has for it; `nil` for none.
  var target: String? {
    switch self {
    case .none: nil
    case .lora: "megatron.bridge.peft.lora.LoRA"
    case .dora: "megatron.bridge.peft.dora.DoRA"
    }
  }
}
