import JSON
import Jinja
import Tokenizers

/// A conversation as text and tokens, and where in the tokens its messages are.
struct RenderedChat {
  let messages: [JSONObject]
  let tools: JSON?
  let template: ChatTemplate
  let tokenizer: any TextTokenizer
  let tokens: [Int32]
  private let encoding: Encoding
  private let rendering: Rendering
  /// The tokens of the first messages alone, by how many they are.
  private var prefixes: [Int: [Int32]] = [:]

  init(
    _ messages: [JSONObject], _ tools: JSON?, template: ChatTemplate,
    tokenizer: any TextTokenizer
  ) throws(RowFaultOrData) {
    self.messages = messages
    self.tools = tools
    self.template = template
    self.tokenizer = tokenizer
    do throws(DataError) {
      rendering = try template.render(messages, tools: tools)
      encoding = try tokenizer.encoded(rendering.text)
    } catch { throw .data(error) }
    tokens = encoding.ids
  }

  // MARK: Spans of the template

  /// The tokens that hold a byte of what the template marks as generated.
  var generatedMask: [Bool] {
    var mask = [Bool](repeating: false, count: tokens.count)
    for span in rendering.generated where !span.isEmpty {
      let touched = encoding.ranges.indices.filter { encoding.ranges[$0].overlaps(span) }
      // Tokens without a text of their own, within the span, belong to it.
      if let first = touched.first, let last = touched.last { mask.set(first..<last + 1) }
    }
    return mask
  }

  // MARK: Prefixes

  private func tokens(
    _ messages: [JSONObject], addsGenerationPrompt: Bool = false,
    more: JSONObject = JSONObject()
  ) throws(RowFaultOrData) -> [Int32] {
    do throws(DataError) {
      let text = try template.render(
        messages, tools: tools, addsGenerationPrompt: addsGenerationPrompt, more: more
      ).text
      return try tokenizer.tokens(text)
    } catch { throw .data(error) }
  }

  /// Whether tokens begin as a prefix does; a final token that ends sequences may be missing there.
  private func begins(_ full: [Int32], with prefix: [Int32]) -> Bool {
    if prefix.count > full.count { return false }
    if full.starts(with: prefix) { return true }
    return prefix.count > 1 && prefix.last == tokenizer.end && full.starts(with: prefix.dropLast())
  }

  private mutating func prefix(_ count: Int) throws(RowFaultOrData) -> [Int32] {
    if count == messages.count { return tokens }
    if let known = prefixes[count] { return known }
    let found = try tokens(Array(messages[..<count]))
    prefixes[count] = found
    return found
  }

  /// How many tokens the first messages are.
  mutating func length(of count: Int) throws(RowFaultOrData) -> Int {
    let prefix = try prefix(count)
    guard begins(tokens, with: prefix) else {
      throw .row(
        RowFault(
          "messages",
          "cannot be told apart: the chat template writes the first \(count) otherwise when more follow",
          "Use a template that marks what the assistant says with {% generation %}, or train on all."
        ))
    }
    return prefix.count
  }

  /// The assistant's messages, from behind what stands before each of them.
  mutating func assistantMask() throws(RowFaultOrData) -> [Bool] {
    var mask = [Bool](repeating: false, count: tokens.count)
    var found = false
    for (index, message) in messages.enumerated() where message["role"]?.string == "assistant" {
      found = true
      let start = try length(of: index)
      let end = try length(of: index + 1)
      if start < end { mask.set(start..<end) }
    }
    guard found else {
      throw .row(RowFault("messages", "has no message of the assistant, so that nothing is learnt"))
    }
    return mask
  }

  // MARK: Reasoning

  /// The tokens of each message's reasoning: those that change when it is emptied.
  func reasoning() throws(RowFaultOrData) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    for (index, message) in messages.enumerated()
    where message["role"]?.string == "assistant"
      && !(message["reasoning_content"]?.string ?? "").isEmpty
    {
      var others = messages
      others[index]["reasoning_content"] = .string("")
      let without = try tokens(others)
      let lead = zip(tokens, without).prefix { $0 == $1 }.count
      let room = min(tokens.count, without.count) - lead
      let trail = zip(tokens.reversed(), without.reversed()).prefix(room).prefix { $0 == $1 }.count
      if lead < tokens.count - trail { ranges.append(lead..<tokens.count - trail) }
    }
    return ranges
  }

  // MARK: Generation prompt

  /// At the start of each of the assistant's messages, the tokens that the generation prompt supplies.
  ///
  /// A prompt counts if it only appends to the messages before, and the message begins with all of it.
  mutating func generationPrompts() throws(RowFaultOrData) -> [Range<Int>] {
    let modes: [JSONObject] =
      template.source.contains("enable_thinking")
      ? [["enable_thinking": .bool(true)], ["enable_thinking": .bool(false)]] : [JSONObject()]
    var ranges: [Range<Int>] = []
    for (index, message) in messages.enumerated() where message["role"]?.string == "assistant" {
      let base: [Int32]
      var prompts: [[Int32]] = []
      do throws(RowFaultOrData) {
        base = try prefix(index)
        guard begins(tokens, with: base) else { continue }
        for mode in modes {
          prompts.append(
            try tokens(Array(messages[..<index]), addsGenerationPrompt: true, more: mode))
        }
      } catch {
        // A template that reads the first message cannot render none.
        if index == 0 { continue }
        throw error
      }
      let turn = tokens[base.count...]
      let matched =
        prompts.map { prompt in
          guard begins(prompt, with: base) else { return 0 }
          let block = prompt[base.count...]
          return turn.starts(with: block) ? block.count : 0
        }.max() ?? 0
      ranges.append(base.count..<base.count + matched)
    }
    return ranges
  }
}
