import Data
import Engine
import Tokenizers

/// Answers questions one after the other, each with the likeliest tokens.
///
/// What a prompt begins with as the one before did (questions about one paragraph) is not computed again.
public struct QuestionAnswering {
  private let model: Model
  private let tokenizer: Tokenizer
  private let ends: Set<Int32>
  private let limit: Int
  private var generator: Generator?
  /// How many tokens of prompts there were, those of them that were not computed again, and how many came.
  public private(set) var asked = 0
  public private(set) var reused = 0
  public private(set) var answered = 0

  /// - Parameters:
  ///   - ends: the tokens that end a text.
  ///   - limit: the most tokens of an answer.
  public init(_ model: Model, _ tokenizer: Tokenizer, ends: Set<Int32>, limit: Int) {
    precondition(limit > 0)
    self.model = model
    self.tokenizer = tokenizer
    self.ends = ends
    self.limit = limit
  }

  /// The answer to a prompt, without the spaces around it.
  ///
  /// - Parameter check: called between tokens; what it throws ends the work.
  /// - Throws: `EngineError`, `TokenizerError`.
  public mutating func answer(
    _ prompt: AnswerPrompt, check: () throws -> Void = {}
  ) throws -> String {
    var generator = try self.generator ?? Generator(model, prompt.tokens)
    self.generator = nil
    reused += try generator.restart(with: prompt.tokens)
    asked += prompt.tokens.count
    while generator.unread > Generator.usualChunk {
      try generator.read()
      try check()
    }
    var stream = TextStream(tokenizer, behind: prompt.tokens)
    var text = ""
    let ends = ends
    _ = try generator.run(limit: limit, stops: ends) { token in
      try check()
      guard !ends.contains(token) else { return false }
      text += try stream.append(token)
      return !prompt.endsWithLine || Self.line(text) == nil
    }
    text += try stream.finish()
    answered += generator.tokens.count - prompt.tokens.count
    self.generator = generator
    let answer = prompt.endsWithLine ? Self.line(text) ?? text[...] : text[...]
    return answer.trimmed
  }

  /// The first line with something on it, once it has ended.
  private static func line(_ text: String) -> Substring? {
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
      let end = scalars[first...].firstIndex(of: "\n")
    else { return nil }
    return Substring(scalars[first..<end])
  }
}

extension Substring {
  /// Without the white space around it.
  fileprivate var trimmed: String {
    let scalars = unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
      let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return "" }
    return String(scalars[first...last])
  }
}
