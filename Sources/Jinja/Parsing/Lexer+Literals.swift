extension Lexer {
  /// A number if one stands here, as Python writes them: with underscores, in other bases, with exponents.
  mutating func number() throws(Fault) -> Token.Kind? {
    guard let first = byte(place), isDigit(first) else { return nil }
    if place == 0 || source[place - 1] != UInt8(ascii: "."), let end = floatEnd() {
      let word = source[place..<end].filter { $0 != UInt8(ascii: "_") }
      place = end
      return .float(Double(String(decoding: word, as: UTF8.self)) ?? .infinity)
    }
    var radix = 10
    var start = place
    if first == UInt8(ascii: "0"), let letter = byte(place + 1) {
      switch letter | 0x20 {
      case UInt8(ascii: "b"): radix = 2
      case UInt8(ascii: "o"): radix = 8
      case UInt8(ascii: "x"): radix = 16
      default: break
      }
      if radix != 10 {
        if digitsEnd(place + 2, radix, leadingUnderscore: true) != nil {
          start += 2
        } else {
          radix = 10
        }
      }
    }
    // A zero is followed by zeros only.
    let isZero = radix == 10 && first == UInt8(ascii: "0")
    guard let end = digitsEnd(start, isZero ? 1 : radix, leadingUnderscore: radix != 10) else {
      return nil
    }
    let digits = source[start..<end].filter { $0 != UInt8(ascii: "_") }
    guard let value = Int(String(decoding: digits, as: UTF8.self), radix: radix) else {
      throw Fault(
        .limit("The number is too large", advice: "Whole numbers have 64 bits here."), at: place)
    }
    place = end
    return .integer(value)
  }

  private func isDigit(_ byte: UInt8, _ radix: Int = 10) -> Bool {
    guard
      let value = Unicode.Scalar(byte).properties.isASCIIHexDigit
        ? Int(String(Unicode.Scalar(byte)), radix: 16) : nil
    else { return false }
    return value < radix
  }

  /// The end of digits with single underscores between them; `nil` where there are none.
  private func digitsEnd(_ start: Int, _ radix: Int, leadingUnderscore: Bool = false) -> Int? {
    var end = start
    while let next = byte(end) {
      if isDigit(next, radix) {
        end += 1
      } else if next == UInt8(ascii: "_"), end > start || leadingUnderscore,
        let after = byte(end + 1), isDigit(after, radix)
      {
        end += 2
      } else {
        break
      }
    }
    return end > start ? end : nil
  }

  private func floatEnd() -> Int? {
    guard var end = digitsEnd(place, 10) else { return nil }
    var isFloat = false
    if byte(end) == UInt8(ascii: "."), let after = digitsEnd(end + 1, 10) {
      end = after
      isFloat = true
    }
    if let letter = byte(end), letter | 0x20 == UInt8(ascii: "e") {
      let sign = byte(end + 1) == Byte.plus || byte(end + 1) == Byte.minus
      if let after = digitsEnd(end + (sign ? 2 : 1), 10) { return after }
    }
    return isFloat ? end : nil
  }

  /// A string in single or double quotes if one stands here.
  mutating func string() throws(Fault) -> Token.Kind? {
    guard let quote = byte(place), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
      return nil
    }
    let start = place
    var end = place + 1
    while let next = byte(end), next != quote { end += next == Byte.backslash ? 2 : 1 }
    guard byte(end) == quote else { throw Fault(.unclosed("a string"), at: start) }
    place = end + 1
    return .string(try unescaped(start + 1..<end))
  }

  /// What Python's `unicode-escape` makes of a string; unknown escapes stay as they are.
  private func unescaped(_ range: Range<Int>) throws(Fault) -> Text {
    guard source[range].contains(Byte.backslash) else { return Text(source[range]) }
    let text = Text(source, isASCII: false)
    var result: [UInt8] = []
    var offset = range.lowerBound
    while offset < range.upperBound {
      guard source[offset] == Byte.backslash else {
        result.append(source[offset])
        offset += 1
        continue
      }
      let next = source[offset + 1]
      offset += 2
      switch next {
      case Byte.newline: break
      case Byte.backslash, UInt8(ascii: "'"), UInt8(ascii: "\""): result.append(next)
      case UInt8(ascii: "a"): result.append(0x07)
      case UInt8(ascii: "b"): result.append(0x08)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "v"): result.append(0x0B)
      case UInt8(ascii: "f"): result.append(0x0C)
      case UInt8(ascii: "r"): result.append(0x0D)
      case UInt8(ascii: "x"): result += try code(&offset, digits: 2, range)
      case UInt8(ascii: "u"): result += try code(&offset, digits: 4, range)
      case UInt8(ascii: "U"): result += try code(&offset, digits: 8, range)
      case UInt8(ascii: "N"):
        throw Fault(
          .unsupported(
            "Characters by name, “\\N{…}”, are not known here; write “\\u” and the code."),
          at: offset - 2)
      case UInt8(ascii: "0")...UInt8(ascii: "7"): result += octal(&offset, range)
      case 0x80...:
        // The backslash escapes that of the escape which Python has made of the character by then.
        result += text.scalar(at: offset - 1).pythonEscape.utf8
        offset = text.next(offset - 1)
      default: result += [Byte.backslash, next]
      }
    }
    return Text(result)
  }

  private func octal(_ offset: inout Int, _ range: Range<Int>) -> [UInt8] {
    offset -= 1
    var value: UInt32 = 0
    var count = 0
    while offset < range.upperBound, count < 3, isDigit(source[offset], 8) {
      value = value << 3 | UInt32(source[offset] & 7)
      offset += 1
      count += 1
    }
    return Unicode.Scalar(value).map { Array(String(Character($0)).utf8) } ?? []
  }

  private func code(
    _ offset: inout Int, digits: Int, _ range: Range<Int>
  ) throws(Fault) -> [UInt8] {
    let end = offset + digits
    let word = source[offset..<min(end, range.upperBound)]
    guard word.count == digits, word.allSatisfy({ isDigit($0, 16) }),
      let value = UInt32(String(decoding: word, as: UTF8.self), radix: 16),
      let scalar = Unicode.Scalar(value)
    else {
      throw Fault(
        .syntax(expected: "The code of a character in \(digits) digits", found: "something else"),
        at: offset - 2)
    }
    offset = end
    return Array(String(Character(scalar)).utf8)
  }
}
