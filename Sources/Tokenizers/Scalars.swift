/// What Unicode says of a code point, as Rust's libraries ask it.
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

  static func category(_ scalar: UInt32) -> Unicode.GeneralCategory {
    Unicode.Scalar(scalar)?.properties.generalCategory ?? .unassigned
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

  /// A mark of any kind.
  static func isMark(_ scalar: UInt32) -> Bool {
    if scalar < 0x300 { return false }
    return switch category(scalar) {
    case .nonspacingMark, .spacingMark, .enclosingMark: true
    default: false
    }
  }

  /// A number of any kind.
  static func isNumeric(_ scalar: UInt32) -> Bool {
    if scalar < 0x80 { return scalar >= 0x30 && scalar <= 0x39 }
    return switch category(scalar) {
    case .decimalNumber, .letterNumber, .otherNumber: true
    default: false
    }
  }

  /// Punctuation, or any ASCII character that is neither letter, digit, space nor control character.
  static func isPunctuation(_ scalar: UInt32) -> Bool {
    if scalar < 0x80 {
      return scalar >= 0x21 && scalar <= 0x7E && !isWord(scalar) || scalar == 0x5F
    }
    return switch category(scalar) {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      true
    default: false
    }
  }

  /// A control character, a format character or one of private use; unassigned ones are none of them.
  static func isOther(_ scalar: UInt32) -> Bool {
    if scalar < 0x80 { return scalar < 0x20 || scalar == 0x7F }
    return switch category(scalar) {
    case .control, .format, .privateUse: true
    default: false
    }
  }
}
