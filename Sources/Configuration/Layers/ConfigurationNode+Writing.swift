import JSON

extension ConfigurationNode {
  /// The configuration as YAML, in block style; small lists and empty sections in flow style.
  package var yaml: String {
    var lines: [String] = []
    write(into: &lines, indent: 0)
    return lines.joined(separator: "\n") + "\n"
  }

  private func write(into lines: inout [String], indent: Int) {
    let margin = String(repeating: " ", count: indent)
    for member in members ?? [] {
      let key = Self.word(member.key, isPlain: false) + ":"
      switch member.node.content {
      case .map(let inner) where !inner.isEmpty:
        lines.append(margin + key)
        member.node.write(into: &lines, indent: indent + 2)
      case .list(let items) where items.count > 12:
        lines.append(margin + key)
        for item in items { lines.append(margin + "- " + item.flow) }
      default: lines.append(margin + key + " " + member.node.flow)
      }
    }
  }

  /// In one line.
  private var flow: String {
    switch content {
    case .scalar(let text, let isPlain): Self.word(text, isPlain: isPlain)
    case .list(let items): "[" + items.map(\.flow).joined(separator: ", ") + "]"
    case .map(let members):
      "{"
        + members.map { Self.word($0.key, isPlain: false) + ": " + $0.node.flow }
        .joined(separator: ", ") + "}"
    }
  }

  /// A word as it is where YAML takes it for the same thing, else in quotes.
  private static func word(_ text: String, isPlain: Bool) -> String {
    if isPlain { return text.isEmpty ? "null" : text }
    let isWord =
      !text.isEmpty
      && text.utf8.allSatisfy { byte in
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
          || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
          || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "_./-".utf8.contains(byte)
      }
    let node = ConfigurationNode(.scalar(text, isPlain: true), .default)
    if isWord, node.json == .string(text), text.utf8.first != UInt8(ascii: "-") { return text }
    return JSON.string(text).serialized()
  }
}
