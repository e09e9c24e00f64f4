import Foundation
import JSON
import Support
import Testing

@testable import Jinja

/// The lines of a file of JSON, each an object.
func rows(_ url: URL) throws -> [JSONObject] {
  let lines = Array(try Data(contentsOf: url)).split(separator: 0x0A)
  return try lines.map { line in
    try #require(try JSON(parsing: Array(line), allowingNonFinite: true).object)
  }
}

let templates = Support.fixtures.appending(path: "templates")

func sampleVariables() throws -> JSONObject {
  let bytes = Array(try Data(contentsOf: templates.appending(path: "variables.json")))
  return try #require(try JSON(parsing: bytes).object)
}

let now = LocalTime(iso: "2026-01-02T03:04:05")

/// What a template gives with some variables, or the error.
func outcome(_ source: String, _ variables: JSONObject = [:]) -> Result<Rendering, TemplateError> {
  Result { () throws(TemplateError) in try Template(source).render(variables, now: now) }
}

@Suite("Templates") struct TemplateTests {
  /// Python's `json.dumps("\x7fé")`, and the same with `ensure_ascii=False`.
  @Test func onlyJSONInASCIIEscapesTheDeleteCharacter() throws {
    let template = try Template("{{ x | tojson(ensure_ascii=true) }} {{ x | tojson }}")
    let rendering = try template.render(["x": .string("\u{7F}é")])
    #expect(rendering.text == #""\u007f\u00e9" "\#u{7F}é""#)
  }

  @Test("render as jinja2 does in the environment of transformers")
  func fixtures() throws {
    let variables = try sampleVariables()
    let cases = try rows(templates.appending(path: "cases.jsonl"))
    #expect(cases.count > 250)
    for row in cases {
      let source = try #require(row["template"]?.string)
      switch outcome(source, variables) {
      case .success(let rendering):
        // Compared by bytes: Swift holds more texts for equal than Python does.
        #expect(
          row["out"]?.string.map { Array($0.utf8) } == Array(rendering.text.utf8), "\(source)")
        let generated = (row["generated"]?.array ?? []).map {
          $0.array?.compactMap(\.integer) ?? []
        }
        #expect(
          rendering.generated.map { [$0.lowerBound, $0.upperBound] } == generated, "\(source)")
      case .failure(let error):
        #expect(row["refused"] != nil, "\(source): \(error)")
      }
    }
  }

  @Test("of real models render every conversation as transformers does")
  func reference() throws {
    guard let folder = Support.reference?.appending(path: "chat") else { return }
    let conversations = try #require(
      try JSON(parsing: Array(Data(contentsOf: folder.appending(path: "chat_cases.json")))).object)
    var read: [String: Template] = [:]
    for row in try rows(folder.appending(path: "chat_templates.jsonl")) {
      let file = try #require(row["template"]?.string)
      let name = try #require(row["case"]?.string)
      let source = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
      let template = try read[file] ?? Template(source, name: file)
      read[file] = template
      var variables: JSONObject = [
        "bos_token": .string("<s>"), "eos_token": .string("</s>"), "unk_token": .string("<unk>"),
        "pad_token": .string("<pad>"),
        "tools": .null, "documents": .null,
      ]
      for (key, value) in try #require(conversations[name]?.object).members {
        variables[key] = value
      }
      do throws(TemplateError) {
        let text = try template.render(variables, now: now).text
        #expect(row["out"]?.string == text, "\(file), \(name)")
      } catch {
        #expect(row["error"] != nil, "\(file), \(name): \(error)")
      }
    }
    #expect(read.count >= 60)
  }

  @Test("are rendered by several threads at once")
  func threads() async throws {
    let template = try Template("{% for i in range(n) %}{{ i }}{% endfor %}{% set x = n %}{{ x }}")
    let texts = try await withThrowingTaskGroup(of: (Int, String).self) { group in
      for n in 0..<50 { group.addTask { (n, try template.render(["n": .integer(n)]).text) } }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    for n in 0..<50 { #expect(texts[n] == (0..<n).map(String.init).joined() + "\(n)") }
  }

  @Test("see the variables given and nothing of them changes")
  func variables() throws {
    let template = try Template("{% set l = [1] %}{{ l }}{{ d }}")
    let variables: JSONObject = ["l": .array([.integer(5)]), "d": .object(["a": .null])]
    for _ in 0..<2 { #expect(try template.render(variables).text == "[1]{'a': None}") }
  }
}

@Suite("Conversations") struct ConversationTests {
  @Test("become the text that apply_chat_template gives")
  func fixtures() throws {
    for row in try rows(templates.appending(path: "conversations.jsonl")) {
      var conversation = Conversation(
        messages: try #require(row["messages"]?.array).compactMap(\.object),
        tools: row["tools"]?.array, documents: row["documents"]?.array)
      conversation.addsGenerationPrompt = row["add_generation_prompt"]?.bool ?? false
      switch row["continue_final_message"] {
      case .bool(true)?: conversation.continued = "content"
      case .string(let member)?: conversation.continued = member
      default: break
      }
      if let thinking = row["enable_thinking"] {
        conversation.variables["enable_thinking"] = thinking
      }
      let template = try Template(try #require(row["template"]?.string))
      do throws(Conversation.Problem) {
        let text = try conversation.rendered(by: template).text
        #expect(row["out"]?.string == text)
      } catch {
        #expect(row["refused"] != nil, "\(error)")
      }
    }
  }
}
