extension JSON {
  /// How a text is laid out; each is byte for byte what Python's `json.dumps` writes.
  public enum Style: Sendable {
    /// Without any space: `separators=(",", ":")`.
    case compact
    /// On one line, with a space after commas and colons: Python's default.
    case python
    /// A member or element to a line, indented by so many spaces: `indent=n`.
    case indented(Int)
  }

  /// The value as a text, without a final newline.
  ///
  /// Numbers that are not finite are written as Python does, as bare tokens that strict readers refuse.
  ///
  /// - Parameters:
  ///   - sortedKeys: whether members are ordered by the code points of their names, at every depth.
  ///   - asciiOnly: whether everything outside ASCII is written as `\u` escapes (`ensure_ascii`).
  public func serialized(
    _ style: Style = .compact, sortedKeys: Bool = false, asciiOnly: Bool = false
  ) -> String {
    String(
      decoding: serializedBytes(style, sortedKeys: sortedKeys, asciiOnly: asciiOnly),
      as: UTF8.self)
  }

  /// The value as UTF-8 bytes, without a final newline.
  public func serializedBytes(
    _ style: Style = .compact, sortedKeys: Bool = false, asciiOnly: Bool = false
  ) -> [UInt8] {
    var writer = JSONWriter(style: style, sortedKeys: sortedKeys, asciiOnly: asciiOnly)
    writer.write(self, depth: 0)
    return writer.bytes
  }
}

private struct JSONWriter {
  let style: JSON.Style
  let sortedKeys: Bool
  let asciiOnly: Bool
  var bytes: [UInt8] = []

  mutating func write(_ value: JSON, depth: Int) {
    switch value {
    case .null: bytes += "null".utf8
    case .bool(let value): bytes += (value ? "true" : "false").utf8
    case .integer(let value): bytes += String(value).utf8
    case .number(let value): bytes += pythonDescription(value).utf8
    case .string(let value): write(value)
    case .array(let elements):
      bytes.append(ASCII.openBracket)
      for (index, element) in elements.enumerated() {
        separate(index, depth: depth + 1)
        write(element, depth: depth + 1)
      }
      if !elements.isEmpty { breakLine(depth: depth) }
      bytes.append(ASCII.closeBracket)
    case .object(let object):
      bytes.append(ASCII.openBrace)
      for (index, member) in ordered(object).enumerated() {
        separate(index, depth: depth + 1)
        write(member.key)
        bytes.append(ASCII.colon)
        if case .compact = style {} else { bytes.append(ASCII.space) }
        write(member.value, depth: depth + 1)
      }
      if object.count > 0 { breakLine(depth: depth) }
      bytes.append(ASCII.closeBrace)
    }
  }

  private func ordered(_ object: JSONObject) -> [(key: String, value: JSON)] {
    guard sortedKeys else { return object.members }
    // UTF-8 sorts as code points do; Swift's own order of strings is another.
    return object.members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
  }

  private mutating func separate(_ index: Int, depth: Int) {
    if index > 0 {
      bytes.append(ASCII.comma)
      if case .python = style { bytes.append(ASCII.space) }
    }
    breakLine(depth: depth)
  }

  private mutating func breakLine(depth: Int) {
    guard case .indented(let width) = style else { return }
    bytes.append(ASCII.newline)
    bytes.append(contentsOf: repeatElement(ASCII.space, count: width * depth))
  }

  private mutating func write(_ string: String) {
    bytes.append(ASCII.quote)
    if asciiOnly {
      // Python escapes by UTF-16 units, and escapes DEL too.
      for unit in string.utf16 {
        if unit < 0x7F { write(UInt8(unit)) } else { escape(unit) }
      }
    } else {
      for byte in string.utf8 { write(byte) }
    }
    bytes.append(ASCII.quote)
  }

  private mutating func write(_ byte: UInt8) {
    switch byte {
    case ASCII.quote, ASCII.backslash: bytes += [ASCII.backslash, byte]
    case 0x08: bytes += "\\b".utf8
    case 0x09: bytes += "\\t".utf8
    case 0x0A: bytes += "\\n".utf8
    case 0x0C: bytes += "\\f".utf8
    case 0x0D: bytes += "\\r".utf8
    case 0x00..<0x20: escape(UInt16(byte))
    default: bytes.append(byte)
    }
  }

  private mutating func escape(_ unit: UInt16) {
    let digits = String(unit, radix: 16)
    bytes += "\\u".utf8
    bytes.append(contentsOf: repeatElement(ASCII.zero, count: 4 - digits.utf8.count))
    bytes += digits.utf8
  }
}

/// A number as Python's `repr` writes it: the shortest digits that read back the same.
///
/// Swift writes the same digits but goes over to exponents at 2^53, Python at 10^16.
private func pythonDescription(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
  if value.magnitude >= 0x1p53, value.magnitude < 1e16 { return "\(Int(value)).0" }
  return value.description
}
