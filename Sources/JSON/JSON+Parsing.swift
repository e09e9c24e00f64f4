extension JSON {
  /// Reads a UTF-8 text strictly by RFC 8259.
  ///
  /// Integers that fit an `Int` become `.integer`, all other numbers `.number`. Names that Swift
  /// holds for equal (canonically equivalent spellings) count as duplicates.
  ///
  /// - Parameters:
  ///   - maximumDepth: how deep arrays and objects may be nested; each level uses some stack.
  ///   - allowingNonFinite: whether the bare tokens `NaN`, `Infinity` and `-Infinity`, which Python
  ///     writes, are numbers, and whether a number too large for a `Double` is infinite.
  public init(
    parsing bytes: [UInt8], maximumDepth: Int = 128, allowingNonFinite: Bool = false
  ) throws(JSONError) {
    var parser = JSONParser(
      bytes: bytes, maximumDepth: maximumDepth, allowingNonFinite: allowingNonFinite)
    self = try parser.document()
  }
}

/// A recursive-descent reader over bytes; it never looks past them and never backs up.
private struct JSONParser {
  let bytes: [UInt8]
  let maximumDepth: Int
  let allowingNonFinite: Bool
  var place = 0

  mutating func document() throws(JSONError) -> JSON {
    skipSpace()
    let result = try value(depth: 0)
    skipSpace()
    guard place == bytes.count else { throw .trailingText(offset: place) }
    return result
  }

  // MARK: - Bytes

  private var current: UInt8? { place < bytes.count ? bytes[place] : nil }

  private func unexpected(_ expected: String) -> JSONError {
    .syntax(offset: place, expected: expected, found: current)
  }

  private mutating func skipSpace() {
    while place < bytes.count {
      switch bytes[place] {
      case 0x20, 0x09, 0x0A, 0x0D: place += 1
      default: return
      }
    }
  }

  /// Steps over `byte` if it is next.
  private mutating func take(_ byte: UInt8) -> Bool {
    guard place < bytes.count, bytes[place] == byte else { return false }
    place += 1
    return true
  }

  private mutating func word(_ word: StaticString, _ result: JSON) throws(JSONError) -> JSON {
    for byte in word.description.utf8 {
      guard take(byte) else { throw unexpected("the word \(word)") }
    }
    return result
  }

  // MARK: - Values

  private mutating func value(depth: Int) throws(JSONError) -> JSON {
    guard let byte = current else { throw unexpected("a value") }
    switch byte {
    case ASCII.quote: return .string(try string())
    case ASCII.openBrace: return .object(try object(depth: depth))
    case ASCII.openBracket: return .array(try array(depth: depth))
    case ASCII.minus, ASCII.zero...ASCII.nine: return try number()
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "N") where allowingNonFinite: return try word("NaN", .number(.nan))
    case UInt8(ascii: "I") where allowingNonFinite:
      return try word("Infinity", .number(.infinity))
    default: throw unexpected("a value")
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
    guard depth < maximumDepth else { throw .tooDeep(offset: place, limit: maximumDepth) }
    place += 1
    var result = JSONObject()
    skipSpace()
    if take(ASCII.closeBrace) { return result }
    while true {
      let nameOffset = place
      guard current == ASCII.quote else { throw unexpected("a name in quotes") }
      let name = try string()
      skipSpace()
      guard take(ASCII.colon) else { throw unexpected("a colon") }
      skipSpace()
      let member = try value(depth: depth + 1)
      guard result.append(name, member) else {
        throw .duplicateName(name, offset: nameOffset)
      }
      skipSpace()
      if take(ASCII.comma) {
        skipSpace()
      } else if take(ASCII.closeBrace) {
        return result
      } else {
        throw unexpected("a comma or a closing brace")
      }
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> [JSON] {
    guard depth < maximumDepth else { throw .tooDeep(offset: place, limit: maximumDepth) }
    place += 1
    var result: [JSON] = []
    skipSpace()
    if take(ASCII.closeBracket) { return result }
    while true {
      result.append(try value(depth: depth + 1))
      skipSpace()
      if take(ASCII.comma) {
        skipSpace()
      } else if take(ASCII.closeBracket) {
        return result
      } else {
        throw unexpected("a comma or a closing bracket")
      }
    }
  }

  // MARK: - Numbers

  private mutating func number() throws(JSONError) -> JSON {
    let start = place
    let negative = take(ASCII.minus)
    if negative, allowingNonFinite, current == UInt8(ascii: "I") {
      return try word("Infinity", .number(-.infinity))
    }
    var magnitude: Int? = 0
    if !take(ASCII.zero) {
      guard isDigit(current) else { throw unexpected("a digit") }
      // Built up with its sign, so that the smallest integer fits.
      while let byte = current, isDigit(byte) {
        magnitude = magnitude.flatMap { extended($0, by: Int(byte - ASCII.zero), negative) }
        place += 1
      }
    }
    var isWhole = true
    if take(UInt8(ascii: ".")) {
      isWhole = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isWhole = false
      if !take(UInt8(ascii: "+")) { _ = take(ASCII.minus) }
      try digits()
    }
    if isWhole, let magnitude { return .integer(magnitude) }
    let text = String(decoding: bytes[start..<place], as: UTF8.self)
    guard let result = Double(text), result.isFinite || allowingNonFinite else {
      throw .numberOutOfRange(offset: start)
    }
    return .number(result)
  }

  private mutating func digits() throws(JSONError) {
    guard isDigit(current) else { throw unexpected("a digit") }
    while isDigit(current) { place += 1 }
  }

  private func isDigit(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    return byte >= ASCII.zero && byte <= ASCII.nine
  }

  private func extended(_ number: Int, by digit: Int, _ negative: Bool) -> Int? {
    let (product, tooLarge) = number.multipliedReportingOverflow(by: 10)
    let (sum, overflow) =
      negative
      ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
    return tooLarge || overflow ? nil : sum
  }

  // MARK: - Strings

  /// A string whose opening quote is next.
  private mutating func string() throws(JSONError) -> String {
    place += 1
    let start = place
    try skipPlain()
    if take(ASCII.quote) {
      return String(decoding: bytes[start..<place - 1], as: UTF8.self)
    }
    var text = Array(bytes[start..<place])
    while !take(ASCII.quote) {
      try escape(into: &text)
      let plain = place
      try skipPlain()
      text += bytes[plain..<place]
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Steps over what stands for itself: stops at a quote or a backslash.
  private mutating func skipPlain() throws(JSONError) {
    while place < bytes.count {
      let byte = bytes[place]
      if byte >= 0x80 {
        try skipMultibyte(byte)
      } else if byte == ASCII.quote || byte == ASCII.backslash {
        return
      } else if byte < 0x20 {
        throw unexpected("an escape in place of a control character")
      } else {
        place += 1
      }
    }
    throw unexpected("a closing quote")
  }

  /// Steps over one character of two to four bytes, as Unicode's table 3-7 allows them: no overlong
  /// spelling, no surrogate, nothing beyond U+10FFFF.
  private mutating func skipMultibyte(_ lead: UInt8) throws(JSONError) {
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0xC2...0xDF: length = 2
    case 0xE0...0xEF:
      length = 3
      if lead == 0xE0 { second = 0xA0...0xBF } else if lead == 0xED { second = 0x80...0x9F }
    case 0xF0...0xF4:
      length = 4
      if lead == 0xF0 { second = 0x90...0xBF } else if lead == 0xF4 { second = 0x80...0x8F }
    default: throw .invalidUTF8(offset: place)
    }
    guard place + length <= bytes.count, second.contains(bytes[place + 1]) else {
      throw .invalidUTF8(offset: place)
    }
    for index in place + 2..<place + length where bytes[index] & 0xC0 != 0x80 {
      throw .invalidUTF8(offset: place)
    }
    place += length
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
    let start = place
    place += 1
    guard let byte = current else { throw unexpected("an escape") }
    switch byte {
    case ASCII.quote, ASCII.backslash, UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      place += 1
      text += Array(String(try escapedScalar(start)).utf8)
      return
    default: throw unexpected("one of \" \\ / b f n r t u")
    }
    place += 1
  }

  /// The character of a `\uXXXX` escape, or of a pair of them, whose first digit is next.
  private mutating func escapedScalar(_ start: Int) throws(JSONError) -> Character {
    var code = try fourHexDigits()
    if code & 0xFC00 == 0xD800 {
      guard take(ASCII.backslash), take(UInt8(ascii: "u")) else {
        throw .loneSurrogate(offset: start)
      }
      let low = try fourHexDigits()
      guard low & 0xFC00 == 0xDC00 else { throw .loneSurrogate(offset: start) }
      code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
    }
    guard let scalar = Unicode.Scalar(code) else { throw .loneSurrogate(offset: start) }
    return Character(scalar)
  }

  private mutating func fourHexDigits() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue
      else { throw unexpected("a hexadecimal digit") }
      code = code << 4 | UInt32(digit)
      place += 1
    }
    return code
  }
}

enum ASCII {
  static let quote = UInt8(ascii: "\"")
  static let backslash = UInt8(ascii: "\\")
  static let openBrace = UInt8(ascii: "{")
  static let closeBrace = UInt8(ascii: "}")
  static let openBracket = UInt8(ascii: "[")
  static let closeBracket = UInt8(ascii: "]")
  static let colon = UInt8(ascii: ":")
  static let comma = UInt8(ascii: ",")
  static let minus = UInt8(ascii: "-")
  static let zero = UInt8(ascii: "0")
  static let nine = UInt8(ascii: "9")
  static let space = UInt8(ascii: " ")
  static let newline = UInt8(ascii: "\n")
}
