import JSON

/// A run, or several, as one page that needs nothing but itself: no scripts, no fonts, no other files.
struct ReportPage {
  let runs: [RecordedRun]
  /// How the only run ended; `nil` where nobody knows.
  let outcome: RunOutcome?
  /// Seconds since 1970.
  let time: Double

  private static let style = """
    *{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);\
    font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
    main{max-width:1080px;margin:0 auto;padding:32px 20px 60px}h1{font-size:26px;margin:0 0 2px}
    h2{font-size:17px;margin:34px 0 10px}p{margin:0;color:var(--dim)}
    .state{font-size:13px;font-weight:600;padding:2px 10px;border-radius:99px;background:var(--soft);\
    vertical-align:5px;margin-left:8px}.good{color:var(--good)}.bad{color:var(--bad)}
    .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:22px 0}
    .tile{background:var(--soft);border-radius:10px;padding:12px 14px}.tile b{display:block;font-size:20px}
    .tile span{color:var(--dim);font-size:13px}
    .two{display:grid;grid-template-columns:repeat(auto-fit,minmax(380px,1fr));gap:14px}
    table{border-collapse:collapse;width:100%;font-size:14px}td,th{text-align:left;padding:4px 14px 4px 0;\
    border-bottom:1px solid var(--grid);vertical-align:top;overflow-wrap:anywhere}
    th{color:var(--dim);font-weight:500}td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
    code,.mono{font:13px ui-monospace,Menlo,Consolas,monospace}.wide{overflow-x:auto}
    pre{background:var(--soft);border-radius:10px;padding:12px 14px;overflow-x:auto;margin:0;white-space:pre-wrap}
    summary{cursor:pointer;font-size:17px;font-weight:600;margin:34px 0 10px}
    """

  var html: String {
    let charts = ReportCharts(runs: runs)
    let title = runs.map(\.description.name).joined(separator: ", ")
    var parts = [
      """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(title.markup)</title>
      <style>:root{color-scheme:light dark;\(LineChart.light)}
      @media(prefers-color-scheme:dark){:root{\(LineChart.dark)}}
      \(Self.style)
      \(LineChart.style)</style></head><body><main>
      <h1>\(title.markup)\(state)</h1>
      <p>\(subtitle.markup)</p>
      """
    ]
    if runs.count == 1 { parts += runs.map(tiles) }
    if let loss = charts.loss { parts.append(loss.svg(width: 1040, height: 400)) }
    parts.append("<div class=\"two\">")
    parts += charts.others.map { $0.svg(width: 520, height: 260) }
    parts.append("</div>")
    if runs.count == 1 {
      for run in runs { parts += [validations(run), facts(run), configuration(run)] }
    } else {
      parts.append(comparison)
    }
    return (parts.filter { !$0.isEmpty } + ["</main></body></html>", ""]).joined(separator: "\n")
  }

  private var state: String {
    switch outcome {
    case .finished: "<span class=\"state good\">finished</span>"
    case .stopped: "<span class=\"state\">stopped</span>"
    case .failed: "<span class=\"state bad\">failed</span>"
    case nil: ""
    }
  }

  private var subtitle: String {
    let made = "report of " + Timestamp(time).spoken
    guard runs.count == 1, let run = runs.first else {
      return "\(runs.count) runs side by side · " + made
    }
    let planned = run.description.lastStep.map { " of \(Words.count($0))" } ?? ""
    var text = "\(Words.count(run.steps))\(planned) steps"
    if run.description.start > 0 { text += " · started " + Timestamp(run.description.start).spoken }
    return text + " · " + made
  }

  // MARK: One run

  private func tiles(_ run: RecordedRun) -> String {
    var tiles: [(String, String)] = []
    if let last = run.loss.smoothed.last {
      tiles.append((Words.loss(last.y), "loss at the end, smoothed"))
    }
    if let best = run.bestValidation {
      tiles.append((Words.loss(best.value), "best validation, step \(Words.count(best.step))"))
    }
    tiles.append((Words.short(run.tokens), "tokens"))
    tiles.append((Words.duration(run.seconds), "of updates"))
    if run.seconds > 0 {
      tiles.append(
        (Words.short(Words.whole(Double(run.tokens) / run.seconds)), "tokens per second"))
    }
    if let memory = run.memory.bounds {
      tiles.append((PlainLines.fixed(memory.upperBound, 2) + " GiB", "memory at most"))
    }
    let boxes = tiles.map {
      "<div class=\"tile\"><b>\($0.0.markup)</b><span>\($0.1.markup)</span></div>"
    }
    return "<div class=\"tiles\">\(boxes.joined())</div>"
  }

  /// The newest of each validation set.
  private func validations(_ run: RecordedRun) -> String {
    let rows = run.validations.flatMap { set in
      set.curve.stretches.suffix(12).map { stretch in
        [
          set.name.isEmpty ? "validation" : set.name, Words.count(stretch.least.step),
          Words.loss(stretch.least.value), Words.perplexity(stretch.least.value),
        ]
      }
    }
    guard !rows.isEmpty else { return "" }
    return "<h2>Validation</h2>"
      + table(["set", "step", "loss", "perplexity"], rows, numbers: [1, 2, 3])
  }

  private func facts(_ run: RecordedRun) -> String {
    let about = run.description
    var rows: [[String]] = []
    if about.parameters > 0 {
      rows.append(["parameters", Words.count(about.parameters)])
      let share = 100 * Double(about.trained) / Double(about.parameters)
      rows.append(["trained", "\(Words.count(about.trained)) (\(PlainLines.fixed(share, 2)) %)"])
    }
    rows.append(["tokens", Words.count(run.tokens)])
    rows.append(["labels", Words.count(run.labels)])
    if let mean = run.speed.mean {
      rows.append(["tokens per second, mean of steps", Words.count(Words.whole(mean))])
    }
    if run.loss.broken > 0, let first = run.loss.firstBroken {
      rows.append([
        "losses that are no numbers", "\(Words.count(run.loss.broken)), the first at step \(first)",
      ])
    }
    if let first = run.firstTime, let last = run.lastTime {
      rows.append(["first and last step", "\(first) – \(last)"])
    }
    if case .failed(let reason) = outcome { rows.append(["ended with", reason]) }
    rows.append(["folder", about.folder])
    var text = "<h2>Facts</h2>" + table([], rows, numbers: [])
    if !about.arguments.isEmpty {
      text +=
        "<h2>Started with</h2><pre><code>\(about.arguments.map(Words.quoted).joined(separator: " ").markup)</code></pre>"
    }
    return text
  }

  private func configuration(_ run: RecordedRun) -> String {
    let about = run.description
    guard !about.configuration.isEmpty else { return "" }
    let rows = about.configuration.map { key, value in
      [key, value.string ?? value.serialized(.python), about.origins[key] ?? ""]
    }
    return "<details open=\"\"><summary>Configuration</summary>"
      + table(["key", "value", "from"], rows, numbers: [], style: "mono") + "</details>"
  }

  // MARK: Several runs

  private var comparison: String {
    let rows = runs.map { run in
      [
        run.description.name, Words.count(run.steps),
        run.loss.smoothed.last.map { Words.loss($0.y) } ?? "",
        run.bestValidation.map { Words.loss($0.value) } ?? "", Words.count(run.tokens),
        Words.duration(run.seconds),
        run.seconds > 0 ? Words.count(Words.whole(Double(run.tokens) / run.seconds)) : "",
        run.memory.bounds.map { PlainLines.fixed($0.upperBound, 2) } ?? "",
      ]
    }
    let head = [
      "run", "steps", "loss", "best validation", "tokens", "time", "tokens/s", "memory (GiB)",
    ]
    return "<h2>Side by side</h2>" + table(head, rows, numbers: Set(1..<head.count))
  }

  private func table(
    _ head: [String], _ rows: [[String]], numbers: Set<Int>, style: String = ""
  ) -> String {
    func row(_ cells: [String], _ tag: String) -> String {
      let cells = cells.enumerated().map { index, cell in
        "<\(tag)\(numbers.contains(index) ? " class=\"number\"" : "")>\(cell.markup)</\(tag)>"
      }
      return "<tr>\(cells.joined())</tr>"
    }
    let top = head.isEmpty ? "" : "<thead>\(row(head, "th"))</thead>"
    let body = rows.map { row($0, "td") }.joined(separator: "\n")
    return "<div class=\"wide \(style)\"><table>\(top)<tbody>\(body)</tbody></table></div>"
  }
}
