import JSON
import Jinja

/// A chat template with the variables of a tokenizer, as `apply_chat_template` of transformers calls it.
public struct ChatTemplate: Sendable {
  /// The template's text.
  public let source: String
  private let variables: JSONObject
  private let template: Template
  /// What renders conversations with tools, where a model ships another template for them.
  private let toolTemplate: Template?
  /// What `strftime_now` takes for the present; `nil` for the machine's own time.
  private let now: LocalTime?

  /// A template as a model ships it.
  ///
  /// - Parameters:
  ///   - name: what errors call it.
  ///   - variables: what it finds besides the messages: the tokenizer's special tokens.
  ///   - tools: another template, for conversations with tools.
  ///   - now: what templates that write the date take for the present; `nil` for the machine's own time.
  /// - Throws: `DataError.template`.
  public init(
    _ source: String, name: String = "chat template", variables: JSONObject = JSONObject(),
    tools: String? = nil, now: LocalTime? = nil
  ) throws(DataError) {
    self.source = source
    self.now = now
    self.variables = variables
    do throws(TemplateError) {
      template = try Template(source, name: name)
      toolTemplate = try tools.map { (text) throws(TemplateError) in
        try Template(text, name: "the chat template “tool_use”")
      }
    } catch { throw .template(error) }
  }

  /// The text of a conversation.
  func render(
    _ messages: [JSONObject], tools: JSON? = nil, addsGenerationPrompt: Bool = false,
    more: JSONObject = JSONObject()
  ) throws(DataError) -> Rendering {
    var all: JSONObject = [
      "messages": .array(messages.map { .object(Jinja.Conversation.prepared($0)) }),
      "tools": tools ?? .null,
      "documents": .null, "add_generation_prompt": .bool(addsGenerationPrompt),
    ]
    for (key, value) in variables.members { all[key] = value }
    for (key, value) in more.members { all[key] = value }
    let chosen = tools == nil ? template : toolTemplate ?? template
    do throws(TemplateError) { return try chosen.render(all, now: now) } catch {
      throw .template(error)
    }
  }

  /// Whether the template says itself what an assistant wrote.
  var marksGeneration: Bool { Self.marksGeneration(source) }

  /// Whether a text holds the tag `generation`, written as the peers look for it: `{%`, perhaps `-`, space,
  /// the word, space, perhaps `-`, `%}`.
  static func marksGeneration(_ source: String) -> Bool {
    let bytes = Array(source.utf8)
    let word = Array("generation".utf8)
    func isSpace(_ index: Int) -> Bool { index < bytes.count && bytes[index] <= 0x20 }
    for open in bytes.indices.dropLast() where bytes[open...].starts(with: [0x7B, 0x25]) {
      var place = open + 2
      if place < bytes.count, bytes[place] == UInt8(ascii: "-") { place += 1 }
      guard isSpace(place) else { continue }
      while isSpace(place) { place += 1 }
      guard bytes[place...].starts(with: word) else { continue }
      place += word.count
      guard isSpace(place) else { continue }
      while isSpace(place) { place += 1 }
      if place < bytes.count, bytes[place] == UInt8(ascii: "-") { place += 1 }
      if place <= bytes.count, bytes[place...].starts(with: [0x25, 0x7D]) { return true }
    }
    return false
  }
}
