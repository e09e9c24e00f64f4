import CUTF8Proc

/// What Unicode says of a code point, as Rust's libraries and Oniguruma ask it.
enum Scalars {
  /// The property White_Space.
  static func isWhitespace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F,
      0x3000:
      true
    default: false
    }
  }

  /// Alphabetic, a mark, a decimal number, a connector or a joiner: what `\w` is to Rust.
  static func isWord(_ scalar: UInt32) -> Bool {
    if scalar < 0x80 {
      return scalar >= 0x30 && scalar <= 0x39 || scalar >= 0x41 && scalar <= 0x5A
        || scalar >= 0x61 && scalar <= 0x7A || scalar == 0x5F
    }
    guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
    if properties.isAlphabetic || scalar == 0x200C || scalar == 0x200D { return true }
    return switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
    default: false
    }
  }
}
