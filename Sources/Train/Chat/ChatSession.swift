import Engine
import JSON
import Tokenizers

/// A conversation with a model: what was said, and what the model has read of it.
///
/// Of each turn only what is new goes through the model. Where the template writes earlier turns otherwise than
/// before (some leave old reasoning out), all from the first difference on is read again.
struct ChatSession {
  /// How answers are made.
  struct Settings {
    var sampling = Sampling.greedy
    /// The most tokens of an answer.
    var limit = 512
    /// The tokens that end one.
    var ends: Set<Int32> = []
    /// Texts that end one.
    var stops: [String] = []
    var isCached = true
    /// The positions that the model was made for.
    var window: Int?
  }

  /// One answer.
  struct Answer: Equatable {
    enum End: Equatable {
      /// The model, or a text that ends answers.
      case finished
      /// As many tokens as may come.
      case limit
      /// No position is left.
      case window
      /// The user.
      case stopped
    }

    var text: String
    var end: End
    /// The tokens of the conversation before it, those of them that needed no reading, and its own.
    var read: Int
    var reused: Int
    var tokens: Int
    /// Seconds from its first token to its last.
    var seconds: Double
  }

  let writer: ChatWriter
  let settings: Settings
  private let model: Model
  private(set) var messages: [JSONObject] = []
  private var generator: Generator?

  /// - Parameter system: what is said to the model before anything else.
  init(_ model: Model, _ writer: ChatWriter, _ settings: Settings, system: String? = nil) {
    self.model = model
    self.writer = writer
    self.settings = settings
    if let system { messages = [ChatWriter.message("system", system)] }
  }

  /// The positions that are taken.
  var positions: Int { generator?.tokens.count ?? 0 }

  /// Forgets what was said but for what the system said, and draws as at the beginning.
  mutating func reset() {
    messages = messages.filter { $0["role"]?.string == "system" }
    generator = nil
  }

  /// Says something else to the model before everything, and forgets the rest; nothing says nothing.
  mutating func reset(system: String) {
    messages = system.isEmpty ? [] : [ChatWriter.message("system", system)]
    generator = nil
  }

  /// Answers a message of the user.
  ///
  /// - Parameters:
  ///   - isStopped: asked between tokens; what has come by then stays the answer.
  ///   - show: given the text before the answer once, then pieces of the answer as they come.
  /// - Throws: `ChatError.windowFull`, `Conversation.Problem`, `EngineError`; the message is taken back then.
  mutating func answer(
    to text: String, isStopped: () -> Bool = { false },
    show: (_ piece: Shown) throws -> Void = { _ in }
  ) throws -> Answer {
    messages.append(ChatWriter.message("user", text))
    do {
      let answer = try answer(isStopped, show)
      messages.append(ChatWriter.message("assistant", answer.text))
      return answer
    } catch {
      messages.removeLast()
      throw error
    }
  }

  /// What is shown of an answer.
  enum Shown {
    /// The text that the answer follows.
    case prompt(String)
    case piece(String)
  }

  private mutating func answer(
    _ isStopped: () -> Bool, _ show: (Shown) throws -> Void
  ) throws -> Answer {
    let prompt = try writer.text(messages)
    let ids = try writer.tokens(prompt)
    try model.blueprint.check(Batch([ids]))
    if let window = settings.window, ids.count >= window {
      throw ChatError.windowFull(tokens: ids.count, window: window)
    }
    var generator =
      try self.generator
      ?? Generator(model, ids, settings.sampling, isCached: settings.isCached)
    let reused = try generator.restart(with: ids)
    // A failure leaves no half-read conversation behind.
    self.generator = nil
    try show(.prompt(prompt))
    var answer = Answer(
      text: "", end: .finished, read: ids.count, reused: reused, tokens: 0, seconds: 0)
    while generator.unread > Generator.usualChunk, !isStopped() { try generator.read() }
    var stream = AnswerStream(writer.tokenizer, behind: ids, stops: settings.stops)
    let room = settings.window.map { $0 - ids.count } ?? .max
    let start = ContinuousClock.now
    if isStopped() {
      answer.end = .stopped
    } else {
      answer.end = try run(&generator, &stream, room: room, isStopped, show)
    }
    try show(.piece(try stream.finish()))
    answer.seconds = (ContinuousClock.now - start).inSeconds
    answer.text = stream.text
    answer.tokens = generator.tokens.count - ids.count
    self.generator = generator
    return answer
  }

  private func run(
    _ generator: inout Generator, _ stream: inout AnswerStream, room: Int, _ isStopped: () -> Bool,
    _ show: (Shown) throws -> Void
  ) throws -> Answer.End {
    let end = try generator.run(limit: min(settings.limit, room), stops: settings.ends) { token in
      if !settings.ends.contains(token) {
        let new = try stream.append(token)
        if !new.isEmpty { try show(.piece(new)) }
      }
      return !stream.isEnded && !isStopped()
    }
    switch end {
    case .stop: return .finished
    case .limit: return settings.limit <= room ? .limit : .window
    case .ended: return stream.isEnded ? .finished : .stopped
    }
  }

  /// The conversation as one line of OpenAI's messages.
  var line: String {
    JSON.object(["messages": .array(messages.map { .object($0) })]).serialized() + "\n"
  }
}

extension Duration {
  var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}

/// Why a conversation does not go on.
enum ChatError: Error, CustomStringConvertible {
  case windowFull(tokens: Int, window: Int)
  case unknownCommand(String)
  case nothingNamed(String, need: String)

  var description: String {
    switch self {
    case .windowFull(let tokens, let window):
      "The conversation has \(tokens) tokens with this message, and the model was made for \(window) positions. "
        + "Begin anew with /reset, or say it in fewer words."
    case .unknownCommand(let name):
      "There is no command \(name). /help lists them; a message that begins with a slash takes two (//)."
    case .nothingNamed(let command, let need):
      "\(command) needs \(need) behind it."
    }
  }
}
