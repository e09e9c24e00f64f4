import ArgumentParser
import Checkpoints
import Glibc
import JSON

/// The program `convert`: parses, runs a command, turns errors into sentences and exit codes.
///
/// What a command does lies in its own file; how models are converted lies in Checkpoints.
@main struct Convert: ParsableCommand {
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

      A model is a folder, org/name or hf://org/name[@revision]; the last two are looked up in the \
      hub cache (HF_HUB_CACHE, HF_HOME), where `hf download org/name` puts them.

      EXIT CODES
        0 done, 1 could not be done, 2 wrong usage, 3 a check found a difference,
        130 interrupted
      """,
    version: "0.1.0",
    subcommands: [
      ImportCommand.self, ExportCommand.self, RoundtripCommand.self, InspectCommand.self,
      CompareCommand.self, ArchitecturesCommand.self,
    ])

  static let _errorLabel = "error"

  static func main() {
    Interrupt.shared.start()
    Glibc.exit(status(CommandLine.arguments.dropFirst().map { $0 }))
  }

  /// Runs the program and returns its exit code.
  static func status(_ arguments: [String]) -> Int32 {
    let command: any ParsableCommand
    do { command = try parseAsRoot(arguments) } catch { return usage(error, arguments) }
    return run(command)
  }

  private static func run(_ command: any ParsableCommand) -> Int32 {
    var command = command
    do {
      try command.run()
      return ExitStatus.done
    } catch let code as ExitCode {
      return code.rawValue
    } catch let error where error is ValidationError || exitCode(for: error).isSuccess {
      return usage(error)
    } catch ConversionError.interrupted {
      Report.error(
        "Interrupted; nothing was published and what had been written was removed.", label: "")
      return ExitStatus.interrupted
    } catch {
      if (command as? any ReportsJSON)?.wantsJSON == true {
        Report.print(Report.failure(error))
      }
      Report.error(Report.sentences(error))
      return ExitStatus.failed
    }
  }

  /// Prints help, or what is wrong with the arguments.
  private static func usage(_ error: any Error, _ arguments: [String] = []) -> Int32 {
    let text = fullMessage(for: error)
    if exitCode(for: error).isSuccess {
      print(text)
      return ExitStatus.done
    }
    // A misspelt option is also a missing one; its spelling is what the user wants to hear of.
    let command = configuration.subcommands.first { subcommand in
      arguments.contains(subcommand.configuration.commandName ?? "")
    }
    let names = configuration.subcommands.compactMap { $0.configuration.commandName }
    if command == nil, let word = arguments.first, !word.hasPrefix("-"),
      let near = Spelling.nearest(to: word, among: names)
    {
      Report.error("Unknown command '\(word)'. Did you mean '\(near)'?")
    } else if let command, let unknown = Spelling.unknownOption(in: arguments, of: command) {
      let usage = text.split(separator: "\n").drop { !$0.hasPrefix("Usage:") }
      Report.error(([unknown] + usage.map(String.init)).joined(separator: "\n"))
    } else {
      Report.error(text, label: "")
    }
    return ExitStatus.usage
  }
}

/// A command that prints one JSON object instead of a text when asked to.
protocol ReportsJSON {
  var wantsJSON: Bool { get }
}

/// The exit codes of the contract.
enum ExitStatus {
  static let done: Int32 = 0
  static let failed: Int32 = 1
  static let usage: Int32 = 2
  static let different: Int32 = 3
  static let interrupted: Int32 = 130

  /// Thrown by a check that found a difference and has reported it.
  static let difference = ExitCode(different)
}
