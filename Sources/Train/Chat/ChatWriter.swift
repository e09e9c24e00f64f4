import JSON
import Jinja
import Tokenizers

/// A conversation as a model's chat template writes it, in tokens.
struct ChatWriter {
  let tokenizer: Tokenizer
  private let template: Template

  /// - Parameter folder: what messages call the place of the tokenizer.
  /// - Throws: `RenderError.noTemplate`, `TemplateError`.
  init(_ tokenizer: Tokenizer, folder: String) throws {
    let named = tokenizer.templates.first { $0.name == "default" } ?? tokenizer.templates.first
    guard let named else {
      throw RenderError.noTemplate("default", tokenizer: folder, known: [])
    }
    template = try Template(named.text, name: "the template “\(named.name)” of \(folder)")
    self.tokenizer = tokenizer
  }

  /// The text of the messages, up to where the assistant's answer begins.
  func text(_ messages: [JSONObject]) throws -> String {
    var conversation = Conversation(messages: messages)
    conversation.variables = tokenizer.special.variables
    conversation.addsGenerationPrompt = true
    return try conversation.rendered(by: template).text
  }

  /// The tokens of such a text: a template writes the tokens around it itself.
  func tokens(_ text: String) throws -> [Int32] { try tokenizer.encode(text) }

  static func message(_ role: String, _ content: String) -> JSONObject {
    ["role": .string(role), "content": .string(content)]
  }
}
