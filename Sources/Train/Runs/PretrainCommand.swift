import ArgumentParser
import Configuration
import Console

/// `train pretrain`: makes a model from scratch.
struct PretrainCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract:
      "Trains a fresh model: on Megatron's indexed files, on rows of text, or on made-up data.",
    discussion: """
      A configuration is a recipe, a file over it, and the command line over both, as in train finetune. \
      Megatron's keys of a model's shape (model.num_layers, model.hidden_size …) make a recipe's model smaller.

        --model REF          a model whose config.json is taken
        --data PREFIX|FILE   .bin/.idx files without their ending, "30 a 70 b", or rows of text
        --output DIR         where checkpoints go

      EXAMPLES
        train pretrain --recipe story_3m --data stories.jsonl --tokenizer ./tokenizer --output ./story
        train pretrain --recipe llama32_1b model.num_layers=2 model.hidden_size=64 --dry-run
        train pretrain --recipe nemotron_3_nano --per-split-data-args-path blend.json --tokenizer-model ./nano
      """)

  @OptionGroup var options: TrainingOptions

  var wantsJSON: Bool { options.showing.json }

  func run() throws {
    // What is wrong with a configuration shows here, and not when a job's turn has come.
    let configuration = try options.configuration(.pretrain, peft: nil)
    if try options.launch.launched(isDryRun: options.showing.isDryRun) { return }
    try TrainingCommand(configuration, options.showing).run()
  }
}
