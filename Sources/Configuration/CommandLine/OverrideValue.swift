/// The value of an override: Hydra's grammar, with Python's `None` and `True` besides.
///
/// A list is `[1,2]`, a mapping `{a:1,b:[x]}`, a text with anything in it stands in quotes; everything else is one word,
/// whose type its reader knows.
struct OverrideValue {
  struct Fault: Error {
    var sentence: String
  }

  private let bytes: [UInt8]
  private let origin: Origin
  private var place = 0
  private var depth = 0

  static func parse(_ text: String, _ origin: Origin) throws(Fault) -> ConfigurationNode {
    guard let first = text.utf8.first else { return .text("", origin) }
    guard "[{'\"".utf8.contains(first) else {
      return ConfigurationNode(.scalar(trimmed(text), isPlain: true), origin)
    }
    var parser = OverrideValue(bytes: Array(text.utf8), origin: origin)
    let node = try parser.value(until: [])
    parser.skipSpace()
    guard parser.place == parser.bytes.count else {
      // A quote at the start and more behind it is a text with quotes in it.
      if first == UInt8(ascii: "'") || first == UInt8(ascii: "\"") {
        return ConfigurationNode(.scalar(trimmed(text), isPlain: true), origin)
      }
      throw Fault(sentence: "There is something behind the end of “\(text)”.")
    }
    return node
  }

  private init(bytes: [UInt8], origin: Origin) {
    self.bytes = bytes
    self.origin = origin
  }

  private static func trimmed(_ text: String) -> String {
    let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }

  private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A { place += 1 }
  }

  private mutating func take(_ letter: Character) -> Bool {
    skipSpace()
    guard let byte = next, byte == letter.asciiValue else { return false }
    place += 1
    return true
  }

  private mutating func value(until ends: [UInt8]) throws(Fault) -> ConfigurationNode {
    depth += 1
    defer { depth -= 1 }
    guard depth < 32 else { throw Fault(sentence: "The value is nested too deep.") }
    skipSpace()
    switch next {
    case UInt8(ascii: "["): return try list()
    case UInt8(ascii: "{"): return try map()
    case UInt8(ascii: "'"), UInt8(ascii: "\""): return .text(try quoted(), origin)
    default: return ConfigurationNode(.scalar(word(until: ends), isPlain: true), origin)
    }
  }

  private mutating func list() throws(Fault) -> ConfigurationNode {
    place += 1
    var items: [ConfigurationNode] = []
    if take("]") { return ConfigurationNode(.list([]), origin) }
    while true {
      items.append(try value(until: [UInt8(ascii: ","), UInt8(ascii: "]")]))
      if take("]") { return ConfigurationNode(.list(items), origin) }
      guard take(",") else { throw Fault(sentence: "The list has no end; write [a,b].") }
    }
  }

  private mutating func map() throws(Fault) -> ConfigurationNode {
    place += 1
    var result = ConfigurationNode.empty(origin)
    if take("}") { return result }
    while true {
      skipSpace()
      let isQuoted = next == UInt8(ascii: "'") || next == UInt8(ascii: "\"")
      let key = isQuoted ? try quoted() : word(until: [UInt8(ascii: ":"), UInt8(ascii: "}")])
      guard !key.isEmpty, take(":") else {
        throw Fault(sentence: "The mapping has a key without a value; write {a:1,b:2}.")
      }
      result[key] = try value(until: [UInt8(ascii: ","), UInt8(ascii: "}")])
      if take("}") { return result }
      guard take(",") else { throw Fault(sentence: "The mapping has no end; write {a:1,b:2}.") }
    }
  }

  private mutating func quoted() throws(Fault) -> String {
    let quote = bytes[place]
    place += 1
    var text: [UInt8] = []
    while let byte = next {
      place += 1
      if byte == quote { return String(decoding: text, as: UTF8.self) }
      if byte == UInt8(ascii: "\\"), let escaped = next,
        escaped == quote || escaped == UInt8(ascii: "\\")
      {
        place += 1
        text.append(escaped)
      } else {
        text.append(byte)
      }
    }
    throw Fault(sentence: "A quote has no end.")
  }

  private mutating func word(until ends: [UInt8]) -> String {
    let start = place
    while let byte = next, !ends.contains(byte) { place += 1 }
    return Self.trimmed(String(decoding: bytes[start..<place], as: UTF8.self))
  }
}
