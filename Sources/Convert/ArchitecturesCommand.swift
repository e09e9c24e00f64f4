import Architectures
import ArgumentParser
import Checkpoints
import Console
import JSON

/// `convert architectures`: what can be converted.
struct ArchitecturesCommand: ParsableCommand, ReportsJSON {
  static let configuration = CommandConfiguration(
    commandName: "architectures",
    abstract: "Lists the architectures that can be converted.",
    discussion: """
      The names are those that a model's config.json has in `architectures`. The second column says whose \
      names the tensors of the Megatron checkpoint have: Megatron-Bridge's, NeMo's, or derived ones of \
      models that neither converts.

      EXAMPLES
        convert architectures
        convert architectures --json
      """)

  @Flag(help: "Print the list as one JSON object.") var json = false

  var wantsJSON: Bool { json }

  func run() throws {
    let all = Registry.all
    if json {
      Report.print(
        JSONObject([
          "architectures": .array(
            all.map { architecture in
              .object(
                JSONObject([
                  "names": architecture.names.json, "note": .string(architecture.note),
                  "megatronNames": .string(architecture.origin.rawValue),
                ]))
            })
        ]))
      return
    }
    let rows = all.flatMap { architecture in
      architecture.names.map { [$0, architecture.origin.rawValue, architecture.note] }
    }
    Report.print(Format.table(rows, indent: ""))
    Report.print(
      "\n\(Format.count(rows.count, "class")) of config.json's `architectures`.".replacing(
        "classs", with: "classes"))
    Report.print(Report.next([["convert", "inspect", "MODEL"]]))
  }
}
