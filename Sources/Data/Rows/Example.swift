import JSON

/// What a row says, whatever its keys are called.
public enum Example: Sendable, Equatable {
  case conversation(Conversation)
  case completion(Completion)
  case instruction(Instruction)
  case question(Question)
  case text(String)
  case tokens(Sample)
}

/// A conversation as chat templates take it.
public struct Conversation: Sendable, Equatable {
  /// Objects with a `role`, mostly `content`, and whatever else a template may read.
  public var messages: [JSONObject]
  /// The tools on offer: a list, or `nil`.
  public var tools: JSON?
  /// How many messages only ask, where a row tells prompt from completion; those behind are learnt.
  public var promptCount: Int?
  /// The turns with their masks, of a row that has them.
  public var turns: MaskedTurns?

  public init(
    messages: [JSONObject], tools: JSON? = nil, promptCount: Int? = nil, turns: MaskedTurns? = nil
  ) {
    self.messages = messages
    self.tools = tools
    self.promptCount = promptCount
    self.turns = turns
  }
}

/// The turns of NeMo's chat format.
public struct MaskedTurns: Sendable, Equatable {
  public var system: String
  /// The roles that are not learnt, separated by commas.
  public var mask: String
  public var direction: Direction?
  public var turns: [Turn]

  public struct Turn: Sendable, Equatable {
    public var speaker: String
    public var text: String
    public var label: String?
  }

  /// Whether a turn's label is learnt from its text, or its text from its label.
  public enum Direction: String, Sendable {
    case textToValue = "TEXT_TO_VALUE"
    case valueToText = "VALUE_TO_TEXT"
  }
}

/// A prompt with what should follow it.
public struct Completion: Sendable, Equatable {
  /// What the prompt is about, where the row has it apart.
  public var context: String?
  public var prompt: String
  public var answer: String

  /// Context and prompt as one text.
  var whole: String { [context, prompt].compactMap { $0 }.joined(separator: " ") }
}

/// An instruction, with an input or without.
public struct Instruction: Sendable, Equatable {
  public var system: String?
  /// What was asked and answered before.
  public var history: [[String]]
  public var instruction: String
  public var input: String
  public var answer: String

  /// The prompt that Stanford's Alpaca was trained with.
  public var prompt: String {
    let opening = system.map { $0 + "\n\n" } ?? ""
    let before = history.map { pair in
      "### Instruction:\n\(pair[0])\n\n### Response:\(pair[1])\n\n"
    }.joined()
    if input.isEmpty {
      return opening
        + "Below is an instruction that describes a task. "
        + "Write a response that appropriately completes the request.\n\n"
        + before + "### Instruction:\n\(instruction)\n\n### Response:"
    }
    return opening
      + "Below is an instruction that describes a task, paired with an input that provides further context. "
      + "Write a response that appropriately completes the request.\n\n"
      + before + "### Instruction:\n\(instruction)\n\n### Input:\n\(input)\n\n### Response:"
  }

  /// The same as a conversation, as LLaMA-Factory asks: the input follows the instruction on a new line.
  public var conversation: Conversation {
    func message(_ role: String, _ content: String) -> JSONObject {
      ["role": .string(role), "content": .string(content)]
    }
    var messages: [JSONObject] = []
    if let system, !system.isEmpty { messages.append(message("system", system)) }
    for pair in history {
      messages += [message("user", pair[0]), message("assistant", pair[1])]
    }
    let asked = [instruction, input].filter { !$0.isEmpty }.joined(separator: "\n")
    messages += [message("user", asked), message("assistant", answer)]
    return Conversation(messages: messages)
  }
}

/// A question about a context.
public struct Question: Sendable, Equatable {
  public var id: String?
  public var context: String
  public var question: String
  /// Every answer that counts as right; the first is learnt.
  public var answers: [String]
}
