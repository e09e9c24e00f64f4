import ArgumentParser
import Configuration
import Console

/// `train finetune`: goes on training a model, all of it or adapters on it.
struct FinetuneCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "finetune",
    abstract: "Trains a model that is there: all of its weights, or adapters on them.",
    discussion: """
      A configuration is a recipe, a file over it, and the command line over both. A file has \
      Megatron-Bridge's keys (a run_config.yaml is one) or is an Automodel YAML as it is. Keys are changed \
      as in Hydra: a.b=v, +a.b=v (new), ++a.b=v (either), ~a.b (away), or --a.b v. Some have plain names:

        --model REF|CKPT     the weights to begin with       --lr, --min-lr, --warmup-iters
        --data FILE          rows to learn from              -ms, --max-steps
        --output DIR         where checkpoints go            -gb, --global-batch-size, -mb, --micro-batch-size
        --save-interval N    steps between two of them       -sl, --seq-length

      EXAMPLES
        train finetune --model ./llama --data chats.jsonl --output ./tuned --peft lora
        train finetune --recipe llama32_1b checkpoint.pretrained_checkpoint=./llama32_1b train.train_iters=100
        train finetune llama_squad.yaml --step_scheduler.max_steps 20
        train finetune --recipe llama31_8b --dry-run --model ./llama31
        train finetune --model ./llama --data chats.jsonl --output ./tuned --executor slurm --time 08:00:00
      """)

  @Option(
    help: ArgumentHelp(
      "What is trained: none (all weights), lora or dora. (default: as the configuration says)",
      valueName: "none|lora|dora"))
  var peft: String?

  @OptionGroup var options: TrainingOptions

  var wantsJSON: Bool { options.showing.json }

  func run() throws {
    // What is wrong with a configuration shows here, and not when a job's turn has come.
    let configuration = try options.configuration(.finetune, peft: peft)
    if try options.launch.launched(isDryRun: options.showing.isDryRun) { return }
    try TrainingCommand(configuration, options.showing).run()
  }
}
