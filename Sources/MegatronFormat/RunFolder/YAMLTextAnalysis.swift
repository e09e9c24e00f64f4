/// Which ways of writing a YAML text are open, by PyYAML's rules for block style and ASCII output.
struct YAMLTextAnalysis {
  private(set) var allowsPlain = true
  private(set) var allowsSingleQuotes = true
  private(set) var hasLineBreaks = false

  init(_ text: String) {
    let characters = Array(text.unicodeScalars)
    guard let first = characters.first, let last = characters.last else {
      // PyYAML would allow an empty plain scalar, but that means null.
      allowsPlain = false
      return
    }
    let isFollowedBySpace = characters.count == 1 || characters[1].isYAMLSpace
    if text.hasPrefix("---") || text.hasPrefix("...") { allowsPlain = false }
    if "#,[]{}&*!|>'\"%@`".unicodeScalars.contains(first) { allowsPlain = false }
    if "?:-".unicodeScalars.contains(first), isFollowedBySpace { allowsPlain = false }
    if first == " " || first.isLineBreak || last == " " || last.isLineBreak { allowsPlain = false }

    var previous: Unicode.Scalar?
    for (index, character) in characters.enumerated() {
      let next = index + 1 < characters.count ? characters[index + 1] : nil
      if index > 0 {
        if character == ":", next?.isYAMLSpace ?? true { allowsPlain = false }
        if character == "#", previous?.isYAMLSpace ?? true { allowsPlain = false }
      }
      if character.isLineBreak {
        hasLineBreaks = true
        allowsPlain = false
        // Spaces before a line's end would be lost, as would those at its beginning.
        if previous == " " { allowsSingleQuotes = false }
      }
      if character == " ", previous?.isLineBreak == true { allowsSingleQuotes = false }
      if character != "\n", !(" "..."~").contains(character) { allowsSingleQuotes = false }
      previous = character
    }
    if !allowsSingleQuotes { allowsPlain = false }
  }
}

extension Unicode.Scalar {
  var isLineBreak: Bool { "\n\u{85}\u{2028}\u{2029}".unicodeScalars.contains(self) }

  fileprivate var isYAMLSpace: Bool {
    "\0 \t\r\n\u{85}\u{2028}\u{2029}".unicodeScalars.contains(self)
  }

  /// Whether a double-quoted text cannot hold the character as it is.
  var needsEscape: Bool { self == "\"" || self == "\\" || !(" "..."~").contains(self) }

  var yamlEscape: String {
    switch self {
    case "\0": "\\0"
    case "\u{7}": "\\a"
    case "\u{8}": "\\b"
    case "\t": "\\t"
    case "\n": "\\n"
    case "\u{B}": "\\v"
    case "\u{C}": "\\f"
    case "\r": "\\r"
    case "\u{1B}": "\\e"
    case "\"": "\\\""
    case "\\": "\\\\"
    case "\u{85}": "\\N"
    case "\u{A0}": "\\_"
    case "\u{2028}": "\\L"
    case "\u{2029}": "\\P"
    default:
      value <= 0xFF
        ? "\\x" + hexadecimal(2) : value <= 0xFFFF ? "\\u" + hexadecimal(4) : "\\U" + hexadecimal(8)
    }
  }

  private func hexadecimal(_ width: Int) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: width - digits.count) + digits
  }
}
