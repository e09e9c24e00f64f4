import ArgumentParser
import Console

/// The program `merge-lora`: what it is called, what it says of itself, and its commands.
@main struct MergeLoRA: Program {
  static let configuration = CommandConfiguration(
    commandName: "merge-lora",
    abstract: "Merges LoRA adapters into models, and carries them between Megatron and PEFT.",
    version: release,
    subcommands: [
      MergeCommand.self, ExportAdapterCommand.self, ImportAdapterCommand.self, UnmergeCommand.self,
    ],
    defaultSubcommand: MergeCommand.self)
}
