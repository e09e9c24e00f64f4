import Dispatch
import Glibc
import Hub
import Synchronization

/// Shows how far files from the hub are: on a terminal a line for each that is under way and one for all of them,
/// a line every five seconds elsewhere.
///
/// Everything goes to standard error. What the lines say is made in `DownloadPicture`.
package final class DownloadDisplay: HubWatching {
  private let style: ProgressDisplay.Style

  package init(style: ProgressDisplay.Style) { self.style = style }

  package func during<Result>(
    _ progress: HubProgress, _ work: () throws(HubError) -> Result
  ) throws(HubError) -> Result {
    let farewell = "\(HubError.interrupted)"
    guard style != .none else {
      return try Interrupt.shared.stopping(progress, farewell: farewell, work)
    }
    let (ended, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    DispatchQueue(label: "downloads").async { [style] in
      Self.show(progress, style, until: ended)
      done.signal()
    }
    defer {
      ended.signal()
      done.wait()
    }
    return try Interrupt.shared.stopping(progress, farewell: farewell, work)
  }

  package func note(_ text: String) { Report.error("note: \(text)", label: "") }

  private static func show(
    _ progress: HubProgress, _ style: ProgressDisplay.Style, until ended: DispatchSemaphore
  ) {
    let start = ContinuousClock.now
    let interval = style == .bar ? 0.1 : 5.0
    var picture = DownloadPicture(progress.title)
    var height = 0
    while ended.wait(timeout: .now() + interval) == .timedOut {
      picture.update(
        progress.files, progress.activity, at: (ContinuousClock.now - start).seconds)
      if style == .bar {
        let lines = picture.lines(
          width: Environment.terminalWidth(STDERR_FILENO),
          height: Environment.terminalHeight(STDERR_FILENO))
        Report.write(erased(height) + lines.joined(separator: "\n"), to: STDERR_FILENO)
        height = lines.count
      } else if let line = picture.line {
        Report.write(line + "\n", to: STDERR_FILENO)
      }
    }
    if style == .bar { Report.write(erased(height), to: STDERR_FILENO) }
  }

  /// What takes the cursor back to where so many lines began, and clears them.
  private static func erased(_ height: Int) -> String {
    guard height > 0 else { return "" }
    return "\r" + (height > 1 ? "\u{1B}[\(height - 1)A" : "") + "\u{1B}[J"
  }
}

/// What is shown of downloads at one moment.
package struct DownloadPicture {
  /// Speeds are those of the last so many seconds.
  static let window = 10.0
  /// Not more files than this are shown, however high the terminal is.
  static let most = 12

  private let title: String
  private var files: [HubProgress.File] = []
  private var activity: String?
  private var seconds = 0.0
  /// When so many bytes had come in this run, oldest first.
  private var samples: [(seconds: Double, bytes: Int)] = [(0, 0)]

  package init(_ title: String = "download") { self.title = title }

  package mutating func update(
    _ files: [HubProgress.File], _ activity: String?, at seconds: Double
  ) {
    (self.files, self.activity, self.seconds) = (files, activity, seconds)
    let moved = files.reduce(0) { $0 + max(0, $1.done - $1.before) }
    // What proved wrong and is fetched anew is not counted backwards.
    if let last = samples.last, moved < last.bytes { samples = [] }
    samples.append((seconds, moved))
    let old = samples.prefix { $0.seconds < seconds - Self.window }
    if old.count > 1 { samples.removeFirst(old.count - 1) }
  }

  /// Bytes a second; `nil` as long as that cannot be said.
  private var speed: Double? {
    guard let first = samples.first, let last = samples.last, last.seconds - first.seconds > 0.25,
      last.bytes > first.bytes
    else { return nil }
    return Double(last.bytes - first.bytes) / (last.seconds - first.seconds)
  }

  // MARK: On a terminal

  /// The lines, none longer than the terminal is wide.
  package func lines(width: Int, height: Int) -> [String] {
    let width = max(20, width - 1)
    guard !files.isEmpty else { return activity.map { [Self.cut($0, to: width)] } ?? [] }
    let moving = files.filter { $0.state != .waiting && $0.state != .done }
    let room = max(1, min(Self.most, height - 3))
    let shown = moving.prefix(moving.count > room ? max(0, room - 1) : room)
    let names = min(width / 2, shown.map { Self.width(Self.clean($0.path)) }.max() ?? 0)
    var lines = shown.map { file in
      let name = Self.tail(Self.clean(file.path), names)
      let padding = String(repeating: " ", count: names - Self.width(name))
      return Self.cut(name + padding + "  " + describe(file, width - names - 2), to: width)
    }
    if moving.count > shown.count {
      lines.append("… and \(Format.count(moving.count - shown.count)) more")
    }
    if let activity { lines.append(Self.cut(activity, to: width)) }
    lines.append(Self.cut(total(width), to: width))
    return lines
  }

  private func describe(_ file: HubProgress.File, _ room: Int) -> String {
    if let words = Self.words(file.state) { return words }
    let text =
      "\(Self.percent(file.done, file.size))  \(Format.bytes(file.done)) of \(Format.bytes(file.size))"
    let bar = min(20, room - text.count - 2)
    return bar >= 5 ? ProgressDisplay.meter(file.done, of: file.size, bar) + "  " + text : text
  }

  private func total(_ width: Int) -> String {
    let text = totals.joined(separator: "  ")
    let bar = min(20, width - text.count - 2)
    return bar >= 5 ? ProgressDisplay.meter(done, of: size, bar) + "  " + text : text
  }

  // MARK: Elsewhere

  /// How far all of it is, in one line; `nil` if there is nothing to say.
  package var line: String? {
    guard !files.isEmpty else { return activity.map(Self.clean) }
    var parts = totals
    for file in files {
      guard file.state != .waiting, file.state != .checking,
        let words = Self.words(file.state)
      else { continue }
      parts.append("\(Self.clean(file.path)): \(words)")
      break
    }
    if let activity { parts.append(Self.clean(activity)) }
    return "\(title): " + parts.joined(separator: ", ")
  }

  private var done: Int { files.reduce(0) { $0.saturatingAdd($1.done) } }
  private var size: Int { files.reduce(0) { $0.saturatingAdd($1.size) } }

  private var totals: [String] {
    let finished = files.count { $0.state == .done }
    var parts = [
      Self.percent(done, size), "\(Format.bytes(done)) of \(Format.bytes(size))",
      "\(Format.count(finished)) of \(Format.count(files.count, "file"))",
    ]
    if let speed {
      parts.append(Format.bytes(Int(speed)) + "/s")
      parts.append(Format.clock(Double(max(0, size - done)) / speed) + " left")
    }
    return parts
  }

  // MARK: Words

  /// What a file does that is not arriving.
  static func words(_ state: HubProgress.State) -> String? {
    switch state {
    case .waiting: "waiting"
    case .moving, .done: nil
    case .checking: "checking"
    case .elsewhere: "being fetched elsewhere"
    case .retrying(let attempt, let attempts, let wait, let reason):
      "\(reason); attempt \(attempt) of \(attempts) in \(Format.clock(wait))"
    }
  }

  private static func percent(_ done: Int, _ size: Int) -> String {
    let share = size > 0 ? min(1, Double(done) / Double(size)) : 1
    return "\(Int(share * 100)) %"
  }

  /// A text of a server without what would move the cursor or turn the writing round.
  static func clean(_ text: String) -> String {
    let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: "\u{FFFD}"
      default: scalar
      }
    }
    return String(String.UnicodeScalarView(scalars))
  }

  /// The columns that a text takes on a terminal, as nearly as that can be said.
  static func width(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { $0 + width($1) }
  }

  private static func width(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark: 0
    default:
      switch scalar.value {
      case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
        0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
        2
      default: 1
      }
    }
  }

  /// The beginning of a text that fits.
  static func cut(_ text: String, to room: Int) -> String {
    var used = 0
    let kept = text.unicodeScalars.prefix { scalar in
      used += width(scalar)
      return used <= room
    }
    return String(String.UnicodeScalarView(kept))
  }

  /// The end of a name that fits: shards differ there.
  static func tail(_ name: String, _ room: Int) -> String {
    guard width(name) > room else { return name }
    var used = 1
    let kept = name.unicodeScalars.reversed().prefix { scalar in
      used += width(scalar)
      return used <= room
    }
    return "…" + String(String.UnicodeScalarView(kept.reversed()))
  }
}
