import ArgumentParser
import Console
import JSON
import Metrics
import Tensors

/// `train report`: draws how a run went out of its logs, or several runs in the same pictures.
struct ReportCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Draws a run's curves from its logs, or those of several runs side by side.",
    discussion: """
      Reads training.jsonl and validation.jsonl, Automodel's too, and writes report.html, loss.svg and \
      loss.png. Runs do it by themselves when they end; this is for runs that were killed, that still go \
      on, or that are to be compared.

      EXAMPLES
        train report ./tuned
        train report ./lr-1e-4 ./lr-3e-4 --output ./compared
      """)

  @Argument(
    help: ArgumentHelp("Run folders, or folders with a training.jsonl.", valueName: "folder"))
  var folders: [String]

  @Option(
    help: ArgumentHelp(
      "Where the pictures go. (default: the folder of the only run)", valueName: "folder"))
  var output: String?

  @Flag(name: .customLong("json"), help: "Print the result as one JSON object.")
  var json = false

  var wantsJSON: Bool { json }

  func validate() throws {
    if folders.count > 1, output == nil {
      throw ValidationError("Several runs need --output, a folder for the pictures they share.")
    }
  }

  func run() throws {
    var known = try folders.map { try RunDescription(runIn: $0) }
    // Runs of one name are told apart by their folders.
    if Set(known.map(\.name)).count < known.count {
      for (index, folder) in folders.enumerated() { known[index].name = folder }
    }
    let runs = try zip(folders, known).map { try RecordedRun(folder: $0, $1) }
    let written = try RunReport(runs).write(to: output ?? folders[0])
    if json {
      return Report.print([
        "written": written.json, "runs": .array(runs.map { .object($0.object) }),
      ])
    }
    for run in runs {
      Report.print(run.description.name)
      Report.print(Report.facts(run.facts))
    }
    Report.print(Report.facts(written.map { ("written", $0) }))
  }
}

extension RecordedRun {
  fileprivate var facts: [(String, String)] {
    var facts = [("steps", Format.count(steps)), ("tokens", Format.count(tokens))]
    let losses = lossCurve
    if let first = losses.first, let last = losses.last {
      let ends = "\(PlainLines.fixed(first, 4)) → \(PlainLines.fixed(last, 4))"
      facts.append(("loss", Sparkline.text(losses, width: 40) + "  " + ends))
    }
    if let best = bestValidationLoss {
      facts.append(
        (
          "best validation", "\(PlainLines.fixed(best.loss, 4)) at step \(Format.count(best.step))"
        ))
    }
    return facts
  }

  fileprivate var object: JSONObject {
    var object: JSONObject = [
      "name": .string(description.name), "steps": .integer(steps), "tokens": .integer(tokens),
      "seconds": .number(seconds),
    ]
    if let best = bestValidationLoss {
      object["bestValidation"] = .object(["loss": .number(best.loss), "step": .integer(best.step)])
    }
    return object
  }
}
