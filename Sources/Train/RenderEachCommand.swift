import ArgumentParser
import Console
import JSON
import Jinja

/// `train tokenizer render-each`: many templates, each with its own variables.
///
/// Not listed in the help: `scripts/check-templates` holds what it answers against jinja2.
struct RenderEachCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "render-each",
    abstract:
      "Renders the template of each line; prints the text and what generation blocks rendered.",
    shouldDisplay: false)

  @Option(help: "The time that templates see.")
  var now = "2026-01-02T03:04:05"

  func run() throws {
    try Lines.each { line, output throws in
      let object = try line.json().object
      guard let source = object?["template"]?.string,
        let variables = object?["variables"]?.object
      else {
        throw LineError(
          line: line.number, column: nil, reason: "a template and its variables are expected")
      }
      var answer: JSONObject
      do throws(TemplateError) {
        let rendering = try Template(source, name: "template").render(
          variables, now: LocalTime(iso: now))
        answer = [
          "out": .string(rendering.text),
          "generated": .array(
            rendering.generated.map { .array([.integer($0.lowerBound), .integer($0.upperBound)]) }),
        ]
      } catch {
        answer = ["error": .string("\(error)")]
      }
      output.write(JSON.object(answer).serializedBytes(.python))
    }
  }
}
