/// A chart as an SVG picture; colours are classes, so that a page can make them light or dark.
extension LineChart {
  /// The colours that the classes in the pictures stand for.
  static let style = """
    .chart{font:12px system-ui,-apple-system,"Segoe UI",sans-serif}
    .chart text{fill:var(--dim)}.chart .title{fill:var(--ink);font-size:14px;font-weight:600}
    .chart .grid{stroke:var(--grid);stroke-width:1}.chart path{fill:none;stroke-linejoin:round}
    .chart .raw{stroke-width:1;opacity:.35}.chart .line{stroke-width:2}.chart .dots{stroke-width:1.5}
    .c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}
    .c4{stroke:var(--c4)}.c5{stroke:var(--c5)}.chart circle{stroke-width:1.5;fill:var(--paper)}
    """
  static let light = """
    --paper:#ffffff;--ink:#1c2330;--dim:#5b6575;--grid:#e4e8ee;--soft:#f5f7fa;--good:#17803d;--bad:#b42318;\
    --c0:#2563c9;--c1:#d9601a;--c2:#1d8a5f;--c3:#9b3fb5;--c4:#b8860b;--c5:#0f8ea8
    """
  static let dark = """
    --paper:#14181f;--ink:#e8ebf0;--dim:#9aa5b5;--grid:#2a313c;--soft:#1b212a;--good:#4cc38a;--bad:#ff8a7a;\
    --c0:#6ea8ff;--c1:#ff9d5c;--c2:#56d19b;--c3:#d58cf0;--c4:#e3b74e;--c5:#5ac8df
    """
  static let colours = 6

  /// The picture as a file of its own, which follows the viewer's preference for light or dark.
  func picture(width: Double = 960, height: Double = 420) -> String {
    let style = """
      <style>svg{\(Self.light);background:var(--paper)}
      @media(prefers-color-scheme:dark){svg{\(Self.dark)}}
      \(Self.style)</style>
      """
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      + svg(width: width, height: height, inside: style) + "\n"
  }

  /// The picture as a part of a page.
  func svg(width: Double, height: Double, inside: String = "") -> String {
    let frame = Frame(left: 62, right: width - 18, top: 40, bottom: height - 40)
    var parts = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" \
      viewBox="0 0 \(number(width)) \(number(height))" width="100%"><title>\(title.markup)</title>\(inside)
      <text class="title" x="\(number(frame.left))" y="22">\(title.markup)</text>
      """
    ]
    parts += grid(frame)
    parts += legend(frame)
    for series in series { parts += marks(series, frame) }
    return (parts + ["</svg>"]).joined(separator: "\n")
  }

  private struct Frame {
    var left, right, top, bottom: Double

    func x(_ share: Double) -> Double { left + (right - left) * share }

    func y(_ share: Double) -> Double { bottom - (bottom - top) * share }
  }

  private func grid(_ frame: Frame) -> [String] {
    let rows = y.ticks.map { tick -> String in
      let place = number(frame.y(y.share(tick)))
      return """
        <path class="grid" d="M\(number(frame.left)) \(place)H\(number(frame.right))"/>\
        <text x="\(number(frame.left - 8))" y="\(place)" dy="4" text-anchor="end">\(y.label(tick))</text>
        """
    }
    let columns = x.ticks.map { tick in
      """
      <text x="\(number(frame.x(x.share(tick))))" y="\(number(frame.bottom + 18))" \
      text-anchor="middle">\(x.label(tick))</text>
      """
    }
    let below = """
      <text x="\(number(frame.right))" y="\(number(frame.bottom + 33))" text-anchor="end">\(below.markup)</text>
      """
    return rows + columns + [below]
  }

  /// Names at the right above the picture.
  private func legend(_ frame: Frame) -> [String] {
    var place = frame.right
    return series.reversed().compactMap { series in
      guard let name = series.name else { return nil }
      place -= 26 + 6.6 * Double(name.count)
      let (line, text) = (number(place), number(place + 20))
      return """
        <path class="\(look(series)) c\(series.colour)" d="M\(line) 18h15"/>\
        <text x="\(text)" y="22">\(name.markup)</text>
        """
    }
  }

  private func look(_ series: Series) -> String {
    switch series.look {
    case .raw: "raw"
    case .line: "line"
    case .dots: "dots"
    }
  }

  private func marks(_ series: Series, _ frame: Frame) -> [String] {
    let places = series.points.map { (frame.x(x.share($0.x)), frame.y(y.share($0.y))) }
    let path = places.map { "\(number($0.0)) \(number($0.1))" }.joined(separator: "L")
    var parts = ["<path class=\"\(look(series)) c\(series.colour)\" d=\"M\(path)\"/>"]
    // Many dots would hide the line.
    if series.look == .dots, places.count <= 80 || places.count == 1 {
      parts += zip(places, series.points).map { place, point in
        """
        <circle class="c\(series.colour)" cx="\(number(place.0))" cy="\(number(place.1))" r="3">\
        <title>\(x.label(point.x)): \(PlainLines.fixed(point.y, 4))</title></circle>
        """
      }
    }
    return parts
  }

  private func number(_ value: Double) -> String {
    let text = PlainLines.fixed(value, 1)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}

extension String {
  /// The text as it stands in HTML and XML; what XML cannot hold is left out.
  var markup: String {
    var result = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\t", "\n": result.unicodeScalars.append(scalar)
      case "\u{0}"..."\u{1F}", "\u{7F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
