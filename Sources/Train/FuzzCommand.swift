import ArgumentParser
import Console
import Glibc
import JSON
import Jinja
import Tensors

/// A kind of file that is read from anywhere, and what reads it.
struct FuzzArea {
  let name: String
  /// Reads an input; throwing is refusing it.
  let read: @Sendable ([UInt8]) throws -> Void

  /// One entry for each: `scripts/check-fuzz` gives them their corpus.
  static let all: [FuzzArea] = [
    datasets, configurations, indexed, arrays, tokenizers, logs,
    FuzzArea(name: "templates") { bytes in
      var limits = Limits()
      limits.steps = 200_000
      limits.bytes = 1 << 20
      let source = String(decoding: bytes, as: UTF8.self)
      _ = try Template(source).render(chat, limits: limits)
    },
  ]

  /// A conversation with a bit of everything that templates look for.
  private static let chat: JSONObject = {
    func message(_ role: String, _ content: JSON, _ more: JSONObject = [:]) -> JSON {
      var message: JSONObject = ["role": .string(role), "content": content]
      for (name, value) in more.members { message[name] = value }
      return .object(message)
    }
    let call: JSON = .object([
      "id": .string("abcdefghi"), "type": .string("function"),
      "function": .object([
        "name": .string("weather"), "arguments": .object(["city": .string("Zürich")]),
      ]),
    ])
    return [
      "messages": .array([
        message("system", .string("Be brief.")), message("user", .string("What is 2+2?\n")),
        message(
          "assistant", .string("<think>\nhm\n</think>\n4"), ["reasoning_content": .string("hm")]),
        message("user", .array([.object(["type": .string("text"), "text": .string("And 3?")])])),
        message("assistant", .null, ["tool_calls": .array([call])]),
        message("tool", .string("{\"t\": 20}"), ["name": .string("weather")]),
      ]),
      "tools": .array([call]), "documents": .null, "add_generation_prompt": .bool(true),
      "bos_token": .string("<s>"), "eos_token": .string("</s>"),
      "n": .integer(7), "f": .number(2.5), "s": .string("Hello"), "l": .array([.integer(1)]),
      "d": .object(["a": .integer(1)]),
    ]
  }()
}

/// `train fuzz`: feeds changed files to what reads them.
///
/// Not listed in the help: `scripts/check-fuzz` runs it, and takes note if it dies. It prints the number of each input
/// before reading it, so that the input can be made again from the seed.
struct FuzzCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fuzz", abstract: "Feeds changed files to what reads them.", shouldDisplay: false)

  @Argument(help: "Which kind of files.")
  var area: String

  @Option(help: "What the changes depend on.")
  var seed: UInt64 = 1

  @Option(help: "The number of the first input.")
  var from = 0

  @Option(help: "How many inputs.")
  var count = 1000

  @Option(help: "A file that lists the corpus, a path to a line.")
  var corpus: String

  @Flag(help: "Print the first input itself, and read nothing.")
  var show = false

  func validate() throws {
    guard FuzzArea.all.contains(where: { $0.name == area }) else {
      throw ValidationError("The areas are \(FuzzArea.all.map(\.name).joined(separator: ", ")).")
    }
    guard from >= 0, count > 0 else { throw ValidationError("--count must be at least 1.") }
  }

  func run() throws {
    guard let area = FuzzArea.all.first(where: { $0.name == area }) else { return }
    let list = String(decoding: try InputFile(corpus).readAll(), as: UTF8.self)
    let corpus = try list.split(separator: "\n").map { try InputFile(String($0)).readAll() }
    if show {
      var mutator = Mutator(seed: seed, index: from, corpus: corpus)
      var writer = LineWriter()
      writer.write(mutator.input())
      writer.flush()
      return
    }
    var accepted = 0
    for index in from..<from + count {
      var mutator = Mutator(seed: seed, index: index, corpus: corpus)
      let input = mutator.input()
      Report.print("\(index)")
      let seconds = MachinePeak.seconds {
        do {
          try area.read(input)
          accepted += 1
        } catch {
          // A refusal must be able to say why.
          precondition(!"\(error)".isEmpty, "an error without words")
        }
      }
      if seconds > 0.5 { Report.print("slow \(index) \(seconds)") }
    }
    Report.print("done \(count) \(accepted)")
  }
}
