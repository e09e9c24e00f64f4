import ArgumentParser
import Checkpoints
import Console
import JSON
import Jinja
import Tensors
import Tokenizers

/// `train tokenizer render`: conversations to texts, by a chat template.
struct RenderCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "render",
    abstract: "Turns conversations into texts by a chat template.",
    discussion: """
      Each line of standard input is a JSON object whose members are the template's variables: messages, \
      tools, documents, add_generation_prompt and whatever else it asks for. What is absent and \
      names a special token of the tokenizer is filled in. Each line of standard output is the text as a \
      JSON string, or {"error": …} where the template refuses the conversation.

      EXAMPLES
        echo '{"messages":[{"role":"user","content":"Hi"}]}' | train tokenizer render --tokenizer ./llama
        train tokenizer render --template chat.jinja --now 2026-01-02T03:04:05 < chats.jsonl
      """)

  @Option(
    help: ArgumentHelp(
      "The template's file. (default: the tokenizer's own)", valueName: "file.jinja"))
  var template: String?

  @Option(
    help: ArgumentHelp(
      "Where special tokens and the template come from: a model's folder, or a tokenizer's file.",
      valueName: "dir|file"))
  var tokenizer: String?

  @Option(
    help: ArgumentHelp(
      "How a text is cut into words, for tokenizer files that do not say it.", valueName: "regex"))
  var pattern: String?

  @Option(
    name: .customLong("template-name"),
    help: ArgumentHelp(
      "Which of several templates. (default: default, or tool_use where tools are given)",
      valueName: "name"))
  var templateName: String?

  @Option(
    help: ArgumentHelp(
      "The time that templates see, such as 2026-01-02T03:04:05. (default: that of the machine)",
      valueName: "iso-time"))
  var now: String?

  func validate() throws {
    guard template != nil || tokenizer != nil else {
      throw ValidationError(
        "Name the template with --template, or a tokenizer that has one with --tokenizer.")
    }
    guard template == nil || templateName == nil else {
      throw ValidationError(
        "--template is one template; --template-name chooses among a tokenizer's.")
    }
    if let now, LocalTime(iso: now) == nil {
      throw ValidationError("--now must be a time such as 2026-01-02T03:04:05, not \"\(now)\".")
    }
  }

  func run() throws {
    let tokenizer = try tokenizer.map {
      try Tokenizer(path: TokenizerPlace.find($0), pattern: pattern)
    }
    let special = tokenizer?.special.variables ?? JSONObject()
    var templates: [(name: String, template: Template)] = []
    let time = now.flatMap { LocalTime(iso: $0) }
    try Lines.each { line, output throws in
      guard case .object(var variables) = try line.json() else {
        throw LineError(
          line: line.number, column: nil,
          reason:
            "a JSON object is expected, such as {\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}"
        )
      }
      for (name, value) in special.members where variables[name] == nil {
        variables[name] = value
      }
      let name = try name(for: variables, tokenizer)
      if !templates.contains(where: { $0.name == name }) {
        templates.append((name, try read(name, tokenizer)))
      }
      guard let template = templates.first(where: { $0.name == name })?.template else { return }
      do throws(TemplateError) {
        output.write(text: try template.render(variables, now: time).text)
      } catch {
        output.write(JSON.object(["error": .string("\(error)")]).serializedBytes(.python))
      }
    }
  }

  /// Which template a conversation is rendered by, as transformers chooses.
  private func name(for variables: JSONObject, _ tokenizer: Tokenizer?) throws -> String {
    if let template { return template }
    if let templateName { return templateName }
    let names = tokenizer?.templates.map(\.name) ?? []
    let tools = variables["tools"] ?? .null
    if !tools.isNull, names.contains("tool_use") { return "tool_use" }
    return names.contains("default") ? "default" : names.first ?? "default"
  }

  private func read(_ name: String, _ tokenizer: Tokenizer?) throws -> Template {
    guard template == nil else {
      let bytes = try InputFile(name).readAll()
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw RenderError.notUTF8(path: name)
      }
      return try Template(text, name: name)
    }
    let templates = tokenizer?.templates ?? []
    guard let found = templates.first(where: { $0.name == name }) else {
      throw RenderError.noTemplate(
        name, tokenizer: self.tokenizer ?? "", known: templates.map(\.name))
    }
    return try Template(found.text, name: "the template “\(name)” of \(self.tokenizer ?? "")")
  }
}

/// What keeps a conversation from being rendered, before the template says anything.
enum RenderError: Error, CustomStringConvertible {
  case notUTF8(path: String)
  case noTemplate(String, tokenizer: String, known: [String])

  var description: String {
    switch self {
    case .notUTF8(let path): "The template \(path) is not UTF-8; save it as such."
    case .noTemplate(_, let tokenizer, let known) where known.isEmpty:
      "The tokenizer \(tokenizer) has no chat template; name one with --template."
    case .noTemplate(let name, let tokenizer, let known):
      "The tokenizer \(tokenizer) has no template “\(name)”; it has \(known.joined(separator: ", "))."
    }
  }
}
