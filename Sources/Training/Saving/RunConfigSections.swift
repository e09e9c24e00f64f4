import Data
import Engine
import MegatronFormat

/// The sections of Megatron-Bridge's `run_config.yaml` that tell of the run rather than of the model, as its
/// release 0.6.0 writes them.
///
/// What the run does otherwise than by Bridge's default is said; keys of the template that mean nothing here keep
/// theirs.
struct RunConfigSections {
  let settings: RunSettings
  let schedule: Schedule
  let numbers: DTypeName
  /// The steps of the whole run, if they are known.
  let steps: Int?

  enum DTypeName: String {
    case float32, bfloat16

    var value: YAMLValue {
      .map(["_call_": .bool(false), "_target_": .string("torch.\(rawValue)")])
    }
  }

  private static let config = "megatron.bridge.training.config."

  /// Changes a configuration that holds the model, and Bridge's defaults for all else.
  func apply(to root: inout YAMLMap) {
    root["train"] = .map(train)
    root["scheduler"] = .map(scheduler)
    root["dataset"] = dataset
    root["ddp"] = .map([
      "_target_": .string(Self.config + "DistributedDataParallelConfig"),
      "average_in_collective": .bool(false), "check_for_nan_in_grad": .bool(true),
      "grad_reduce_in_fp32": .bool(true), "overlap_grad_reduce": .bool(false),
      "overlap_param_gather": .bool(false), "use_distributed_optimizer": .bool(true),
    ])
    root["dist"] = .map(["_target_": .string(Self.config + "DistributedInitConfig")])
    root["mixed_precision"] = numbers == .bfloat16 ? .string("bf16_mixed") : .null
    update(&root, "optimizer", optimizer)
    update(&root, "rng", [("seed", .integer(Int(truncatingIfNeeded: settings.seed)))])
    update(&root, "checkpoint", checkpoint)
    update(&root, "logger", [("log_interval", .integer(settings.watching.every))])
    update(&root, "validation", validation)
  }

  private func update(_ root: inout YAMLMap, _ name: String, _ values: [(String, YAMLValue)]) {
    var section = root[name]?.map ?? YAMLMap()
    for (key, value) in values { section[key] = value }
    root[name] = .map(section)
  }

  private static func optional(_ value: Int?) -> YAMLValue { value.map { .integer($0) } ?? .null }

  private var train: YAMLMap {
    [
      "_target_": .string(Self.config + "TrainingConfig"),
      "check_optimizer_step_success": .bool(true),
      "check_weight_hash_across_dp_replicas_interval": .null,
      "decrease_batch_size_if_needed": .bool(false), "empty_unused_memory_level": .integer(0),
      "eval_interval": .null, "eval_iters": .null,
      "exit_duration_in_mins": settings.length.minutes.map { .integer(Int($0.rounded(.up))) }
        ?? .null,
      "exit_interval": Self.optional(settings.length.pauseEvery),
      "exit_signal": .map([
        "_args_": .list([.integer(15)]), "_call_": .bool(true),
        "_target_": .string("signal.Signals"),
      ]),
      "exit_signal_handler": .bool(true), "exit_signal_handler_for_dataloader": .bool(false),
      "global_batch_size": .integer(settings.batch.global), "iterations_to_skip": .list([]),
      "manual_gc": .bool(false), "manual_gc_eval": .bool(true),
      "manual_gc_interval": .integer(0), "micro_batch_size": .integer(settings.batch.micro),
      "num_epochs": .null, "rampup_batch_size": .null,
      "skip_sync_grad_norm_across_mp": .bool(false),
      "skip_train": .null, "train_iters": Self.optional(steps ?? settings.length.steps),
      "train_samples": .null, "train_sync_interval": .null,
    ]
  }

  private var scheduler: YAMLMap {
    var falling: YAMLValue = .null
    var fall = Schedule.Fall.exponential
    if case .stable(let steps, let kind) = schedule.decay {
      falling = .integer(steps)
      fall = kind
    }
    return [
      "_target_": .string(Self.config + "SchedulerConfig"),
      "end_weight_decay": .number(schedule.endDecay), "lr_decay_iters": .integer(schedule.length),
      "lr_decay_samples": .null, "lr_decay_style": .string(schedule.decay.megatronName),
      "lr_warmup_fraction": .null, "lr_warmup_init": .number(schedule.firstRate),
      "lr_warmup_iters": .integer(schedule.warmUp), "lr_warmup_samples": .integer(0),
      "lr_wsd_decay_iters": falling, "lr_wsd_decay_samples": .null,
      "lr_wsd_decay_style": .string(fall.megatronName), "max_steps": .null,
      "no_weight_decay_cond_type": .null, "override_opt_param_scheduler": .bool(false),
      "start_weight_decay": .number(schedule.startDecay),
      "use_checkpoint_opt_param_scheduler": .bool(false),
      "weight_decay_incr_style": .string(schedule.growth.megatronName),
    ]
  }

  private var optimizer: [(String, YAMLValue)] {
    let adam = settings.optimiser
    return [
      ("adam_beta1", .number(adam.beta1)), ("adam_beta2", .number(adam.beta2)),
      ("adam_eps", .number(adam.eps)), ("bf16", .bool(numbers == .bfloat16)),
      ("clip_grad", .number(settings.trainer.clip ?? 0)), ("lr", .number(schedule.rate)),
      ("min_lr", .number(schedule.leastRate)), ("params_dtype", numbers.value),
      ("use_distributed_optimizer", .bool(true)),
      ("weight_decay", .number(schedule.endDecay)),
    ]
  }

  private var checkpoint: [(String, YAMLValue)] {
    let saving = settings.saving
    return [
      ("also_save_hf_checkpoint", .bool(saving.huggingFace != .never)),
      ("dist_ckpt_optim_fully_reshardable", .bool(true)),
      ("finetune", .bool(saving.startsCounting)), ("load", text(saving.load)),
      ("load_optim", .bool(saving.loadsOptimiser)), ("load_rng", .bool(saving.loadsRandomness)),
      ("most_recent_k", .integer(saving.keeps ?? -1)), ("save", text(saving.folder)),
      ("save_interval", Self.optional(saving.every)), ("save_optim", .bool(saving.keepsOptimiser)),
      ("save_rng", .bool(saving.keepsRandomness)),
    ]
  }

  private func text(_ value: String?) -> YAMLValue { value.map { .string($0) } ?? .null }

  private var validation: [(String, YAMLValue)] {
    [
      ("eval_interval", Self.optional(settings.validation.every)),
      ("eval_iters", Self.optional(settings.validation.batches)),
    ]
  }

  // MARK: Data

  private var dataset: YAMLValue {
    switch settings.data {
    case .rows(let rows):
      var section: YAMLMap = [
        "_target_": .string("megatron.bridge.data.builders.gpt_sft.GPTSFTDatasetConfig"),
        "dataloader_type": .string("batch"), "dataset_kwargs": .null,
        "dataset_root": text(rows.files.first ?? rows.dataset), "do_test": .bool(false),
        "do_validation": .bool(settings.validation.data != nil),
        "enable_offline_packing": .bool(rows.packedSize != nil), "hf_dataset": .null,
        "hf_output_root": .null, "hf_rewrite": .bool(false), "hf_test_dataset": .null,
        "hf_validation_dataset": .null, "hf_validation_proportion": .null,
        "max_train_samples": Self.optional(rows.drawn ?? rows.limit), "memmap_workers": .integer(1),
      ]
      section["offline_packing_specs"] =
        rows.packedSize.map { size in
          .map([
            "_target_": .string("megatron.bridge.data.packing.config.PackedSequenceSpecs"),
            "packed_sequence_size": .integer(size), "packed_train_data_path": .null,
            "packed_val_data_path": .null,
          ])
        } ?? .null
      section["preprocessing"] = .null
      section["seed"] = .integer(Int(truncatingIfNeeded: settings.seed))
      section["seq_length"] = Self.optional(rows.packedSize ?? rows.format.length)
      return .map(section)
    case .indexed(let plan, _):
      return .map([
        "_target_": .string(Self.config + "GPTDatasetConfig"), "blend": blend(plan),
        "random_seed": .integer(Int(plan.seed)), "seq_length": .integer(plan.length),
        "split": split(plan),
      ])
    }
  }

  private func blend(_ plan: PretrainingPlan) -> YAMLValue {
    guard case .shared(let blend, _) = plan.source else { return .null }
    return .list([
      .list(blend.prefixes.map { .string($0) }),
      blend.weights.map { .list($0.map { .number($0) }) } ?? .null,
    ])
  }

  private func split(_ plan: PretrainingPlan) -> YAMLValue {
    guard case .shared(_, let shares) = plan.source else { return .null }
    return .string(shares.text)
  }
}
