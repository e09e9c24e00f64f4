import JSON

/// Conversations in their spellings.
extension RowReader {
  // MARK: OpenAI

  func messages() throws(RowFault) -> Conversation {
    Conversation(messages: try Self.messages(try array("messages"), "messages"), tools: try tools())
  }

  /// A prompt and a completion of which at least one is a list of messages.
  func split(_ prompt: String, _ answer: String) throws(RowFault) -> Conversation {
    func part(_ key: String, _ role: String) throws(RowFault) -> [JSONObject] {
      guard let value = row[key] else { throw RowFault(key, "is missing") }
      if let text = value.string { return [["role": .string(role), "content": .string(text)]] }
      return try Self.messages(try Self.array(value, key), key)
    }
    let asked = try part(prompt, "user")
    return Conversation(
      messages: asked + (try part(answer, "assistant")), tools: try tools(),
      promptCount: asked.count)
  }

  static func messages(_ values: [JSON], _ key: String) throws(RowFault) -> [JSONObject] {
    guard !values.isEmpty else { throw RowFault(key, "is empty") }
    var messages: [JSONObject] = []
    for (index, value) in values.enumerated() {
      let place = "\(key)[\(index)]"
      let message = try object(value, place)
      guard let role = message["role"] else { throw RowFault("\(place).role", "is missing") }
      let name = try string(role, "\(place).role")
      guard roles.contains(name) else {
        throw RowFault(
          "\(place).role", "is “\(name)”",
          "Roles are \(roles.joined(separator: ", ")).")
      }
      try checkContent(message["content"], place)
      if name == "assistant" { try checkCalls(message["tool_calls"], place) }
      if let thought = message["reasoning_content"], !thought.isNull {
        _ = try string(thought, "\(place).reasoning_content")
      }
      messages.append(message)
    }
    return messages
  }

  static let roles = ["system", "developer", "user", "assistant", "tool", "function"]

  /// Content is a text, nothing, or a list of parts, each a text or an object with a type.
  private static func checkContent(_ content: JSON?, _ place: String) throws(RowFault) {
    switch content {
    case nil, .null?, .string?: return
    case .array(let parts)?:
      for (index, part) in parts.enumerated() where part.string == nil {
        let part = try object(part, "\(place).content[\(index)]")
        guard part["type"]?.string != nil || part["text"]?.string != nil else {
          throw RowFault("\(place).content[\(index)].type", "is missing")
        }
      }
    case let other?: throw wrong("\(place).content", "a string, a list of parts or null", other)
    }
  }

  private static func checkCalls(_ calls: JSON?, _ place: String) throws(RowFault) {
    guard let calls, !calls.isNull else { return }
    for (index, call) in try array(calls, "\(place).tool_calls").enumerated() {
      let key = "\(place).tool_calls[\(index)]"
      let call = try object(call, key)
      // Some data sets leave the function's wrapping out.
      let function =
        try call["function"].map { value throws(RowFault) in
          try object(value, "\(key).function")
        } ?? call
      guard let name = function["name"]?.string, !name.isEmpty else {
        throw RowFault("\(key).function.name", "is missing or empty")
      }
      switch function["arguments"] {
      case .string?, .object?: break
      case nil: throw RowFault("\(key).function.arguments", "is missing")
      case let other?:
        throw wrong("\(key).function.arguments", "an object or a string of JSON", other)
      }
    }
  }

  /// The tools of a row: a list, or a string that holds one as JSON; an empty list is none.
  func tools() throws(RowFault) -> JSON? {
    guard var value = row["tools"], !value.isNull else { return nil }
    if let text = value.string {
      if text.isEmpty { return nil }
      do throws(JSONError) {
        value = try JSON(parsing: Array(text.utf8), maximumDepth: 64)
      } catch {
        throw RowFault("tools", "is a string that holds no JSON: \(DataError.reason(error))")
      }
    }
    let list = try Self.array(value, "tools")
    return list.isEmpty ? nil : .array(list)
  }

  // MARK: ShareGPT

  /// Who speaks in ShareGPT's words, and in OpenAI's.
  private static let speakers = [
    "system": "system", "human": "user", "user": "user", "gpt": "assistant",
    "assistant": "assistant", "chatgpt": "assistant", "model": "assistant", "bot": "assistant",
    "tool": "tool", "observation": "tool", "function_call": "function_call",
  ]

  func conversations() throws(RowFault) -> Conversation {
    var messages: [JSONObject] = []
    if let system = try optional("system"), !system.isEmpty {
      messages.append(["role": .string("system"), "content": .string(system)])
    }
    let turns = try array("conversations")
    guard !turns.isEmpty else { throw RowFault("conversations", "is empty") }
    for (index, value) in turns.enumerated() {
      messages.append(try Self.message(value, "conversations[\(index)]"))
    }
    return Conversation(messages: messages, tools: try tools())
  }

  private static func message(_ value: JSON, _ key: String) throws(RowFault) -> JSONObject {
    let turn = try object(value, key)
    guard let speaker = turn["from"] ?? turn["role"] else {
      throw RowFault("\(key).from", "is missing")
    }
    let name = try string(speaker, "\(key).from")
    guard let role = speakers[name.lowercased()] else {
      throw RowFault(
        "\(key).from", "is “\(name)”",
        "Speakers are \(speakers.keys.sorted().joined(separator: ", ")).")
    }
    guard let said = turn["value"] ?? turn["content"] else {
      throw RowFault("\(key).value", "is missing")
    }
    if role == "function_call" { return try call(try string(said, "\(key).value"), key) }
    try checkContent(said, key)
    return ["role": .string(role), "content": said]
  }

  /// A turn that calls functions, which it writes as JSON: one call or a list of them.
  private static func call(_ text: String, _ key: String) throws(RowFault) -> JSONObject {
    let value: JSON
    do throws(JSONError) { value = try JSON(parsing: Array(text.utf8), maximumDepth: 64) } catch {
      throw RowFault("\(key).value", "is no JSON of a function call: \(DataError.reason(error))")
    }
    let calls = (value.array ?? [value]).map {
      JSON.object(["type": .string("function"), "function": $0])
    }
    let message: JSONObject = [
      "role": .string("assistant"), "content": .string(""), "tool_calls": .array(calls),
    ]
    try checkCalls(message["tool_calls"], key)
    return message
  }

  // MARK: NeMo

  func maskedConversations() throws(RowFault) -> Conversation {
    var turns: [MaskedTurns.Turn] = []
    var messages: [JSONObject] = []
    let system = try optional("system") ?? ""
    if !system.isEmpty { messages.append(["role": .string("system"), "content": .string(system)]) }
    for (index, value) in try array("conversations").enumerated() {
      let key = "conversations[\(index)]"
      let turn = RowReader(row: try Self.object(value, key))
      func place<Result>(_ body: () throws(RowFault) -> Result) throws(RowFault) -> Result {
        do throws(RowFault) { return try body() } catch {
          throw RowFault("\(key).\(error.key)", error.problem, error.advice)
        }
      }
      let said = try place { () throws(RowFault) in
        MaskedTurns.Turn(
          speaker: try turn.string("from"), text: try turn.string("value"),
          label: try turn.optional("label"))
      }
      turns.append(said)
      messages.append([
        "role": .string(Self.speakers[said.speaker.lowercased()] ?? said.speaker.lowercased()),
        "content": .string(said.text),
      ])
    }
    guard !turns.isEmpty else { throw RowFault("conversations", "is empty") }
    let masked = MaskedTurns(
      system: system, mask: try optional("mask") ?? "User", direction: try direction(),
      turns: turns)
    for role in masked.mask.split(separator: ",", omittingEmptySubsequences: false)
    where !turns.contains(where: { $0.speaker.utf8.elementsEqual(role.utf8) }) {
      throw RowFault("mask", "names “\(role)”, who does not speak in this conversation")
    }
    return Conversation(messages: messages, tools: try tools(), turns: masked)
  }

  private func direction() throws(RowFault) -> MaskedTurns.Direction? {
    guard let name = try optional("type") else { return nil }
    guard let direction = MaskedTurns.Direction(rawValue: name) else {
      throw RowFault("type", "is “\(name)”", "It is TEXT_TO_VALUE, VALUE_TO_TEXT or null.")
    }
    return direction
  }
}
