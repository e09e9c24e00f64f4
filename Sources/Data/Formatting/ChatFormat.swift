import JSON
import Jinja
import Tokenizers

/// A conversation through a chat template, as Automodel's `format_chat_template` makes tokens and masks of it.
///
/// What the assistant said is where the template says so with `{% generation %}`; else it is found by rendering the
/// conversation up to each of the assistant's messages and behind it, which is refused where the template writes
/// earlier messages otherwise when later ones follow.
struct ChatFormat {
  let tokenizer: any TextTokenizer
  let template: ChatTemplate
  let options: FormatOptions

  func sample(_ conversation: Conversation) throws(RowFaultOrData) -> Sample {
    let messages: [JSONObject]
    do throws(RowFault) { messages = try Self.normalised(conversation.messages) } catch {
      throw .row(error)
    }
    var rendered = try rendered(messages, conversation.tools)
    var mask = try firstMask(&rendered)
    if let count = conversation.promptCount {
      let border = try rendered.length(of: count)
      for index in 0..<min(border, mask.count) { mask[index] = false }
    }
    if options.automodel.masksGenerationPrompt {
      for range in try rendered.generationPrompts() { mask.clear(range) }
    }
    if options.automodel.masksReasoning {
      for range in try rendered.reasoning() { mask.clear(range) }
    }
    var tokens = rendered.tokens
    if options.automodel.truncates, let length = options.length, tokens.count > length {
      tokens = Array(tokens[..<length])
      mask = Array(mask[..<length])
    }
    if options.trained == .last { mask.keepLastRun() }
    return Sample(tokens: tokens, trained: mask)
  }

  /// The conversation rendered; where the template knows no system message, with that put before the user's first.
  private func rendered(
    _ messages: [JSONObject], _ tools: JSON?
  ) throws(RowFaultOrData) -> RenderedChat {
    do throws(RowFaultOrData) {
      return try RenderedChat(messages, tools, template: template, tokenizer: tokenizer)
    } catch {
      guard case .data(.template(let cause)) = error,
        "\(cause)".contains("System role not supported"),
        let folded = Self.withoutSystem(messages)
      else { throw error }
      return try RenderedChat(folded, tools, template: template, tokenizer: tokenizer)
    }
  }

  /// The messages with the one of the system put before the first of the user; `nil` unless there is one.
  static func withoutSystem(_ messages: [JSONObject]) -> [JSONObject]? {
    func has(_ role: String) -> (JSONObject) -> Bool { { $0["role"]?.string == role } }
    guard messages.count(where: has("system")) == 1,
      let said = messages.first(where: has("system"))?["content"]?.string
    else { return nil }
    var others = messages.filter { !has("system")($0) }
    if let user = others.firstIndex(where: has("user")) {
      others[user]["content"] = .string("\(said)\n\(others[user]["content"]?.string ?? "")")
    } else {
      others.insert(["role": .string("user"), "content": .string(said)], at: 0)
    }
    return others
  }

  private func firstMask(_ rendered: inout RenderedChat) throws(RowFaultOrData) -> [Bool] {
    if options.trained == .all { return rendered.tokens.map { _ in true } }
    if template.marksGeneration { return rendered.generatedMask }
    return try rendered.assistantMask()
  }

  // MARK: Messages

  /// The messages as Automodel hands them to a template: content as text, arguments of calls as text.
  static func normalised(_ messages: [JSONObject]) throws(RowFault) -> [JSONObject] {
    var result: [JSONObject] = []
    for (index, message) in messages.enumerated() {
      var message = message
      message["content"] = .string(text(message["content"]))
      if message["role"]?.string == "assistant" {
        if message["reasoning_content"]?.isNull == true {
          message["reasoning_content"] = .string("")
        }
        if let calls = message["tool_calls"] {
          message["tool_calls"] = .array(
            try Self.calls(calls, "messages[\(index)].tool_calls"))
        }
      }
      result.append(message)
    }
    return result
  }

  private static func text(_ content: JSON?) -> String {
    switch content {
    case nil, .null?: ""
    case .string(let text)?: text
    case .array(let parts)?:
      parts.compactMap { $0.string ?? $0.object?["text"]?.string }.joined(separator: " ")
    case let other?: other.serialized(.python)
    }
  }

  private static func calls(_ calls: JSON, _ key: String) throws(RowFault) -> [JSON] {
    var result: [JSON] = []
    if calls.isNull { return [] }
    for (index, call) in try RowReader.array(calls, key).enumerated() {
      var call = try RowReader.object(call, "\(key)[\(index)]")
      if call["function"] == nil { call = ["function": .object(call)] }
      var function =
        try call["function"].map { value throws(RowFault) in
          try RowReader.object(value, "\(key)[\(index)].function")
        } ?? JSONObject()
      if let arguments = function["arguments"], arguments.string == nil {
        function["arguments"] = .string(arguments.serialized(.python, asciiOnly: true))
      }
      func isEmpty(_ name: String) -> Bool { (call[name]?.string ?? "").isEmpty }
      if isEmpty("id") { call["id"] = .string("call_\(index)") }
      if isEmpty("type") { call["type"] = .string("function") }
      call["function"] = .object(function)
      result.append(.object(call))
    }
    return result
  }
}

extension [Bool] {
  mutating func clear(_ range: Range<Int>) {
    for index in range.clamped(to: 0..<count) { self[index] = false }
  }

  mutating func set(_ range: Range<Int>) {
    for index in range.clamped(to: 0..<count) { self[index] = true }
  }

  /// Leaves of the runs of `true` only the last; the first place never counts, for nothing predicts it.
  mutating func keepLastRun() {
    guard let last = indices.dropFirst().last(where: { self[$0] }) else { return }
    let start = self[1...last].lastIndex(of: false).map { $0 + 1 } ?? 1
    clear(0..<start)
  }
}
