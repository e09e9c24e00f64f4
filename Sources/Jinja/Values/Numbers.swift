import Glibc

/// Numbers out of texts and into them, as Python's `int`, `float`, `round` and formats do.
enum Numbers {
  /// What `int(text, base)` gives; `nil` where it throws a ValueError.
  static func integer(_ text: Text, base: Int) throws(Fault) -> Int? {
    guard base == 0 || (2...36).contains(base) else { return nil }
    var digits = Array(text.stripped().scalars)
    var isNegative = false
    if let sign = digits.first, sign == "-" || sign == "+" {
      isNegative = sign == "-"
      digits.removeFirst()
    }
    var base = base
    var mayHaveUnderscore = false
    if digits.count > 1, digits[0] == "0" {
      let prefix: Int? =
        switch digits[1] {
        case "b", "B": 2
        case "o", "O": 8
        case "x", "X": 16
        default: nil
        }
      if let prefix, base == 0 || base == prefix {
        base = prefix
        digits.removeFirst(2)
        mayHaveUnderscore = true
      }
    }
    if base == 0 {
      base = 10
      // A zero may lead zeros only.
      if digits.first == "0", digits.contains(where: { $0 != "0" && $0 != "_" }) { return nil }
    }
    var result = 0
    var count = 0
    var followsUnderscore = !mayHaveUnderscore
    for scalar in digits {
      if scalar == "_" {
        guard !followsUnderscore else { return nil }
        followsUnderscore = true
        continue
      }
      guard let digit = value(scalar), digit < base else { return nil }
      followsUnderscore = false
      count += 1
      let (product, tooLarge) = result.multipliedReportingOverflow(by: base)
      let (sum, overflow) =
        isNegative
        ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
      guard !tooLarge, !overflow else { throw Arithmetic.tooLarge }
      result = sum
    }
    return count > 0 && !followsUnderscore ? result : nil
  }

  private static func value(_ scalar: Unicode.Scalar) -> Int? {
    if scalar.properties.numericType == .decimal {
      return scalar.properties.numericValue.map { Int($0) }
    }
    return scalar.isASCII ? Int(String(Character(scalar)), radix: 36) : nil
  }

  /// What `float(text)` gives; `nil` where it throws a ValueError.
  static func float(_ text: Text) -> Double? {
    var word = ""
    var previous: Unicode.Scalar = " "
    let scalars = Array(text.stripped().scalars)
    for (index, scalar) in scalars.enumerated() {
      var scalar = scalar
      if scalar.properties.numericType == .decimal, let digit = scalar.properties.numericValue {
        scalar = Unicode.Scalar(UInt8(48 + Int(digit)))
      }
      if scalar == "_" {
        guard isDigit(previous), index + 1 < scalars.count, isDigit(scalars[index + 1]) else {
          return nil
        }
      } else {
        word.unicodeScalars.append(scalar)
      }
      previous = scalar
    }
    let plain = word.lowercased()
    let unsigned = plain.hasPrefix("-") || plain.hasPrefix("+") ? String(plain.dropFirst()) : plain
    switch unsigned {
    case "inf", "infinity": return plain.hasPrefix("-") ? -.infinity : .infinity
    case "nan": return .nan
    default: break
    }
    guard let first = unsigned.unicodeScalars.first, isDigit(first) || first == ".",
      unsigned.utf8.allSatisfy({ ($0 >= 48 && $0 <= 57) || ".e+-".utf8.contains($0) })
    else { return nil }
    // Swift wants digits on both sides of a point.
    return strtod(unsigned, plain.hasPrefix("-"))
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

  private static func strtod(_ word: String, _ isNegative: Bool) -> Double? {
    let parts = word.split(separator: "e", maxSplits: 1, omittingEmptySubsequences: false)
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    guard mantissa.count <= 2, mantissa.contains(where: { !$0.isEmpty }) else { return nil }
    let whole = mantissa[0].isEmpty ? "0" : mantissa[0]
    let fraction = mantissa.count < 2 || mantissa[1].isEmpty ? "0" : mantissa[1]
    let exponent = parts.count > 1 ? "e" + parts[1] : ""
    guard whole.utf8.allSatisfy({ $0 >= 48 }), fraction.utf8.allSatisfy({ $0 >= 48 }),
      let value = Double("\(whole).\(fraction)\(exponent)")
    else { return nil }
    return isNegative ? -value : value
  }

  /// A number printed by C's rules, which Python's are too: correctly rounded.
  ///
  /// - Parameter letter: one of `e E f F g G`.
  static func printed(
    _ value: Double, _ letter: Character, precision: Int, isAlternate: Bool = false
  ) throws(Fault) -> String {
    guard precision <= 4096 else {
      throw Fault(
        .limit("A number is to be printed with \(precision) digits", advice: "Ask for fewer."))
    }
    var buffer = [CChar](repeating: 0, count: precision + 400)
    let format = "%\(isAlternate ? "#" : "").\(precision)\(letter)"
    let count = withVaList([value]) { vsnprintf(&buffer, buffer.count, format, $0) }
    return String(decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// What `round(value, digits)` gives: halves go to the even neighbour, by the exact value.
  static func rounded(_ value: Double, _ digits: Int) throws(Fault) -> Double {
    guard value.isFinite, digits < 324 else { return value }
    if digits >= 0 { return Double(try printed(value, "f", precision: digits)) ?? value }
    guard digits > -310 else { return 0 * value }
    let whole = try printed(value.magnitude, "f", precision: 0)
    let kept = whole.utf8.count + digits
    guard kept >= 0 else { return 0 * value }
    if kept == 0 {
      let half = Double("5e\(-digits - 1)") ?? .infinity
      return value.magnitude > half ? copysign(Double("1e\(-digits)") ?? 0, value) : 0 * value
    }
    return Double(try printed(value, "e", precision: kept - 1)) ?? value
  }

  /// What `round(value, digits)` gives for a whole number.
  static func rounded(_ value: Int, _ digits: Int) throws(Fault) -> Int {
    guard digits < 0 else { return value }
    guard digits > -19 else { return 0 }
    var unit = 1
    for _ in 0..<(-digits) { unit *= 10 }
    let rest = try Arithmetic.remainder(value, unit)
    let floor = value - rest
    let isUp = rest > unit - rest || rest == unit - rest && (floor / unit) % 2 != 0
    let (result, overflow) = floor.addingReportingOverflow(isUp ? unit : 0)
    guard !overflow else { throw Arithmetic.tooLarge }
    return result
  }

  /// The whole number towards zero.
  static func truncated(_ value: Double) throws(Fault) -> Int? {
    guard !value.isNaN else { return nil }
    guard let whole = Int(exactly: value.rounded(.towardZero)) else { throw Arithmetic.tooLarge }
    return whole
  }
}
