/// The printable characters that stand for bytes in byte-level vocabularies.
///
/// Bytes that are printable in Latin-1 stand for themselves, all others for U+0100 and on, in order (GPT-2's
/// encoder.py).
enum ByteAlphabet {
  /// By byte its character's code point.
  static let scalars: [UInt32] = {
    var next: UInt32 = 0x100
    return (0..<256).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return UInt32(byte)
      default:
        defer { next += 1 }
        return next
      }
    }
  }()

  /// By byte its character in UTF-8.
  static let utf8: [[UInt8]] = scalars.map { code in
    code < 0x80 ? [UInt8(code)] : [UInt8(0xC0 | code >> 6), UInt8(0x80 | code & 0x3F)]
  }

  /// By code point the byte it stands for, or -1.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
    return bytes
  }()

  /// Adds the character of a byte to a text.
  static func append(_ byte: UInt8, to text: inout [UInt8]) {
    let code = scalars[Int(byte)]
    if code < 0x80 {
      text.append(UInt8(code))
    } else {
      text.append(UInt8(0xC0 | code >> 6))
      text.append(UInt8(0x80 | code & 0x3F))
    }
  }

  /// The byte that a code point stands for, if it does.
  static func byte(_ scalar: UInt32) -> UInt8? {
    guard scalar < UInt32(bytes.count), bytes[Int(scalar)] >= 0 else { return nil }
    return UInt8(bytes[Int(scalar)])
  }

  /// The bytes that a text of the alphabet stands for; `nil` if it holds any other character.
  static func bytes(_ text: some Collection<UInt8>) -> [UInt8]? {
    let text = Array(text)
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var place = 0
    while place < text.count {
      guard let byte = byte(scalar(text, place)) else { return nil }
      result.append(byte)
      place += scalarLength(text[place])
    }
    return result
  }
}
