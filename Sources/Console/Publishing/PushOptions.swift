import ArgumentParser
import Hub

/// Where a result goes on the hub, besides its folder.
package struct PushOptions: ParsableArguments {
  @Option(
    name: .customLong("push"),
    help: ArgumentHelp(
      """
      Put the result on the hub as well, with a model card: org/name, or org/name@branch. \
      --overwrite replaces a model and a card that are there.
      """, valueName: "ref"))
  package var reference: String?

  @OptionGroup package var manner: PushManner

  package init() {}

  package func validate() throws {
    guard reference == nil else { return }
    if manner.isPrivate {
      throw ValidationError("--private says how to push; name the repository with --push.")
    }
    if manner.message != nil {
      throw ValidationError("--commit-message says how to push; name the repository with --push.")
    }
  }

  /// Finds out whether the result may go there, before any work is done; `nil` if it is not to.
  package func target(overwrites: Bool) throws(HubError) -> HubTarget? {
    guard let reference else { return nil }
    return try Hub.current.target(
      reference, isPrivate: manner.isPrivate, overwrites: overwrites)
  }
}

/// How something is pushed.
package struct PushManner: ParsableArguments {
  @Flag(
    name: .customLong("private"),
    help: "Make the repository private; one that is public already is refused.")
  package var isPrivate = false

  @Option(
    name: .customLong("commit-message"),
    help: ArgumentHelp("The first line of the commit.", valueName: "text"))
  package var message: String?

  package init() {}

  package func validate() throws {
    if let message, message.allSatisfy(\.isWhitespace) {
      throw ValidationError("--commit-message is empty.")
    }
  }

  /// The words that say the same on another command line.
  func words(overwrites: Bool) -> [String] {
    (isPrivate ? ["--private"] : []) + (overwrites ? ["--overwrite"] : [])
      + (message.map { ["--commit-message", $0] } ?? [])
  }
}
