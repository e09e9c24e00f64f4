/// Words with dashes that people type for keys: those of Megatron-Bridge's run_recipe.py and its examples, and a few
/// plain ones.
struct Flag: Sendable {
  /// What else a word may mean than keys.
  enum Special: Sendable {
    case configurationFile
    case recipe
    case adapters
    /// pretrain, sft, lora, dora.
    case mode
    /// squad, mock, or a file.
    case dataset
  }

  var names: [String]
  /// The keys it sets, in configurations of Megatron-Bridge's shape and of Automodel's; none where it has no meaning.
  var bridge: [String] = []
  var automodel: [String] = []
  var special: Special?
  /// Whether it stands alone.
  var isSwitch = false
  /// What it does is not a key's business; accepted, without effect.
  var isInert = false

  static let all: [Flag] = [
    Flag(names: ["-c", "--config", "--config-file"], special: .configurationFile),
    Flag(names: ["--recipe"], special: .recipe),
    Flag(names: ["--peft", "--peft-scheme"], special: .adapters),
    Flag(names: ["--mode"], special: .mode),
    Flag(names: ["--dataset"], special: .dataset),
    Flag(
      names: ["--model", "--pretrained-checkpoint"], bridge: ["checkpoint.pretrained_checkpoint"],
      automodel: ["model.pretrained_model_name_or_path"]),
    Flag(
      names: ["--data"], bridge: ["dataset.dataset_root"], automodel: ["dataset.path_or_dataset_id"]
    ),
    Flag(
      names: ["--output", "--save-dir"], bridge: ["checkpoint.save"],
      automodel: ["checkpoint.checkpoint_dir"]),
    Flag(
      names: ["--load-dir"], bridge: ["checkpoint.load"], automodel: ["checkpoint.restore_from"]),
    Flag(
      names: ["--save-interval"], bridge: ["checkpoint.save_interval"],
      automodel: ["step_scheduler.ckpt_every_steps"]),
    Flag(
      names: ["-ms", "--max-steps"], bridge: ["train.train_iters"],
      automodel: ["step_scheduler.max_steps"]),
    Flag(
      names: ["-gb", "--global-batch-size"], bridge: ["train.global_batch_size"],
      automodel: ["step_scheduler.global_batch_size"]),
    Flag(
      names: ["-mb", "--micro-batch-size"], bridge: ["train.micro_batch_size"],
      automodel: ["step_scheduler.local_batch_size"]),
    Flag(
      names: ["-sl", "--seq-length"], bridge: ["model.seq_length", "dataset.seq_length"],
      automodel: ["dataset.seq_length"]),
    Flag(names: ["--lr"], bridge: ["optimizer.lr"], automodel: ["optimizer.lr"]),
    Flag(names: ["--min-lr"], bridge: ["optimizer.min_lr"], automodel: ["lr_scheduler.min_lr"]),
    Flag(
      names: ["--warmup-iters"], bridge: ["scheduler.lr_warmup_iters"],
      automodel: ["lr_scheduler.lr_warmup_steps"]),
    Flag(
      names: ["--seed"], bridge: ["rng.seed"], automodel: ["rng.seed"]),
    Flag(
      names: ["--per-split-data-args-path"], bridge: ["dataset.per_split_data_args_path"]),
    Flag(names: ["--data-args-path"], bridge: ["dataset.data_args_path"]),
    Flag(names: ["--data-paths", "--data-path"], bridge: ["dataset.data_path"]),
    Flag(names: ["--path-to-cache", "--data-cache-path"], bridge: ["dataset.path_to_cache"]),
    Flag(
      names: ["--tokenizer-model", "--tokenizer"], bridge: ["tokenizer.tokenizer_model"],
      automodel: ["tokenizer.pretrained_model_name_or_path"]),
    Flag(
      names: ["-tp", "--tp", "--tensor-model-parallel-size", "--tensor-parallel-size"],
      bridge: ["model.tensor_model_parallel_size"], automodel: ["distributed.tp_size"]),
    Flag(
      names: ["-pp", "--pp", "--pipeline-model-parallel-size", "--pipeline-parallel-size"],
      bridge: ["model.pipeline_model_parallel_size"], automodel: ["distributed.pp_size"]),
    Flag(
      names: ["-vp", "--vp"], bridge: ["model.virtual_pipeline_model_parallel_size"]),
    Flag(
      names: ["-cp", "--cp", "--context-parallel-size"], bridge: ["model.context_parallel_size"],
      automodel: ["distributed.cp_size"]),
    Flag(
      names: ["-ep", "--ep", "--expert-model-parallel-size", "--expert-parallel-size"],
      bridge: ["model.expert_model_parallel_size"], automodel: ["distributed.ep_size"]),
    Flag(names: ["-etp", "--etp"], bridge: ["model.expert_tensor_parallel_size"]),
    Flag(names: ["--mock"], special: .dataset, isSwitch: true),
    Flag(names: ["--deterministic", "--dump-env"], isSwitch: true, isInert: true),
    Flag(
      names: ["--nproc-per-node", "--step-func", "--num-nodes", "--gpus-per-node"], isInert: true),
  ]

  /// The flag of a name, underscores and hyphens being one.
  static func named(_ name: String) -> Flag? {
    let plain = name.replacing("_", with: "-")
    return all.first { $0.names.contains(plain) }
  }
}
