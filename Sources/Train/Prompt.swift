import Checkpoints
import Console
import Glibc
import Tokenizers

/// What a model is to continue: tokens, and the text and tokenizer that they come from if they do.
struct Prompt {
  var ids: [Int32]
  /// The text that became the tokens: with a chat template, what it made of the user's.
  var text: String?
  var tokenizer: Tokenizer?

  init(_ options: GenerateCommand.Text, _ weights: ModelWeights) throws {
    if let tokens = options.tokens {
      ids = try GenerateCommand.Text.ids(tokens)
      return
    }
    let folder = weights.model.folder
    let tokenizer = try Tokenizer(path: folder)
    var text = options.prompt ?? ""
    if options.isChat {
      let system = options.system.map { [ChatWriter.message("system", $0)] } ?? []
      text = try ChatWriter(tokenizer, folder: folder).text(
        system + [ChatWriter.message("user", text)])
    }
    self.text = text
    self.tokenizer = tokenizer
    // A template writes the tokens around a text itself.
    ids = try tokenizer.encode(text, addsSpecialTokens: !options.isChat)
    guard !ids.isEmpty else { throw PromptError.noTokens }
    guard let largest = ids.max(), Int(largest) < weights.blueprint.frame.vocabulary else {
      throw PromptError.beyondVocabulary(
        tokenizer: tokenizer.vocabularySize, model: weights.blueprint.frame.vocabulary)
    }
  }
}

/// What a model adds, shown as it comes: text where the prompt was one, else ids.
struct Output {
  private var stream: AnswerStream?
  private let isShown: Bool

  init(_ prompt: Prompt, stops: [String], isShown: Bool) {
    stream = prompt.tokenizer.map { AnswerStream($0, behind: prompt.ids, stops: stops) }
    self.isShown = isShown
  }

  var text: String { stream?.text ?? "" }
  /// Whether a text has come that ends it.
  var isEnded: Bool { stream?.isEnded ?? false }

  mutating func append(_ token: Int32) throws {
    guard stream != nil else { return show("\(token) ") }
    show(try stream?.append(token) ?? "")
  }

  mutating func finish() throws { show(try stream?.finish() ?? "") }

  private func show(_ new: String) {
    if isShown, !new.isEmpty { Report.write(new, to: STDOUT_FILENO) }
  }
}

/// Why a prompt cannot be continued.
enum PromptError: Error, CustomStringConvertible {
  case noTokens
  case beyondVocabulary(tokenizer: Int, model: Int)

  var description: String {
    switch self {
    case .noTokens:
      "The prompt has no tokens, and the tokenizer adds none; give at least one character."
    case .beyondVocabulary(let tokenizer, let model):
      "The tokenizer has \(tokenizer) tokens, and the model only \(model); it is another model's. "
        + "Put the model's own tokenizer beside it."
    }
  }
}
