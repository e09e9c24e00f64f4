import Configuration
import Console
import JSON

/// What a run would be: its configuration with the origin of every value.
struct RunPlanReport {
  let configuration: RunConfiguration

  init(_ configuration: RunConfiguration) { self.configuration = configuration }

  func print() {
    var lines: [String] = []
    let rows = configuration.effective().filter { !$0.value.isNull }
    lines.append("Configuration")
    lines.append(
      Format.table(rows.map { [$0.key, Self.text($0.value), "\($0.origin)"] }))
    lines += Report.notes(configuration.notes)
    Report.print(lines.joined(separator: "\n"))
  }

  private static func text(_ value: JSON) -> String {
    if let text = value.string { return text }
    return value.serialized()
  }

  var object: JSONObject {
    var values = JSONObject()
    for entry in configuration.effective() {
      values[entry.key] = .object(["value": entry.value, "origin": .string("\(entry.origin)")])
    }
    return [
      "configuration": .object(values), "notes": configuration.notes.json,
      "ineffective": configuration.ineffective.json, "unknown": configuration.unknown.json,
    ]
  }
}
