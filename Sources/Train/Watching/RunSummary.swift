import Console
import JSON
import Metrics

/// What is said when a run is over: what it came to, and where to look.
struct RunSummary {
  let tally: RunTally
  let description: RunDescription
  let outcome: RunOutcome
  /// The newest checkpoint.
  let checkpoint: String?
  /// Where records went, if anywhere.
  let plan: WatchingPlan?

  var text: String {
    let steps = Format.count(tally.steps, "step")
    let verb = outcome == .finished ? "Trained" : "Stopped after"
    let speed = tally.seconds > 0 ? Int(min(1e15, Double(tally.tokens) / tally.seconds)) : 0
    let head =
      "\(verb) \(steps) in \(Format.duration(tally.seconds)): \(Format.count(tally.tokens)) tokens, "
      + "\(Format.count(speed)) tokens/s, \(Format.bytes(tally.memory)) of memory at most."
    return ([head] + (rows.isEmpty ? [] : ["", Report.facts(rows)])).joined(separator: "\n")
  }

  private var rows: [(String, String)] {
    var rows: [(String, String)] = []
    if let first = tally.firstLoss {
      let ends = "\(PlainLines.fixed(first, 4)) → \(PlainLines.fixed(tally.loss, 4))"
      let spark = tally.steps > 2 ? Sparkline.text(tally.lossCurve, width: 40) + "  " : ""
      rows.append(("loss", spark + ends))
    }
    if let best = tally.bestValidation {
      rows.append(
        (
          "best validation",
          "\(PlainLines.fixed(best.loss, 4)) at step \(Format.count(best.step)), "
            + "perplexity \(PlainLines.fixed(best.perplexity, 3))"
        ))
    }
    if let checkpoint { rows.append(("checkpoint", checkpoint)) }
    guard let plan else { return rows }
    if plan.makesReport { rows.append(("report", plan.folder + "/report.html")) }
    rows.append(("log", plan.folder + "/" + JSONLinesWriter.trainingName))
    return rows + plan.openings(for: description).map { ($0.name, Format.command($0.words)) }
  }

  var object: JSONObject {
    var object = JSONObject([
      "status": .string(outcome == .finished ? "finished" : "stopped"),
      "step": tally.newest.map { .integer($0.step) } ?? .integer(description.firstStep),
      "steps": .integer(tally.steps),
      "tokens": .integer(tally.tokens),
      "seconds": .number(tally.seconds),
      "peakMemory": .integer(tally.memory),
      "checkpoint": checkpoint.map(JSON.string) ?? .null,
    ])
    if let newest = tally.newest { object["loss"] = .number(newest.loss) }
    if let best = tally.bestValidation {
      object["bestValidation"] = .object(
        JSONObject(["loss": .number(best.loss), "step": .integer(best.step)]))
    }
    guard let plan else { return object }
    object["log"] = .string(plan.folder + "/" + JSONLinesWriter.trainingName)
    if plan.makesReport { object["report"] = .string(plan.folder + "/report.html") }
    return object
  }
}
