/// What PyYAML takes a plain scalar for (YAML 1.1 with PyYAML's narrower numbers: `1e-5` is text).
enum YAMLScalar {
  /// The value of an unquoted scalar; `.string` if it looks like nothing else.
  static func resolve(_ text: String) -> YAMLValue {
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": return .bool(true)
    case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": return .bool(false)
    case ".nan", ".NaN", ".NAN": return .number(.nan)
    // Tags of their own, which no configuration uses.
    case "<<", "=": return .plain(text)
    default: break
    }
    guard let first = text.utf8.first, "-+0123456789.".utf8.contains(first) else {
      return .string(text)
    }
    return integer(text) ?? number(text) ?? (isTimestamp(text) ? .plain(text) : .string(text))
  }

  private static func integer(_ text: String) -> YAMLValue? {
    var digits = Substring(text)
    let negative = digits.first == "-"
    if negative || digits.first == "+" { digits.removeFirst() }
    guard let first = digits.utf8.first, isDigit(first) else { return nil }
    let body: Substring
    let radix: Int
    if digits.hasPrefix("0b") {
      (body, radix) = (digits.dropFirst(2), 2)
    } else if digits.hasPrefix("0x") {
      (body, radix) = (digits.dropFirst(2), 16)
    } else if digits.utf8.count > 1, first == UInt8(ascii: "0") {
      (body, radix) = (digits.dropFirst(), 8)
    } else {
      (body, radix) = (digits, 10)
    }
    if radix == 10, body.utf8.contains(UInt8(ascii: ":")) {
      return isBase60(body) && first != UInt8(ascii: "0") ? .plain(text) : nil
    }
    guard !body.isEmpty,
      body.utf8.allSatisfy({ $0 == UInt8(ascii: "_") || digit($0, radix) != nil })
    else { return nil }
    let bare = String(decoding: body.utf8.filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
    guard let value = Int((negative ? "-" : "") + bare, radix: radix) else { return .plain(text) }
    return .integer(value)
  }

  private static func number(_ text: String) -> YAMLValue? {
    var digits = Substring(text)
    let negative = digits.first == "-"
    let signed = negative || digits.first == "+"
    if signed { digits.removeFirst() }
    if [".inf", ".Inf", ".INF"].contains(digits) {
      return .number(negative ? -.infinity : .infinity)
    }
    guard let point = digits.firstIndex(of: ".") else { return nil }
    let whole = digits[..<point]
    if whole.utf8.contains(UInt8(ascii: ":")) {
      let rest = digits[digits.index(after: point)...]
      return isBase60(whole) && rest.utf8.allSatisfy(isDigitOrUnderscore) ? .plain(text) : nil
    }
    var fraction = digits[digits.index(after: point)...]
    if let exponent = fraction.firstIndex(where: { $0 == "e" || $0 == "E" }) {
      let power = fraction[fraction.index(after: exponent)...]
      // PyYAML wants the sign.
      guard power.first == "-" || power.first == "+", power.utf8.count > 1,
        power.utf8.dropFirst().allSatisfy(isDigit)
      else { return nil }
      fraction = fraction[..<exponent]
    }
    guard fraction.utf8.allSatisfy(isDigitOrUnderscore),
      whole.utf8.allSatisfy(isDigitOrUnderscore)
    else { return nil }
    if whole.isEmpty {
      guard !signed, let first = fraction.utf8.first, isDigit(first) else { return nil }
    } else {
      guard let first = whole.utf8.first, isDigit(first) else { return nil }
    }
    let bare = String(decoding: text.utf8.filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
    return Double(bare.hasSuffix(".") ? bare + "0" : bare.replacingPointBeforeExponent)
      .map(YAMLValue.number)
  }

  /// `2024-01-31`, or such a date with a time behind it.
  private static func isTimestamp(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    let parts = text.split(separator: "-", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].utf8.count == 4, parts[0].utf8.allSatisfy(isDigit),
      (1...2).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy(isDigit)
    else { return false }
    if bytes.count == 10 {
      return parts[1].utf8.count == 2 && parts[2].utf8.allSatisfy(isDigit)
    }
    // A time follows the day: digits and colons, perhaps a fraction and a zone.
    let day = parts[2].utf8.prefix(while: isDigit)
    let time = parts[2].utf8.dropFirst(day.count)
    guard (1...2).contains(day.count), let mark = time.first, "Tt \t".utf8.contains(mark),
      time.filter({ $0 == UInt8(ascii: ":") }).count >= 2
    else { return false }
    return time.dropFirst().allSatisfy { isDigit($0) || ":.+-Z \t".utf8.contains($0) }
  }

  /// Base 60, `1:30:00`: kept as it stands.
  private static func isBase60(_ text: Substring) -> Bool {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count > 1, let first = parts[0].utf8.first, isDigit(first),
      parts[0].utf8.allSatisfy(isDigitOrUnderscore)
    else { return false }
    return parts.dropFirst().allSatisfy { part in
      (1...2).contains(part.utf8.count) && part.utf8.allSatisfy(isDigit) && (Int(part) ?? 60) < 60
    }
  }

  private static func digit(_ byte: UInt8, _ radix: Int) -> Int? {
    guard byte != UInt8(ascii: "+"), byte != UInt8(ascii: "-") else { return nil }
    return Int(String(UnicodeScalar(byte)), radix: radix)
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static func isDigitOrUnderscore(_ byte: UInt8) -> Bool {
    isDigit(byte) || byte == UInt8(ascii: "_")
  }
}

extension String {
  /// `1.e+5` as `1.0e+5`, which Swift reads.
  fileprivate var replacingPointBeforeExponent: String {
    guard let point = firstIndex(of: "."), case let next = index(after: point), next < endIndex,
      self[next] == "e" || self[next] == "E"
    else { return self }
    return self[..<next] + "0" + self[next...]
  }
}
