import JSON

/// What a row says, told from its keys.
public enum RowKind: Hashable, Sendable {
  /// Tokens and their labels.
  case tokens
  /// `messages` as OpenAI writes them.
  case messages
  /// `conversations` as ShareGPT writes them.
  case conversations
  /// `conversations` whose turns say who is masked, as NeMo writes them.
  case maskedConversations
  /// A question about a context, with its answers, as SQuAD writes them.
  case question
  /// An instruction with an optional input, as Alpaca writes them; the answer has this key.
  case instruction(answer: String)
  /// A prompt and its completion under these keys.
  case completion(prompt: String, answer: String)
  /// A text.
  case text

  /// The kind of a row with these members; `nil` if there is none.
  static func detect(_ row: JSONObject) -> RowKind? {
    func has(_ names: String...) -> Bool {
      names.allSatisfy { row[$0].map { !$0.isNull } ?? false }
    }
    if has("input_ids") { return .tokens }
    if has("messages") { return .messages }
    if has("conversations") {
      return has("mask") || has("type") ? .maskedConversations : .conversations
    }
    if has("context", "question", "answers") { return .question }
    for answer in ["output", "response"] where has("instruction", answer) {
      return .instruction(answer: answer)
    }
    for (prompt, answer) in completionKeys where has(prompt, answer) {
      return .completion(prompt: prompt, answer: answer)
    }
    return has("text") ? .text : nil
  }

  private static let completionKeys = [
    ("prompt", "completion"), ("prompt", "response"), ("input", "output"),
    ("question", "answer"), ("query", "response"), ("input", "answer"), ("question", "response"),
    ("context", "answer"),
  ]
}

extension RowKind: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tokens: "tokens (input_ids)"
    case .messages: "chat (messages)"
    case .conversations: "chat (conversations)"
    case .maskedConversations: "chat with masked roles (conversations, mask)"
    case .question: "questions with a context (context, question, answers)"
    case .instruction(let answer): "instructions (instruction, \(answer))"
    case .completion(let prompt, let answer): "prompts with completions (\(prompt), \(answer))"
    case .text: "text (text)"
    }
  }
}
