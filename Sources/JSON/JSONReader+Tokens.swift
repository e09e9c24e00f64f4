// How the reader takes numbers and strings apart.

extension JSONReader {
  // MARK: - Numbers

  /// Reads a number: `.integer` if it is written without fraction and exponent and fits an `Int`.
  public mutating func number() throws(JSONError) -> JSON {
    guard try kind() == .number else { throw unexpected("a number") }
    let start = place
    if allowingNonFinite, current == UInt8(ascii: "N") { return try word("NaN", .number(.nan)) }
    if allowingNonFinite, current == UInt8(ascii: "I") {
      return try word("Infinity", .number(.infinity))
    }
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

  /// Reads a string.
  public mutating func string() throws(JSONError) -> String {
    guard try kind() == .string else { throw unexpected("a string") }
    let start = place
    place += 1
    try skipPlain()
    if take(ASCII.quote) {
      return String(decoding: bytes[start + 1..<place - 1], as: UTF8.self)
    }
    place = start
    var text: [UInt8] = []
    try string(into: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads a string and adds its bytes to a text.
  public mutating func string(into text: inout [UInt8]) throws(JSONError) {
    guard try kind() == .string else { throw unexpected("a string") }
    place += 1
    while true {
      let plain = place
      try skipPlain()
      text += bytes[plain..<place]
      if take(ASCII.quote) { return }
      try escape(into: &text)
    }
  }

  /// Steps over what stands for itself: stops at a quote or a backslash.
  private mutating func skipPlain() throws(JSONError) {
    while place < bytes.count {
      let byte = bytes[place]
      if byte >= 0x80 {
        guard let length = multibyteLength(bytes, at: place) else {
          throw .invalidUTF8(offset: place)
        }
        place += length
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
