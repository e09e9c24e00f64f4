import ArgumentParser
import Console

/// The program `train`: what it is called, what it says of itself, and its commands.
///
/// What a command does lies in its own file; how models are computed lies in Engine.
@main struct Train: Program {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Computes language models on the CPU, out of Hugging Face or Megatron checkpoints.",
    discussion: """
      EXAMPLES
        train capture --model ./llama --inputs batch.safetensors --output out.h5
        train generate --model ./llama --prompt "Once upon a time"
        train evaluate --model ./llama --data dev-v1.1.json --limit 200
        train tokenizer encode --tokenizer ./llama < texts.jsonl
        train preview --data chats.jsonl --tokenizer ./llama

      A model is a folder, org/name or hf://org/name[@revision]; the last two are fetched from the hub into \
      its cache (HF_HUB_CACHE, HF_HOME), or taken from there alone with HF_HUB_OFFLINE=1. It may also be a Megatron run folder or an iteration in one.

      EXIT CODES
        0 done, 1 could not be done, 2 wrong usage, 130 interrupted
      """,
    version: release,
    subcommands: [
      FinetuneCommand.self, PretrainCommand.self, RecipesCommand.self, EvaluateCommand.self,
      GenerateCommand.self, ReportCommand.self,
      PreviewCommand.self, TokenizerCommand.self, TokenizeCommand.self,
      CaptureCommand.self, MeasureCommand.self, MeasureGenerationCommand.self,
      FuzzCommand.self,
    ])
}
