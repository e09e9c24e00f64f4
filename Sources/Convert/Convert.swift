import ArgumentParser
import Console

/// The program `convert`: what it is called, what it says of itself, and its commands.
///
/// What a command does lies in its own file; how models are converted lies in Checkpoints.
@main struct Convert: Program {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Carries language models between Hugging Face folders and Megatron checkpoints.",
    discussion: """
      Conversions are exact: every tensor of the model is used once, none is dropped, and a way there \
      and back gives the same bytes. A result is put in its place only when it is complete.

      EXAMPLES
        convert import --hf-model ./llama --megatron-path ./ckpt
        convert export --hf-model ./llama --megatron-path ./ckpt --hf-path ./out
        convert roundtrip --hf-model meta-llama/Llama-3.2-1B
        convert inspect ./ckpt
        convert compare ./ckpt ./llama

      A model is a folder, org/name or hf://org/name[@revision]; the last two are fetched from the hub into \
      its cache (HF_HUB_CACHE, HF_HOME), or taken from there alone with HF_HUB_OFFLINE=1.

      EXIT CODES
        0 done, 1 could not be done, 2 wrong usage, 3 a check found a difference,
        130 interrupted
      """,
    version: release,
    subcommands: [
      ImportCommand.self, ExportCommand.self, RoundtripCommand.self, InspectCommand.self,
      CompareCommand.self, ArchitecturesCommand.self, DownloadCommand.self, CacheCommand.self,
      PushCommand.self,
    ])
}
