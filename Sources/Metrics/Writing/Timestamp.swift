import Glibc

/// A moment as the formats spell it.
struct Timestamp {
  /// Since 1970.
  let seconds: Double

  init(_ seconds: Double) { self.seconds = seconds.isFinite ? seconds : 0 }

  static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9)
  }

  /// Whole milliseconds.
  var milliseconds: Int { Int((min(max(seconds, 0), 1e12) * 1000).rounded(.down)) }

  /// `2026-11-22T00:16:20.123Z`, as Python's `isoformat(timespec="milliseconds")` with Z.
  var iso: String {
    let parts = calendar(isLocal: false)
    let rest = Self.digits(milliseconds % 1000, 3)
    return "\(parts.date.joined(separator: "-"))T\(parts.time.joined(separator: ":")).\(rest)Z"
  }

  /// `20261122_001620` in local time.
  var compact: String {
    let parts = calendar(isLocal: true)
    return parts.date.joined() + "_" + parts.time.joined()
  }

  /// `2026-11-22 00:16` in local time.
  var spoken: String {
    let parts = calendar(isLocal: true)
    return parts.date.joined(separator: "-") + " " + parts.time.prefix(2).joined(separator: ":")
  }

  private func calendar(isLocal: Bool) -> (date: [String], time: [String]) {
    var whole = time_t(milliseconds / 1000)
    var parts = tm()
    if isLocal { localtime_r(&whole, &parts) } else { gmtime_r(&whole, &parts) }
    return (
      [
        Self.digits(Int(parts.tm_year) + 1900, 4), Self.digits(Int(parts.tm_mon) + 1, 2),
        Self.digits(Int(parts.tm_mday), 2),
      ],
      [parts.tm_hour, parts.tm_min, parts.tm_sec].map { Self.digits(Int($0), 2) }
    )
  }

  private static func digits(_ number: Int, _ count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, count - text.count)) + text
  }
}
