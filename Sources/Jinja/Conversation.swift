import JSON

/// A conversation with what goes with it, as transformers' `apply_chat_template` takes it.
///
/// Source of the rules: transformers 5.23, tokenization_utils_base.py and utils/chat_template_utils.py. Tools are JSON
/// schemas; what Python makes of functions there has no counterpart.
public struct Conversation: Sendable {
  public var messages: [JSONObject]
  public var tools: [JSON]?
  public var documents: [JSON]?
  /// Whether the text ends with what begins an assistant's answer.
  public var addsGenerationPrompt = false
  /// The member of the last message that is to be continued, mostly `content`: the text ends with it.
  public var continued: String?
  /// Further variables: special tokens, `enable_thinking` and the like.
  public var variables = JSONObject()

  public init(messages: [JSONObject], tools: [JSON]? = nil, documents: [JSON]? = nil) {
    self.messages = messages
    self.tools = tools
    self.documents = documents
  }

  /// What keeps a conversation from being rendered, whatever the template says.
  public enum Problem: Error, Equatable, Sendable {
    case empty
    /// A last message cannot be both continued and followed by an answer.
    case continuesAndPrompts
    /// The last message has no such member with text in it.
    case nothingToContinue(member: String)
    /// The template does not name the member.
    case memberNotInTemplate(String)
    /// The template did not render the last message as it is.
    case continuedTextNotFound
    case template(TemplateError)
  }

  /// Older names of `reasoning_content`.
  private static let reasoningNames = ["reasoning_content", "thinking", "reasoning"]

  /// What transformers appends to the text that is continued, to find its end.
  private static let mark = "CONTINUE_FINAL_MESSAGE_TAG "

  /// The text of the conversation.
  public func rendered(
    by template: Template, now: LocalTime? = nil, limits: Limits = Limits()
  ) throws(Problem) -> Rendering {
    guard !messages.isEmpty else { throw .empty }
    guard continued == nil || !addsGenerationPrompt else { throw .continuesAndPrompts }
    var messages = messages.map { Self.prepared($0) }
    var last: String?
    if let continued {
      last = try Self.mark(&messages[messages.count - 1], continued, template.source)
    }
    var all: JSONObject = [
      "messages": .array(messages.map { .object($0) }),
      "tools": tools.map { .array($0) } ?? .null,
      "documents": documents.map { .array($0) } ?? .null,
      "add_generation_prompt": .bool(addsGenerationPrompt),
    ]
    for (name, value) in variables.members { all[name] = value }
    var rendering: Rendering
    do throws(TemplateError) {
      rendering = try template.render(all, now: now, limits: limits)
    } catch {
      throw .template(error)
    }
    if let last { rendering.text = try Self.cut(rendering.text, last) }
    return rendering
  }

  /// A message as templates get it: without null members, and its reasoning under every name they read.
  public static func prepared(_ message: JSONObject) -> JSONObject {
    withReasoning(withoutNull(message))
  }

  /// Absent members are handled by more templates than null ones.
  private static func withoutNull(_ message: JSONObject) -> JSONObject {
    var result = JSONObject()
    for (name, value) in message.members where !value.isNull { result[name] = value }
    return result
  }

  /// Gives the reasoning under the names that templates read.
  private static func withReasoning(_ message: JSONObject) -> JSONObject {
    guard let reasoning = reasoningNames.lazy.compactMap({ message[$0] }).first else {
      return message
    }
    var result: JSONObject = ["thinking": reasoning]
    for (name, value) in message.members { result[name] = value }
    result["reasoning_content"] = reasoning
    return result
  }

  /// Appends the mark to the text that is continued, and returns that text.
  private static func mark(
    _ message: inout JSONObject, _ member: String, _ source: String
  ) throws(Problem) -> String {
    guard let value = message[member] else { throw .nothingToContinue(member: member) }
    let members =
      reasoningNames.contains(member) ? reasoningNames.filter { message[$0] == value } : [member]
    let text = Text(source)
    guard members.contains(where: { text.find(Text($0)) != nil }) else {
      throw .memberNotInTemplate(member)
    }
    switch value {
    case .string(let text):
      for name in members { message[name] = .string(text + mark) }
      return text
    case .array(var parts):
      for index in parts.indices.reversed() {
        guard var part = parts[index].object, let text = part["text"]?.string else { continue }
        part["text"] = .string(text + mark)
        parts[index] = .object(part)
        message[member] = .array(parts)
        return text
      }
      throw .nothingToContinue(member: member)
    default: throw .nothingToContinue(member: member)
    }
  }

  /// Cuts a text where the mark stands, and the mark with it.
  private static func cut(_ text: String, _ last: String) throws(Problem) -> String {
    let text = Text(text)
    let trimmed = Text(mark).stripped()
    guard text.find(Text(last).stripped()) != nil, let place = text.findLast(trimmed) else {
      throw .continuedTextNotFound
    }
    let before = text.part(0..<place)
    // A template that trims the message has taken the mark's space, and with it that of the message.
    return (text.matches(Text(mark), at: place) ? before : before.stripped(left: false)).string
  }
}

extension Conversation.Problem: CustomStringConvertible {
  public var description: String {
    switch self {
    case .empty: "The conversation has no messages; give it at least one."
    case .continuesAndPrompts:
      "A last message cannot be continued and answered at once; choose one of the two."
    case .nothingToContinue(let member):
      "The last message has no text in “\(member)” that could be continued."
    case .memberNotInTemplate(let member):
      "The template does not read “\(member)” of messages, so it cannot be continued."
    case .continuedTextNotFound:
      "The template does not render the last message as it is, so it cannot be continued."
    case .template(let error): error.description
    }
  }
}
