import Glibc

/// A moment as a clock on the wall shows it, without a time zone.
public struct LocalTime: Sendable, Equatable {
  private let year: Int
  private let month: Int
  private let day: Int
  private let hour: Int
  private let minute: Int
  private let second: Int
  private let microsecond: Int

  /// Reads `2026-01-02`, `2026-01-02T03:04` or `2026-01-02T03:04:05[.123456]`; `nil` for anything else.
  public init?(iso text: String) {
    let halves = text.split(maxSplits: 1, omittingEmptySubsequences: false) {
      $0 == "T" || $0 == " "
    }
    func numbers(_ part: Substring, _ separator: Character, _ widths: [Int]) -> [Int]? {
      let words = part.split(separator: separator, omittingEmptySubsequences: false)
      guard words.count <= widths.count else { return nil }
      var result: [Int] = []
      for (word, width) in zip(words, widths) {
        guard word.utf8.count == width, word.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }),
          let number = Int(word)
        else { return nil }
        result.append(number)
      }
      return result
    }
    guard let date = halves.first, let days = numbers(date, "-", [4, 2, 2]), days.count == 3 else {
      return nil
    }
    var times = [0, 0]
    var fraction = 0
    if halves.count > 1 {
      let parts = halves[1].split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count <= 2, let clock = numbers(parts[0], ":", [2, 2, 2]), clock.count >= 2 else {
        return nil
      }
      times = clock
      if parts.count == 2 {
        let digits = parts[1]
        guard clock.count == 3, (1...6).contains(digits.utf8.count), let value = Int(digits),
          value >= 0
        else { return nil }
        fraction = value
        for _ in digits.utf8.count..<6 { fraction *= 10 }
      }
    }
    self.init(
      [days[0], days[1], days[2], times[0], times[1], times.count > 2 ? times[2] : 0, fraction])
    let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard year > 0, (1...12).contains(month), day >= 1, day <= lengths[month - 1], hour < 24,
      minute < 60, second < 60
    else { return nil }
  }

  private init(_ parts: [Int]) {
    year = parts[0]
    month = parts[1]
    day = parts[2]
    hour = parts[3]
    minute = parts[4]
    second = parts[5]
    microsecond = parts[6]
  }

  private var isLeap: Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  /// The time of this machine, in its time zone.
  public static func current() -> LocalTime {
    var moment = timespec()
    clock_gettime(CLOCK_REALTIME, &moment)
    var parts = tm()
    localtime_r(&moment.tv_sec, &parts)
    return LocalTime([
      Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday), Int(parts.tm_hour),
      Int(parts.tm_min), Int(parts.tm_sec), moment.tv_nsec / 1000,
    ])
  }

  /// The moment in a format of C's `strftime`, with `%f` for microseconds as Python has it.
  func text(_ format: String) throws(Fault) -> String {
    var plain: [UInt8] = []
    var isEscape = false
    for byte in format.utf8 {
      guard byte != 0, plain.count < 4096 else {
        throw .value("The format of a date is too long, or holds a NUL.")
      }
      if isEscape {
        isEscape = false
        switch byte {
        case UInt8(ascii: "f"):
          let digits = String(microsecond)
          plain += (String(repeating: "0", count: 6 - digits.utf8.count) + digits).utf8
        // A moment on the wall has no time zone, and Python prints nothing for it.
        case UInt8(ascii: "z"), UInt8(ascii: "Z"): break
        default: plain += [Byte.percent, byte]
        }
      } else if byte == Byte.percent {
        isEscape = true
      } else {
        plain.append(byte)
      }
    }
    if isEscape { plain.append(Byte.percent) }
    guard !plain.isEmpty else { return "" }
    var parts = tm()
    parts.tm_year = Int32(year - 1900)
    parts.tm_mon = Int32(month - 1)
    parts.tm_mday = Int32(day)
    parts.tm_hour = Int32(hour)
    parts.tm_min = Int32(minute)
    parts.tm_sec = Int32(second)
    // Finds the day of the week and of the year.
    timegm(&parts)
    parts.tm_isdst = -1
    var buffer = [CChar](repeating: 0, count: plain.count * 16 + 256)
    let count = strftime(&buffer, buffer.count, plain.map { CChar(bitPattern: $0) } + [0], &parts)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
