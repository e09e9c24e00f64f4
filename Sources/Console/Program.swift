import ArgumentParser
import Checkpoints
import Glibc
import Hub

/// A program of several commands: it parses, runs one, and turns errors into sentences and exit codes.
///
/// What a command does lies in its own file of the program; what models are lies in the rooms below.
package protocol Program: ParsableCommand {}

extension Program {
  /// The version that all programs have together, and that servers are told.
  package static var release: String { HubSettings.version }

  package static var _errorLabel: String { "error" }

  package static func main() {
    Interrupt.shared.start()
    Glibc.exit(status(CommandLine.arguments.dropFirst().map { $0 }))
  }

  /// Runs the program and returns its exit code.
  package static func status(_ arguments: [String]) -> Int32 {
    let command: any ParsableCommand
    do { command = try parseAsRoot(arguments) } catch { return usage(error, arguments) }
    return run(command, arguments)
  }

  private static func run(_ command: any ParsableCommand, _ arguments: [String]) -> Int32 {
    var command = command
    let isHidden =
      (command as? any ReportsJSON)?.wantsJSON == true || arguments.contains("--no-progress")
    let hub = Hub(
      HubSettings(environment: HubSettings.processEnvironment),
      watching: DownloadDisplay(style: ProgressDisplay.style(isHidden: isHidden)))
    do {
      try Hub.$current.withValue(hub) { try command.run() }
      return ExitStatus.done
    } catch let code as ExitCode {
      return code.rawValue
    } catch let error where exitCode(for: error).isSuccess {
      return usage(error, arguments)
    } catch let error as ValidationError {
      return usage(error)
    } catch ConversionError.interrupted {
      Report.error(
        "Interrupted; nothing was published and what had been written was removed.", label: "")
      return ExitStatus.interrupted
    } catch CommandError.interruptedWhileArriving {
      Report.error("\(CommandError.interruptedWhileArriving)", label: "")
      return ExitStatus.interrupted
    } catch HubError.interrupted {
      Report.error("\(HubError.interrupted)", label: "")
      return ExitStatus.interrupted
    } catch let failure as PushFailure where failure.isInterruption {
      Report.error("\(failure)", label: "")
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
    // A misspelt option is also a missing one; its spelling is what the user wants to hear of.
    let named = configuration.subcommands.first { subcommand in
      arguments.contains(subcommand.configuration.commandName ?? "")
    }
    let command = named ?? configuration.defaultSubcommand
    var text = fullMessage(for: error)
    if exitCode(for: error).isSuccess {
      print(asksForDefault(arguments) ? helpOfDefault ?? text : text)
      return ExitStatus.done
    }
    if arguments.isEmpty, let help = helpOfDefault {
      text = "error: Nothing to do.\n\n" + help.replacing("USAGE:", with: "Usage:")
    }
    let names = configuration.subcommands.compactMap { $0.configuration.commandName }
    if named == nil, let word = arguments.first, !word.hasPrefix("-"),
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

  /// Whether a plain call for help means the command that runs without a name.
  private static func asksForDefault(_ arguments: [String]) -> Bool {
    [["--help"], ["-h"], ["help"]].contains(arguments)
  }

  private static var helpOfDefault: String? {
    configuration.defaultSubcommand.map { helpMessage(for: $0) }
  }
}

/// A command that prints one JSON object instead of a text when asked to.
package protocol ReportsJSON {
  var wantsJSON: Bool { get }
}

/// The exit codes of the contract.
package enum ExitStatus {
  package static let done: Int32 = 0
  package static let failed: Int32 = 1
  package static let usage: Int32 = 2
  package static let different: Int32 = 3
  package static let interrupted: Int32 = 130

  /// Thrown by a check that found a difference and has reported it.
  package static let difference = ExitCode(different)

  /// Thrown by work that a signal stopped and that has said what is there now.
  package static let interruption = ExitCode(interrupted)
}
