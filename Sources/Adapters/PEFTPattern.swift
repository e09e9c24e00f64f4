/// A pattern for the path of a module, as PEFT's `rank_pattern` and `target_modules` have them.
///
/// Nearly all are plain paths; only what really is a regular expression becomes one.
struct PEFTPattern {
  private enum Form {
    /// Bytes; as in a regular expression a dot stands for any of them.
    case path([UInt8])
    case expression(Regex<AnyRegexOutput>)
  }

  private let form: Form
  /// Whether the pattern may stand for the path's last components alone.
  private let takesEnding: Bool

  /// - Parameter takesEnding: as `(.*\.)?(pattern)$`; else the pattern is the whole path's.
  /// - Returns: `nil` for what is no regular expression.
  init?(_ pattern: String, takesEnding: Bool) {
    self.takesEnding = takesEnding
    if pattern.utf8.allSatisfy({ Self.isPlain($0) }) {
      form = .path(Array(pattern.utf8))
    } else {
      let whole = takesEnding ? "(.*\\.)?(\(pattern))" : pattern
      guard let expression = try? Regex(whole) else { return nil }
      form = .expression(expression)
    }
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
      UInt8(ascii: "."):
      true
    default: false
    }
  }

  func matches(_ path: String) -> Bool {
    switch form {
    case .expression(let expression):
      return (try? expression.wholeMatch(in: path)) != nil
    case .path(let pattern):
      let bytes = Array(path.utf8)
      guard bytes.count >= pattern.count, takesEnding || bytes.count == pattern.count else {
        return false
      }
      let start = bytes.count - pattern.count
      guard start == 0 || bytes[start - 1] == UInt8(ascii: ".") else { return false }
      return zip(pattern, bytes[start...]).allSatisfy { $0 == UInt8(ascii: ".") || $0 == $1 }
    }
  }
}
