import ArgumentParser
import Console

/// `merge-lora unmerge`: what cannot be done, and why.
struct UnmergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unmerge",
    abstract: "Is refused: a merge cannot be undone.",
    discussion: """
      Every merged number was rounded to the base's type. Subtracting the adapter again gives other \
      numbers than the base had, so the base has to be kept.

      EXAMPLES
        merge-lora unmerge
      """)

  @Argument(parsing: .captureForPassthrough, help: .hidden)
  var rest: [String] = []

  func run() throws {
    if rest.contains("--help") || rest.contains("-h") { throw CleanExit.helpRequest(self) }
    throw Refusal()
  }

  private struct Refusal: Error, CustomStringConvertible {
    var description: String {
      "A merge cannot be undone: every merged number was rounded to the base's type, and subtracting "
        + "the adapter does not bring back what the rounding took. Keep the base, and merge into it again."
    }
  }
}
