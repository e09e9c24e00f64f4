import Console
import Metrics

/// The lines that a terminal shows of a run while it goes on: how far it is, its numbers, its losses.
///
/// Text only; `RunView` puts it on the terminal.
struct LiveBlock {
  let tally: RunTally
  let description: RunDescription
  /// Since this process began its first step.
  let seconds: Double
  /// The losses on validation sets of this process, the newest last.
  let validation: ValidationRecord?
  let hasColour: Bool

  /// Three lines, none of them longer than `width`.
  func lines(width: Int) -> [String] {
    [progress(width), numbers(width), losses(width)].map { $0.text(upTo: width, hasColour) }
  }

  private var step: Int { tally.newest?.step ?? description.firstStep }

  /// Share, bar, steps, time.
  private func progress(_ width: Int) -> Line {
    var line = Line()
    guard let last = description.lastStep, last > 0 else {
      line.add("step ", .faint)
      line.add(Format.count(step), .plain)
      line.add("  " + Format.clock(seconds), .faint)
      return line
    }
    let share = min(1, Double(step) / Double(last))
    var right = "  step \(Format.count(step))/\(Format.count(last))"
    if let epoch = tally.newest?.epoch { right += "  epoch \(epoch)" }
    right += "  " + Format.clock(seconds)
    if tally.steps > 0 {
      right += ", \(Format.clock(tally.secondsPerStep * Double(last - step))) left"
    }
    let percent = "\(Int(share * 100)) %"
    let room = min(40, width - percent.count - right.count - 2)
    if room >= 8 {
      let filled = Int(share * Double(room))
      line.add(String(repeating: "━", count: filled), .accent)
      line.add(String(repeating: "─", count: room - filled) + "  ", .faint)
    }
    line.add(percent, .plain)
    line.add(right, .faint)
    return line
  }

  private func numbers(_ width: Int) -> Line {
    var line = Line()
    guard let newest = tally.newest else {
      line.add("first step …", .faint)
      return line
    }
    let numbers = [
      ("loss", PlainLines.fixed(tally.loss, 4)),
      ("grad norm", PlainLines.fixed(newest.gradientNorm, 3)),
      ("lr", PlainLines.exponential(newest.rate)),
      (
        "tokens/s",
        tally.tokensPerSecond.isFinite ? Format.count(Int(min(tally.tokensPerSecond, 1e15))) : "–"
      ),
      ("memory", Format.bytes(newest.memory)),
    ]
    for (index, (name, value)) in numbers.enumerated() {
      line.add((index > 0 ? "   " : "") + name + " ", .faint)
      line.add(value, name == "loss" ? .strong : .plain)
    }
    return line
  }

  private func losses(_ width: Int) -> Line {
    var line = Line()
    guard tally.steps > 1, let first = tally.firstLoss else { return line }
    var right = "  \(PlainLines.fixed(first, 2)) → \(PlainLines.fixed(tally.loss, 2))"
    if let validation {
      right +=
        "   validation \(PlainLines.fixed(validation.loss, 4)) at step \(Format.count(validation.step))"
    }
    let spark = Sparkline.text(tally.lossCurve, width: min(60, width - right.count))
    line.add(spark, .accent)
    line.add(right, .faint)
    return line
  }
}

/// A line of a terminal in pieces of different looks.
struct Line {
  enum Look: String {
    case plain = ""
    case faint = "\u{1B}[2m"
    case strong = "\u{1B}[1m"
    case accent = "\u{1B}[36m"
  }

  private var pieces: [(text: String, look: Look)] = []

  mutating func add(_ text: String, _ look: Look) { pieces.append((text, look)) }

  /// The line cut to a width, with or without colours.
  func text(upTo width: Int, _ hasColour: Bool) -> String {
    var room = max(0, width)
    var result = ""
    for piece in pieces {
      let text = String(piece.text.prefix(room))
      room -= text.count
      let isPlain = !hasColour || piece.look == .plain || text.isEmpty
      result += isPlain ? text : piece.look.rawValue + text + "\u{1B}[0m"
    }
    return result
  }
}
