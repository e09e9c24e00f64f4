import Glibc

/// Numbers as the report's readers read them.
enum Words {
  /// `1,234,567`.
  static func count(_ number: Int) -> String {
    let digits = Array(String(number.magnitude))
    var result = number < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
      result.append(digit)
    }
    return result
  }

  /// A number without its fraction; one beyond all bounds is the bound.
  static func whole(_ number: Double) -> Int {
    number.isFinite ? Int(max(-1e15, min(1e15, number))) : 0
  }

  /// `1.23 M`.
  static func short(_ number: Int) -> String {
    for (unit, size) in [("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)]
    where Double(number) >= size * (unit == "k" ? 10 : 1) {
      return PlainLines.fixed(Double(number) / size, 2) + " " + unit
    }
    return count(number)
  }

  static func loss(_ value: Double) -> String { PlainLines.fixed(value, 4) }

  static func perplexity(_ loss: Double) -> String {
    let value = exp(loss)
    return value < 1e6 ? PlainLines.fixed(value, value < 100 ? 3 : 1) : Axis.exponential(value)
  }

  /// `42.0 s`, `12 min 05 s`, `3 h 05 min`.
  static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e12 else { return "\(seconds) s" }
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if seconds < 100 { return PlainLines.fixed(seconds, 1) + " s" }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return "\(whole / 60) min \(two(whole % 60)) s" }
    return "\(whole / 3600) h \(two(whole / 60 % 60)) min"
  }

  /// A word as a shell takes it.
  static func quoted(_ word: String) -> String {
    let plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@%,"
    if !word.isEmpty, word.allSatisfy({ plain.contains($0) }) { return word }
    return "'" + word.replacing("'", with: "'\\''") + "'"
  }
}
