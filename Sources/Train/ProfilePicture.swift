import Console
import Engine

/// A profile of one training step drawn as SVG: its layers and operations along time, the engine's memory
/// below them, and what the operations add up to.
struct ProfilePicture {
  let profile: Profile
  let title: String

  private static let width = 1200.0
  private static let left = 110.0
  private static let right = 1180.0

  /// The colour of each operation that has one.
  private static let colours = [
    "linear": "#4477aa", "loss": "#66ccee", "attention": "#228833", "rotation": "#99ddaa",
    "gate": "#ccbb44", "activation": "#ccbb44", "norm": "#ee6677", "head norm": "#ee6677",
    "gated norm": "#ee6677", "sum": "#aa3377", "update": "#775533", "gradient norm": "#aa9977",
    "embedding": "#bbbbbb", "recompute": "#dddddd",
  ]

  private func x(_ seconds: Double) -> Double {
    Self.left + (Self.right - Self.left) * seconds / max(profile.seconds, 1e-9)
  }

  private func colour(_ operation: String) -> String { Self.colours[operation] ?? "#888888" }

  /// The whole picture.
  var svg: String {
    let sums = profile.sums.filter { $0.seconds > profile.seconds / 1000 }
    let height = 390 + 20 * Double(sums.count)
    var parts = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(Self.width)) \(number(height))" \
      font-family="sans-serif" font-size="12">
      <rect width="100%" height="100%" fill="white"/>
      """,
      text(20, 26, title, size: 16),
    ]
    parts += stretches(top: 44)
    parts += operations(top: 94)
    parts += memory(top: 170, height: 110)
    parts += ticks(y: 300)
    parts += bars(sums, top: 340)
    return (parts + ["</svg>", ""]).joined(separator: "\n")
  }

  /// Layers one behind the other: what follows in the same place, the same way, is one box.
  private func stretches(top: Double) -> [String] {
    var boxes: [(place: String, isBackward: Bool, start: Double, end: Double)] = []
    for entry in profile.entries.sorted(by: { $0.start < $1.start }) {
      let end = entry.start + entry.seconds
      if let last = boxes.last, last.place == entry.place, last.isBackward == entry.isBackward {
        boxes[boxes.count - 1].end = max(last.end, end)
      } else {
        boxes.append((entry.place, entry.isBackward, entry.start, end))
      }
    }
    return [text(20, top + 20, "layers")]
      + boxes.enumerated().map { index, box in
        let shade =
          box.isBackward
          ? (index % 2 == 0 ? "#e9c7a5" : "#f3dcc5") : (index % 2 == 0 ? "#a5c3e9" : "#c5d8f3")
        return rectangle(
          x(box.start), top, x(box.end) - x(box.start), 30, shade,
          "\(box.place), \(box.isBackward ? "backward" : "forward"): "
            + milliseconds(box.end - box.start))
      }
  }

  private func operations(top: Double) -> [String] {
    [text(20, top + 30, "operations")]
      + profile.entries.sorted { $0.start < $1.start }.map { entry in
        rectangle(
          x(entry.start), top, x(entry.start + entry.seconds) - x(entry.start), 50,
          colour(entry.operation),
          "\(entry.operation), \(entry.place), \(entry.isBackward ? "backward" : "forward"): "
            + milliseconds(entry.seconds))
      }
  }

  private func memory(top: Double, height: Double) -> [String] {
    let most = Double(profile.entries.map(\.bytes).max() ?? 1)
    let points = profile.entries.sorted { $0.start + $0.seconds < $1.start + $1.seconds }
      .map { entry in
        let y = top + height * (1 - Double(entry.bytes) / max(1, most))
        return "\(number(x(entry.start + entry.seconds))),\(number(y))"
      }
    return [
      text(20, top + 14, "memory"),
      text(20, top + 30, Format.bytes(Int(most))),
      """
      <polyline fill="none" stroke="#444444" stroke-width="1.5" points="\(points.joined(separator: " "))"/>
      """,
      line(Self.left, top + height, Self.right, top + height),
    ]
  }

  private func ticks(y: Double) -> [String] {
    var step = 0.001
    while profile.seconds / step > 12 { step *= step * 10 > 1 ? 5 : 10 }
    return stride(from: 0, through: profile.seconds, by: step).map {
      text(x($0) - 8, y, number($0 * 1000)) + line(x($0), y - 20, x($0), y - 14)
    } + [text(20, y, "ms")]
  }

  private func bars(_ sums: [Profile.Sum], top: Double) -> [String] {
    let longest = sums.first?.seconds ?? 1
    return sums.enumerated().flatMap { index, sum in
      let y = top + 20 * Double(index)
      let length = 600 * sum.seconds / longest
      let way = sum.isBackward ? "backward" : "forward"
      return [
        text(20, y + 13, "\(sum.operation), \(way)"),
        rectangle(210, y, length, 16, colour(sum.operation), sum.operation),
        text(
          218 + length, y + 13,
          milliseconds(sum.seconds)
            + " · \(Format.fixed(100 * sum.seconds / profile.seconds, 1)) % · \(sum.count) times"),
      ]
    }
  }

  // MARK: Pieces

  private func number(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : Format.fixed(value, 2)
  }

  private func milliseconds(_ seconds: Double) -> String {
    Format.fixed(1000 * seconds, 1) + " ms"
  }

  private func rectangle(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ colour: String, _ note: String
  ) -> String {
    """
    <rect x="\(number(x))" y="\(number(y))" width="\(number(max(width, 0.2)))" \
    height="\(number(height))" fill="\(colour)"><title>\(note)</title></rect>
    """
  }

  private func text(_ x: Double, _ y: Double, _ value: String, size: Int = 12) -> String {
    #"<text x="\#(number(x))" y="\#(number(y))" font-size="\#(size)">\#(value)</text>"#
  }

  private func line(_ x: Double, _ y: Double, _ toX: Double, _ toY: Double) -> String {
    """
    <line x1="\(number(x))" y1="\(number(y))" x2="\(number(toX))" y2="\(number(toY))" \
    stroke="#888888"/>
    """
  }
}

extension Profile {
  /// What the operations add up to, as a Markdown table.
  var table: String {
    let total = max(seconds, 1e-9)
    func row(_ name: String, _ way: String, _ count: String, _ seconds: Double) -> String {
      let share = Format.fixed(100 * seconds / total, 1) + " %"
      return
        "| \(name) | \(way) | \(count) | \(Format.fixed(1000 * seconds, 1)) | \(share) |"
    }
    let rows = sums.map {
      row($0.operation, $0.isBackward ? "backward" : "forward", String($0.count), $0.seconds)
    }
    return
      (["| operation | way | times | ms | share |", "|---|---|---|---|---|"] + rows
      + [row("between operations", "", "", restSeconds), row("step", "", "", total)])
      .joined(separator: "\n")
  }
}
