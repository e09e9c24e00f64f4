import JSON

/// Makes samples of what rows say, in one style.
public struct SampleMaker: Sendable {
  public let tokenizer: any TextTokenizer
  /// The chat template; `nil` if the tokenizer has none or it is not to be used.
  public let template: ChatTemplate?
  public let options: FormatOptions
  private let format: TemplateFormat?

  public init(
    tokenizer: any TextTokenizer, template: ChatTemplate? = nil, options: FormatOptions
  ) throws(DataError) {
    if let length = options.length, length < 1 {
      throw .wish("A sequence needs at least one token; its length is given as \(length).")
    }
    self.tokenizer = tokenizer
    self.template = template
    self.options = options
    format =
      options.style == .automodel
      ? nil
      : try TemplateFormat(
        options.bridge.promptTemplate ?? "{input} {output}", tokenizer: tokenizer,
        options: options)
  }

  /// The sample of a row.
  ///
  /// - Throws: `DataError`, with the row's place.
  public func sample(_ rows: Rows, _ index: Int) throws(DataError) -> Sample {
    let example = try rows.example(index)
    do throws(RowFaultOrData) {
      return try sample(example, row: { () throws(DataError) in try rows.row(index) })
    } catch {
      switch error {
      case .row(let fault): throw .row(try rows.place(index), fault)
      case .data(.template(let error)): throw .inRow(try rows.place(index), "\(error)")
      case .data(let error): throw error
      }
    }
  }

  /// The sample of an example.
  ///
  /// - Parameter row: the members it came from, which a prompt template may name.
  func sample(
    _ example: Example, row: () throws(DataError) -> JSONObject
  ) throws(RowFaultOrData) -> Sample {
    switch example {
    case .tokens(let sample): return cut(sample)
    case .text(let text): return try data { () throws(DataError) in try self.text(text) }
    default: break
    }
    return switch options.style {
    case .automodel: try automodel(example)
    case .bridge: try bridge(example, row)
    }
  }

  private func data<Result>(
    _ body: () throws(DataError) -> Result
  ) throws(RowFaultOrData) -> Result {
    do throws(DataError) { return try body() } catch { throw .data(error) }
  }

  private func cut(_ sample: Sample) -> Sample {
    guard let length = options.length, sample.count > length,
      options.style == .bridge || options.automodel.truncates
    else { return sample }
    return Sample(
      tokens: Array(sample.tokens[..<length]), trained: Array(sample.trained[..<length]))
  }

  /// A text is learnt as a whole, with the token that ends sequences behind it.
  private func text(_ text: String) throws(DataError) -> Sample {
    var tokens = try tokenizer.tokens(text, addsSpecialTokens: true)
    if let end = tokenizer.end, tokens.last != end { tokens.append(end) }
    return cut(Sample(tokens: tokens, trained: tokens.map { _ in true }))
  }

  // MARK: Automodel

  private func automodel(_ example: Example) throws(RowFaultOrData) -> Sample {
    switch example {
    case .conversation(let conversation): return try chat(conversation)
    case .question(let question):
      let answer = question.firstAnswer.stripped
      guard template != nil else { return try prompt(question.automodelPrompt, answer) }
      return try chat(Self.exchange(question.automodelPrompt, answer))
    case .instruction(let instruction):
      guard template != nil else { return try prompt(instruction.prompt, instruction.answer) }
      return try chat(instruction.conversation)
    case .completion(let pair):
      // The context is the system's message, also an empty one, as the peer's column mapping has it.
      if options.automodel.usesTemplate, template != nil {
        var conversation = Self.exchange(pair.prompt, pair.answer)
        conversation.messages.insert(
          ["role": .string("system"), "content": .string(pair.context ?? "")], at: 0)
        return try chat(conversation)
      }
      return try prompt(pair.whole + " ", pair.answer)
    case .text, .tokens: throw .data(.wish("Texts and tokens have no style."))
    }
  }

  private static func exchange(_ prompt: String, _ answer: String) -> Conversation {
    Conversation(messages: [
      ["role": .string("user"), "content": .string(prompt)],
      ["role": .string("assistant"), "content": .string(answer)],
    ])
  }

  private func prompt(_ prompt: String, _ answer: String) throws(RowFaultOrData) -> Sample {
    try data { () throws(DataError) in
      try PromptFormat(tokenizer: tokenizer, options: options)
        .sample(prompt: prompt, answer: answer)
    }
  }

  private func chat(_ conversation: Conversation) throws(RowFaultOrData) -> Sample {
    guard let template else { throw .data(.noTemplate(need: "a conversation")) }
    return try ChatFormat(tokenizer: tokenizer, template: template, options: options)
      .sample(conversation)
  }

  // MARK: Bridge

  private func bridge(
    _ example: Example, _ row: () throws(DataError) -> JSONObject
  ) throws(RowFaultOrData) -> Sample {
    switch example {
    case .conversation(let conversation):
      if let template {
        return try BridgeChat(tokenizer: tokenizer, template: template, options: options)
          .sample(conversation)
      }
      guard let turns = conversation.turns else {
        throw .data(.noTemplate(need: "a conversation without masked roles"))
      }
      return try MaskedTurnsFormat(tokenizer: tokenizer, options: options).sample(turns)
    case .question(let question):
      guard !question.answers.isEmpty else {
        throw .row(
          RowFault("answers.text", "is empty", "The style bridge learns the first answer."))
      }
      return try filled(["input": question.bridgePrompt, "output": question.firstAnswer], row)
    case .instruction(let instruction):
      return try filled(["input": instruction.prompt, "output": instruction.answer], row)
    case .completion(let pair):
      return try filled(["input": pair.whole, "output": pair.answer], row)
    case .text, .tokens: throw .data(.wish("Texts and tokens have no style."))
    }
  }

  /// A prompt template filled with the row's own values, or with what stands for `input` and `output`.
  private func filled(
    _ standing: [String: String], _ row: () throws(DataError) -> JSONObject
  ) throws(RowFaultOrData) -> Sample {
    guard let format else { throw .data(.wish("Only the style bridge has a prompt template.")) }
    let own = try data(row)
    return try format.sample { key throws(RowFault) in try value(of: key, standing, own) }
  }

  /// The same up to the answer.
  func filledPrompt(
    _ standing: [String: String], _ row: () throws(DataError) -> JSONObject
  ) throws(RowFaultOrData) -> [Int32] {
    guard let format else { throw .data(.wish("Only the style bridge has a prompt template.")) }
    let own = try data(row)
    return try format.prompt { key throws(RowFault) in try value(of: key, standing, own) }
  }

  private func value(
    of key: String, _ standing: [String: String], _ own: JSONObject
  ) throws(RowFault) -> String {
    // A template that was given means the row's keys, the usual one what stands for them.
    let texts =
      options.bridge.promptTemplate == nil
      ? [standing[key], own[key]?.string] : [own[key]?.string, standing[key]]
    if let text = texts.compactMap({ $0 }).first { return text }
    throw RowFault(
      key, own[key] == nil ? "is missing" : "must be a string", "The prompt template names it.")
  }
}
