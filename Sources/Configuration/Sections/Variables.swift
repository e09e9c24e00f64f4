import Glibc

/// Fills in what a text takes from elsewhere: `${NAME}`, `${NAME,default}`, `${oc.env:NAME,default}` from the environment,
/// `${section.key}` from the configuration itself.
struct Variables {
  struct Fault: Error {
    var sentence: String
  }

  let root: ConfigurationNode
  /// The last variable of the environment that was there.
  private(set) var used: String?
  private var depth = 0

  init(root: ConfigurationNode) { self.root = root }

  mutating func expanded(_ text: String) throws(Fault) -> String {
    guard text.contains("${") else { return text }
    depth += 1
    defer { depth -= 1 }
    guard depth < 8 else {
      throw Fault(sentence: "“\(text)” names values that name others, too deep to follow.")
    }
    var result = ""
    var rest = text[...]
    while let open = rest.firstRange(of: "${") {
      result += rest[..<open.lowerBound]
      guard let close = rest[open.upperBound...].firstIndex(of: "}") else {
        throw Fault(sentence: "“\(text)” has a ${ without its }.")
      }
      result += try value(rest[open.upperBound..<close], in: text)
      guard result.utf8.count < 1 << 16 else {
        throw Fault(sentence: "“\(text)” grows longer than any value.")
      }
      rest = rest[rest.index(after: close)...]
    }
    return result + rest
  }

  private mutating func value(_ inner: Substring, in text: String) throws(Fault) -> String {
    let isEnvironment = inner.hasPrefix("oc.env:")
    let parts = inner.dropFirst(isEnvironment ? 7 : 0)
      .split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard let name = parts.first, !name.isEmpty else {
      throw Fault(sentence: "“\(text)” names no variable.")
    }
    if let value = getenv(name) {
      used = name
      return String(cString: value)
    }
    if parts.count == 2 { return String(parts[1].trimmingPrefix(" ")) }
    let path = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    if !isEnvironment, let node = root[path[...]], let other = node.scalar {
      return try expanded(other)
    }
    if path.count > 1 {
      throw Fault(sentence: "“\(text)” names \(name), which is no key of the configuration.")
    }
    throw Fault(
      sentence:
        "The environment has no variable \(name). Set it, or write ${\(name),default}.")
  }
}
