import Checkpoints
import Dispatch
import Glibc
import Synchronization

/// Shows how far a transfer is: a bar on a terminal, a line every five seconds elsewhere.
///
/// Everything goes to standard error, so that standard output holds results only.
package final class ProgressDisplay: Sendable {
  package enum Style: Sendable {
    case none
    case bar
    case lines
  }

  private let label: String
  private let total: Int
  private let progress: TransferProgress
  private let style: Style
  /// What is counted; `nil` counts bytes.
  private let unit: String?
  private let start = ContinuousClock.now
  private let ended = DispatchSemaphore(value: 0)
  private let done = DispatchSemaphore(value: 0)

  /// - Parameters:
  ///   - total: the number that `progress.bytes` will reach.
  ///   - unit: what is counted, where it is not bytes: `sample`.
  package init(
    _ label: String, total: Int, _ progress: TransferProgress, style: Style, unit: String? = nil
  ) {
    self.unit = unit
    self.label = label
    self.total = total
    self.progress = progress
    self.style = style
  }

  /// The style for this process's standard error.
  package static func style(isHidden: Bool) -> Style {
    if isHidden || Environment.isSet("HF_HUB_DISABLE_PROGRESS_BARS") { return .none }
    return Environment.isTerminal(STDERR_FILENO) ? .bar : .lines
  }

  /// Shows the progress of `body`, and returns its result with the seconds it took.
  package func during<Result>(_ body: () throws -> Result) rethrows -> (
    result: Result, seconds: Double
  ) {
    if style != .none {
      DispatchQueue(label: "progress").async { [self] in
        show()
        done.signal()
      }
    }
    defer {
      if style != .none {
        ended.signal()
        done.wait()
      }
    }
    let result = try body()
    return (result, seconds)
  }

  private var seconds: Double {
    let (whole, rest) = (ContinuousClock.now - start).components
    return Double(whole) + Double(rest) * 1e-18
  }

  private func show() {
    let interval = style == .bar ? 0.1 : 5.0
    while ended.wait(timeout: .now() + interval) == .timedOut {
      switch style {
      case .bar:
        let line = Self.bar(
          label, done: progress.bytes, of: total, seconds: seconds, unit: unit,
          width: Environment.terminalWidth(STDERR_FILENO))
        Report.write("\r\u{1B}[K" + line, to: STDERR_FILENO)
      case .lines:
        Report.write(
          label + ": "
            + Self.numbers(done: progress.bytes, of: total, seconds: seconds, unit: unit)
            .joined(separator: ", ") + "\n",
          to: STDERR_FILENO)
      case .none: return
      }
    }
    if style == .bar { Report.write("\r\u{1B}[K", to: STDERR_FILENO) }
  }

  /// Share, bytes or what is counted, speed and time left.
  package static func numbers(
    done: Int, of total: Int, seconds: Double, unit: String? = nil
  ) -> [String] {
    let share = total > 0 ? Double(done) / Double(total) : 1
    let speed = seconds > 0 ? Double(done) / seconds : 0
    var parts = [
      "\(Int(min(1, share) * 100)) %",
      unit.map { "\(Format.count(done)) of \(Format.count(total, $0))" }
        ?? "\(Format.bytes(done)) of \(Format.bytes(total))",
    ]
    if speed > 0 {
      parts.append((unit == nil ? Format.bytes(Int(speed)) : Format.digits(speed)) + "/s")
      parts.append(Format.clock(Double(max(0, total - done)) / speed) + " left")
    }
    return parts
  }

  /// One line with a bar, not longer than `width`.
  package static func bar(
    _ label: String, done: Int, of total: Int, seconds: Double, unit: String? = nil, width: Int
  ) -> String {
    let numbers = numbers(done: done, of: total, seconds: seconds, unit: unit)
    let text = numbers.joined(separator: "  ")
    let room = min(30, width - label.count - text.count - 5)
    guard room >= 5 else { return String("\(label) \(text)".prefix(max(0, width - 1))) }
    return label + " " + meter(done, of: total, room) + "  " + text
  }

  /// A bar of so many columns.
  package static func meter(_ done: Int, of total: Int, _ room: Int) -> String {
    let share = total > 0 ? max(0, min(1, Double(done) / Double(total))) : 1
    let filled = Int(share * Double(room))
    return String(repeating: "━", count: filled) + String(repeating: "─", count: room - filled)
  }
}

/// What the surroundings say about how to talk.
package enum Environment {
  /// Whether a variable has a value other than nothing, 0, no or false.
  package static func isSet(_ name: String) -> Bool {
    guard let value = getenv(name) else { return false }
    return !["", "0", "no", "false"].contains(String(cString: value).lowercased())
  }

  /// Whether a descriptor is a terminal that understands moving the cursor.
  package static func isTerminal(_ descriptor: Int32) -> Bool {
    guard isatty(descriptor) == 1 else { return false }
    return getenv("TERM").map { String(cString: $0) } != "dumb"
  }

  /// Whether to colour what goes to a descriptor; `NO_COLOR` with any value forbids it.
  package static func hasColour(_ descriptor: Int32) -> Bool {
    let isForbidden = getenv("NO_COLOR").map { !String(cString: $0).isEmpty } ?? false
    return isTerminal(descriptor) && !isForbidden
  }

  package static func terminalWidth(_ descriptor: Int32) -> Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  package static func terminalHeight(_ descriptor: Int32) -> Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return 24 }
    return Int(size.ws_row)
  }

  /// The processors there are to work on.
  package static var processors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// The folder for temporary files.
  package static var temporaryFolder: String {
    guard let value = getenv("TMPDIR") else { return "/tmp" }
    let path = String(cString: value)
    return path.isEmpty ? "/tmp" : path
  }
}
