import JSON

/// Takes rows apart by their keys; says which key is wrong, and leaves the place to the caller.
struct RowReader {
  let row: JSONObject

  // MARK: Values

  func string(_ key: String) throws(RowFault) -> String {
    guard let value = row[key] else { throw RowFault(key, "is missing") }
    return try Self.string(value, key)
  }

  /// A string that may be absent or null.
  func optional(_ key: String) throws(RowFault) -> String? {
    guard let value = row[key], !value.isNull else { return nil }
    return try Self.string(value, key)
  }

  func array(_ key: String) throws(RowFault) -> [JSON] {
    guard let value = row[key] else { throw RowFault(key, "is missing") }
    return try Self.array(value, key)
  }

  static func string(_ value: JSON, _ key: String) throws(RowFault) -> String {
    guard let text = value.string else { throw wrong(key, "a string", value) }
    return text
  }

  static func array(_ value: JSON, _ key: String) throws(RowFault) -> [JSON] {
    guard let array = value.array else { throw wrong(key, "a list", value) }
    return array
  }

  static func object(_ value: JSON, _ key: String) throws(RowFault) -> JSONObject {
    guard let object = value.object else { throw wrong(key, "an object", value) }
    return object
  }

  static func wrong(_ key: String, _ expected: String, _ found: JSON) -> RowFault {
    RowFault(key, "must be \(expected), not \(name(found))")
  }

  static func name(_ value: JSON) -> String {
    switch value {
    case .null: "null"
    case .bool: "a truth value"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }

  // MARK: Kinds

  func example(_ kind: RowKind) throws(RowFault) -> Example {
    switch kind {
    case .tokens: .tokens(try tokens())
    case .messages: .conversation(try messages())
    case .conversations: .conversation(try conversations())
    case .maskedConversations: .conversation(try maskedConversations())
    case .question: .question(try question())
    case .instruction(let answer): .instruction(try instruction(answer))
    case .completion(let prompt, let answer): try completion(prompt, answer)
    case .text: .text(try string("text"))
    }
  }

  private func completion(_ prompt: String, _ answer: String) throws(RowFault) -> Example {
    if row[prompt]?.array != nil || row[answer]?.array != nil {
      return .conversation(try split(prompt, answer))
    }
    // Only questions have a context beside them; elsewhere the key means something else.
    let context = prompt == "question" ? try optional("context") : nil
    return .completion(
      Completion(context: context, prompt: try string(prompt), answer: try string(answer)))
  }

  private func instruction(_ answer: String) throws(RowFault) -> Instruction {
    var history: [[String]] = []
    if let value = row["history"], !value.isNull {
      for (index, pair) in try Self.array(value, "history").enumerated() {
        let key = "history[\(index)]"
        let parts = try Self.array(pair, key)
        guard parts.count == 2 else {
          throw RowFault(key, "must hold a question and an answer, not \(parts.count) values")
        }
        history.append([
          try Self.string(parts[0], "\(key)[0]"), try Self.string(parts[1], "\(key)[1]"),
        ])
      }
    }
    // Dolly's name for the input is context.
    let input = row["input"] == nil ? try optional("context") : try optional("input")
    return Instruction(
      system: try optional("system"), history: history, instruction: try string("instruction"),
      input: input ?? "", answer: try string(answer))
  }

  private func question() throws(RowFault) -> Question {
    let context = try string("context")
    guard let value = row["answers"] else { throw RowFault("answers", "is missing") }
    let answers = try Self.object(value, "answers")
    guard let texts = answers["text"] else { throw RowFault("answers.text", "is missing") }
    var found: [String] = []
    for (index, text) in try Self.array(texts, "answers.text").enumerated() {
      found.append(try Self.string(text, "answers.text[\(index)]"))
    }
    if let starts = answers["answer_start"], !starts.isNull {
      let places = try Self.array(starts, "answers.answer_start")
      guard places.count == found.count else {
        throw RowFault(
          "answers.answer_start",
          "holds \(places.count) places for \(found.count) answers")
      }
      for (index, place) in places.enumerated() {
        try Self.check(found[index], at: place, in: context, "answers.answer_start[\(index)]")
      }
    }
    return Question(
      id: try optional("id"), context: context, question: try string("question"), answers: found)
  }

  /// An answer stands in its context, at a place counted in code points.
  private static func check(
    _ answer: String, at place: JSON, in context: String, _ key: String
  ) throws(RowFault) {
    guard let start = place.integer else { throw wrong(key, "a whole number", place) }
    let scalars = context.unicodeScalars
    let advice = "Correct the place, or leave answer_start out, which nothing here is learnt from."
    guard start >= 0,
      let from = scalars.index(scalars.startIndex, offsetBy: start, limitedBy: scalars.endIndex)
    else {
      throw RowFault(
        key, "is \(start), outside the context of \(scalars.count) characters", advice)
    }
    guard scalars[from...].starts(with: answer.unicodeScalars) else {
      throw RowFault(key, "is \(start), where the context does not hold “\(answer)”", advice)
    }
  }

  // MARK: Tokens

  private func tokens() throws(RowFault) -> Sample {
    let ids = try Self.numbers(try array("input_ids"), "input_ids")
    guard !ids.isEmpty else { throw RowFault("input_ids", "is empty") }
    for (index, id) in ids.enumerated() where id < 0 {
      throw RowFault("input_ids[\(index)]", "is \(id); a token is not negative")
    }
    var sample = Sample(tokens: ids, trained: Array(repeating: true, count: ids.count))
    if let value = row["labels"], !value.isNull {
      sample = try Self.labelled(ids, try Self.numbers(try Self.array(value, "labels"), "labels"))
    } else if let value = row["loss_mask"], !value.isNull {
      let mask = try Self.numbers(try Self.array(value, "loss_mask"), "loss_mask")
      guard mask.count == ids.count else {
        throw RowFault("loss_mask", "holds \(mask.count) values for \(ids.count) tokens")
      }
      sample.trained = mask.map { $0 != 0 }
    }
    if let value = row["attention_mask"], !value.isNull {
      try Self.cut(
        &sample, try Self.numbers(try Self.array(value, "attention_mask"), "attention_mask"))
    }
    return sample
  }

  /// Labels are either the tokens themselves where they are learnt, or, as Automodel's data sets have them, the
  /// tokens that follow.
  private static func labelled(_ ids: [Int32], _ labels: [Int32]) throws(RowFault) -> Sample {
    guard labels.count == ids.count else {
      throw RowFault("labels", "holds \(labels.count) values for \(ids.count) tokens")
    }
    let strange = labels.indices.first { labels[$0] != -100 && labels[$0] != ids[$0] }
    guard let strange else {
      return Sample(tokens: ids, trained: labels.map { $0 != -100 })
    }
    let isShifted = labels.indices.dropLast().allSatisfy {
      labels[$0] == -100 || labels[$0] == ids[$0 + 1]
    }
    guard isShifted, let last = labels.last else {
      throw RowFault(
        "labels[\(strange)]", "is \(labels[strange]), but the token there is \(ids[strange])",
        "A label is the token itself or, in every place of the row, the token that follows; or -100."
      )
    }
    guard last >= 0 || last == -100 else {
      throw RowFault("labels[\(labels.count - 1)]", "is \(last); a label is a token or -100")
    }
    let trained = [false] + labels.dropLast().map { $0 != -100 }
    return last == -100
      ? Sample(tokens: ids, trained: trained)
      : Sample(tokens: ids + [last], trained: trained + [true])
  }

  /// Takes away the padding at the end that an attention mask tells of.
  private static func cut(_ sample: inout Sample, _ mask: [Int32]) throws(RowFault) {
    let count = mask.prefix { $0 != 0 }.count
    guard mask.count <= sample.count, count > 0, mask[count...].allSatisfy({ $0 == 0 }) else {
      throw RowFault(
        "attention_mask", "must be ones for the tokens and then zeros for padding",
        "Pad on the right, or not at all.")
    }
    guard count < mask.count else { return }
    sample = Sample(
      tokens: Array(sample.tokens[..<count]), trained: Array(sample.trained[..<count]))
  }

  private static func numbers(_ values: [JSON], _ key: String) throws(RowFault) -> [Int32] {
    var result: [Int32] = []
    result.reserveCapacity(values.count)
    for (index, value) in values.enumerated() {
      let number = value.integer ?? value.bool.map { $0 ? 1 : 0 }
      guard let number, let small = Int32(exactly: number) else {
        throw wrong("\(key)[\(index)]", "a whole number of 32 bits", value)
      }
      result.append(small)
    }
    return result
  }
}
