/// The numbers and texts of pickles that need more than a copy.
enum PickleNumber {
  case word(Int)
  /// Beyond 64 bits: two's complement, little endian, without needless bytes.
  case big(ArraySlice<UInt8>)

  /// Reads a two's complement, little-endian number of any length.
  init(_ bytes: ArraySlice<UInt8>) {
    var bytes = bytes
    let filler: UInt8 = (bytes.last ?? 0) & 0x80 == 0 ? 0 : 0xFF
    // Bytes that only repeat the sign say nothing.
    while bytes.count > 8, bytes.last == filler,
      (bytes[bytes.endIndex - 2] ^ filler) & 0x80 == 0
    {
      bytes.removeLast()
    }
    guard bytes.count <= 8 else {
      self = .big(bytes)
      return
    }
    var result = filler == 0 ? 0 : -1
    for byte in bytes.reversed() { result = result << 8 | Int(byte) }
    self = .word(result)
  }

  /// Python reads no longer decimal text either: the work grows with the square.
  private static let mostDigits = 4_300

  /// Reads a decimal number of any length; `nil` if it is none.
  init?(decimal text: ArraySlice<UInt8>) {
    if let value = Int(String(decoding: text, as: UTF8.self)) {
      self = .word(value)
      return
    }
    let negative = text.first == 0x2D
    let digits = negative || text.first == 0x2B ? text.dropFirst() : text
    guard !digits.isEmpty, digits.count <= Self.mostDigits else { return nil }
    var magnitude: [UInt8] = []
    for digit in digits {
      guard digit >= 0x30, digit <= 0x39 else { return nil }
      var carry = Int(digit) - 0x30
      for index in magnitude.indices {
        carry += Int(magnitude[index]) * 10
        magnitude[index] = UInt8(truncatingIfNeeded: carry)
        carry >>= 8
      }
      if carry > 0 { magnitude.append(UInt8(carry)) }
    }
    magnitude.append(0)
    if negative {
      var carry = 1
      for index in magnitude.indices {
        carry += Int(~magnitude[index])
        magnitude[index] = UInt8(truncatingIfNeeded: carry)
        carry >>= 8
      }
    }
    self.init(magnitude[...])
  }

  /// The bytes of a quoted Python literal.
  static func quoted(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard text.count >= 2, let quote = text.first, quote == text.last,
      quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
    else { return nil }
    var result: [UInt8] = []
    var rest = text.dropFirst().dropLast()
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        result.append(byte)
        continue
      }
      guard let escape = rest.popFirst() else { return nil }
      switch escape {
      case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): result.append(escape)
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "r"): result.append(0x0D)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "a"): result.append(0x07)
      case UInt8(ascii: "b"): result.append(0x08)
      case UInt8(ascii: "f"): result.append(0x0C)
      case UInt8(ascii: "v"): result.append(0x0B)
      case UInt8(ascii: "x"):
        guard let value = hexadecimal(rest.prefix(2), digits: 2) else { return nil }
        rest = rest.dropFirst(2)
        result.append(UInt8(truncatingIfNeeded: value))
      default: return nil
      }
    }
    return result
  }

  /// Python's `raw-unicode-escape`: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
  static func escaped(_ text: ArraySlice<UInt8>) -> String? {
    var result = String.UnicodeScalarView()
    var rest = text
    while let byte = rest.popFirst() {
      let digits =
        switch byte == UInt8(ascii: "\\") ? rest.first : nil {
        case UInt8(ascii: "u"): 4
        case UInt8(ascii: "U"): 8
        default: 0
        }
      guard digits > 0 else {
        result.append(Unicode.Scalar(byte))
        continue
      }
      rest = rest.dropFirst()
      guard let value = hexadecimal(rest.prefix(digits), digits: digits),
        let scalar = Unicode.Scalar(value)
      else { return nil }
      rest = rest.dropFirst(digits)
      result.append(scalar)
    }
    return String(result)
  }

  private static func hexadecimal(_ text: ArraySlice<UInt8>, digits: Int) -> UInt32? {
    guard text.count == digits, text.first != UInt8(ascii: "+") else { return nil }
    return UInt32(String(decoding: text, as: UTF8.self), radix: 16)
  }
}
