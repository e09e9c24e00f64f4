import JSON

/// Text that keeps its meaning in Markdown, whatever it holds.
package enum Markdown {
  /// A text as it stands, on one line: what would begin a table's cell, a link or a tag is escaped.
  package static func plain(_ text: String) -> String {
    var result = ""
    for scalar in line(text).unicodeScalars {
      if "\\`*_[]<>|#&~".unicodeScalars.contains(scalar) { result.append("\\") }
      result.unicodeScalars.append(scalar)
    }
    return result
  }

  /// A name or number in the letters of a typewriter.
  package static func verbatim(_ text: String) -> String {
    let text = line(text).replacing("|", with: "\\|")
    guard text.contains("`") else { return "`\(text)`" }
    let fence = String(repeating: "`", count: longestRun(text) + 1)
    return "\(fence) \(text) \(fence)"
  }

  /// A block of code.
  static func code(_ text: String, _ language: String) -> String {
    let fence = String(repeating: "`", count: max(3, longestRun(text) + 1))
    return "\(fence)\(language)\n\(text)\n\(fence)"
  }

  static func table(_ head: [String], _ rows: [[String]]) -> String {
    let lines = [head, head.map { _ in "---" }] + rows
    return lines.map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
  }

  /// A text as Python's source has it.
  static func pythonString(_ text: String) -> String {
    // JSON's strings are Python's as long as every letter outside ASCII is escaped.
    JSON.string(text).serialized(asciiOnly: true)
  }

  private static func line(_ text: String) -> String {
    let scalars = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }
    return String(String.UnicodeScalarView(scalars))
  }

  private static func longestRun(_ text: String) -> Int {
    var (longest, run) = (0, 0)
    for letter in text {
      run = letter == "`" ? run + 1 : 0
      longest = max(longest, run)
    }
    return longest
  }
}
