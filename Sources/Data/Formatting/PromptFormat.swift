/// A prompt and its answer as one text, as Automodel's `format_prompt_completion` has it.
///
/// The tokens are those of the whole text. The prompt's are counted apart from the answer, so that a token which
/// straddles the border is learnt or not by where the prompt alone would end; this is how the peer does it.
struct PromptFormat {
  let tokenizer: any TextTokenizer
  let options: FormatOptions

  func sample(prompt: String, answer: String) throws(DataError) -> Sample {
    let limit = options.automodel.truncates ? options.length : nil
    let tokens = try tokenizer.tokens(prompt + answer, limit: limit)
    var asked = 0
    if options.trained != .all {
      asked = try tokenizer.tokens(prompt).count + (tokenizer.addsBegin ? 1 : 0)
    }
    return Sample(tokens: tokens, trained: tokens.indices.map { $0 >= asked })
  }
}

extension Question {
  /// What Automodel's `make_squad_dataset` asks.
  var automodelPrompt: String { "Context: \(context) Question: \(question) Answer: " }

  /// What Megatron-Bridge's `process_squad_example` asks.
  var bridgePrompt: String { "Context: \(context) Question: \(question) Answer:" }

  /// The answer that is learnt: the first, or nothing.
  var firstAnswer: String { answers.first ?? "" }
}

extension String {
  /// The text without the space around it, as Python's `strip()` sees space.
  var stripped: String {
    let scalars = unicodeScalars
    func isSpace(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
    }
    guard let first = scalars.firstIndex(where: { !isSpace($0) }),
      let last = scalars.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(scalars[first...last])
  }

  /// The text without spaces around it: Python's `strip(" ")`.
  var withoutSpaces: String {
    let bytes = Array(utf8)
    guard let first = bytes.firstIndex(where: { $0 != ASCII.space }),
      let last = bytes.lastIndex(where: { $0 != ASCII.space })
    else { return "" }
    return String(decoding: bytes[first...last], as: UTF8.self)
  }
}
