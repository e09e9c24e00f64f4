import CLinux

/// The shell's short forms in paths that come from variables, as Python's `expanduser` and `expandvars` read them.
struct PathExpansion {
  let environment: [String: String]

  /// The path with `~`, `~user`, `$NAME` and `${NAME}` replaced; what names nothing stays as it is.
  func expand(_ path: String) -> String { variables(home(path)) }

  private func home(_ path: String) -> String {
    guard path.hasPrefix("~") else { return path }
    let end = path.firstIndex(of: "/") ?? path.endIndex
    let user = String(path[..<end].dropFirst())
    let known = user.isEmpty ? environment["HOME"] ?? Self.home(of: nil) : Self.home(of: user)
    guard var home = known else { return path }
    while home.hasSuffix("/") { home.removeLast() }
    let whole = home + path[end...]
    return whole.isEmpty ? "/" : whole
  }

  private static func home(of user: String?) -> String? {
    var text = [CChar](repeating: 0, count: 4096)
    guard clinux_home(user, &text, text.count) == 0 else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  private func variables(_ path: String) -> String {
    var result = ""
    var rest = path[...]
    while let dollar = rest.firstIndex(of: "$") {
      result += rest[..<dollar]
      rest = rest[dollar...]
      let (name, length) = Self.variable(rest.dropFirst())
      if let name, let value = environment[name] {
        result += value
      } else {
        result += rest.prefix(1 + length)
      }
      rest = rest.dropFirst(1 + length)
    }
    return result + rest
  }

  /// The name behind a dollar sign, and how many characters it takes.
  private static func variable(_ text: Substring) -> (name: String?, length: Int) {
    if text.first == "{" {
      guard let end = text.firstIndex(of: "}") else { return (nil, 0) }
      let name = text[..<end].dropFirst()
      return (String(name), name.count + 2)
    }
    let name = text.prefix { $0 == "_" || ($0.isASCII && ($0.isLetter || $0.isNumber)) }
    return (name.isEmpty ? nil : String(name), name.count)
  }
}
