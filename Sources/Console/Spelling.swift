import ArgumentParser

/// Finds the option a user meant.
package enum Spelling {
  /// A sentence about the first long option that a command does not have; `nil` if it has them all.
  package static func unknownOption(
    in arguments: [String], of command: any ParsableCommand.Type
  ) -> String? {
    let known = options(of: command)
    for argument in arguments.prefix(while: { $0 != "--" }) where argument.hasPrefix("--") {
      let name = String(argument.prefix { $0 != "=" })
      if known.contains(name) { continue }
      let near = nearest(to: name, among: known)
      return "Unknown option '\(name)'." + (near.map { " Did you mean '\($0)'?" } ?? "")
    }
    return nil
  }

  /// The long options in a command's help.
  private static func options(of command: any ParsableCommand.Type) -> [String] {
    let help = command.helpMessage(columns: 1000)
    var names = ["--help", "--version", "--generate-completion-script"]
    for line in help.split(separator: "\n") where line.hasPrefix("  -") {
      for word in line.split(whereSeparator: { " ,/".contains($0) }) where word.hasPrefix("--") {
        names.append(String(word))
      }
    }
    return names
  }

  /// The most similar word, if one is similar at all.
  package static func nearest(to word: String, among words: [String]) -> String? {
    let ranked = words.map { (word: $0, distance: distance(word, $0)) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }),
      best.distance <= max(2, word.utf8.count / 3)
    else { return nil }
    return best.word
  }

  /// How many letters must be put in, taken out or exchanged to make one word of another.
  package static func distance(_ left: String, _ right: String) -> Int {
    let right = Array(right.utf8)
    var row = Array(0...right.count)
    // No option is longer; the table stays small.
    for (index, letter) in left.utf8.prefix(256).enumerated() {
      var next = [index + 1]
      for column in right.indices {
        let exchange = row[column] + (right[column] == letter ? 0 : 1)
        next.append(min(row[column + 1] + 1, next[column] + 1, exchange))
      }
      row = next
    }
    return row[right.count]
  }
}
