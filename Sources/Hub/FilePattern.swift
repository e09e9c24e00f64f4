/// A pattern for paths as huggingface_hub's `--include` and `--exclude` take them.
///
/// `*` stands for any characters, slashes too, `?` for one, `[ab-z]` for one of a set, `[!…]` for one outside it.
/// A pattern that ends with a slash means all below that folder. Source: Python's `fnmatch.fnmatchcase` and
/// huggingface_hub 2.4.0, `utils/_paths.py`.
package struct FilePattern: Sendable {
  private enum Part: Sendable {
    case character(Unicode.Scalar)
    case any
    case run
    case set([ClosedRange<Unicode.Scalar>], isNegated: Bool)
  }

  private let parts: [Part]
  /// Whether the pattern is the one path that it matches.
  package let isPath: Bool

  package init(_ text: String) {
    var text = Array(text.unicodeScalars.map { $0 == "\\" ? "/" : $0 })
    if text.last == "/" { text.append("*") }
    var parts: [Part] = []
    var place = 0
    while place < text.count {
      switch text[place] {
      case "*": parts.append(.run)
      case "?": parts.append(.any)
      case "[":
        guard let (set, end) = Self.set(text, after: place) else { fallthrough }
        parts.append(set)
        place = end
      default: parts.append(.character(text[place]))
      }
      place += 1
    }
    self.parts = parts
    isPath = parts.allSatisfy { if case .character = $0 { true } else { false } }
  }

  /// The set that an opening bracket begins, and where its closing bracket stands; `nil` if there is none.
  private static func set(
    _ text: [Unicode.Scalar], after opening: Int
  ) -> (Part, end: Int)? {
    var start = opening + 1
    let isNegated = start < text.count && text[start] == "!"
    if isNegated { start += 1 }
    // A bracket that would close an empty set is a member of it.
    guard start < text.count, let end = text[(start + 1)...].firstIndex(of: "]") else { return nil }
    var ranges: [ClosedRange<Unicode.Scalar>] = []
    var place = start
    while place < end {
      if place + 2 < end, text[place + 1] == "-" {
        if text[place] <= text[place + 2] { ranges.append(text[place]...text[place + 2]) }
        place += 3
      } else {
        ranges.append(text[place]...text[place])
        place += 1
      }
    }
    return (.set(ranges, isNegated: isNegated), end)
  }

  package func matches(_ path: String) -> Bool {
    let path = Array(path.unicodeScalars)
    var (part, place) = (0, 0)
    // Where to go on when what follows the latest run does not match.
    var retry: (part: Int, place: Int)?
    while place < path.count {
      if part < parts.count, case .run = parts[part] {
        retry = (part, place)
        part += 1
      } else if part < parts.count, Self.matches(parts[part], path[place]) {
        part += 1
        place += 1
      } else if let last = retry {
        retry = (last.part, last.place + 1)
        part = last.part + 1
        place = last.place + 1
      } else {
        return false
      }
    }
    return parts[part...].allSatisfy { if case .run = $0 { true } else { false } }
  }

  private static func matches(_ part: Part, _ character: Unicode.Scalar) -> Bool {
    switch part {
    case .character(let wanted): wanted == character
    case .any, .run: true
    case .set(let ranges, let isNegated):
      ranges.contains { $0.contains(character) } != isNegated
    }
  }
}
