import Checkpoints
import Console
import Glibc
import JSON
import Tensors

/// A conversation at a terminal, or one with the lines of a file: reads messages, shows answers.
struct ChatLoop {
  private var session: ChatSession
  private var reader = LineReader(STDIN_FILENO, name: "standard input")
  private let wantsJSON: Bool
  /// Whether somebody types, and whether somebody reads.
  private let isTyped = Environment.isTerminal(STDIN_FILENO)
  private let isRead = Environment.isTerminal(STDOUT_FILENO)
  private let colours = Environment.hasColour(STDOUT_FILENO)

  init(_ session: ChatSession, wantsJSON: Bool) {
    self.session = session
    self.wantsJSON = wantsJSON
  }

  /// Goes on until the input ends or the user wants to.
  ///
  /// - Throws: what a file's lines lead to; at a terminal it is said, and the conversation goes on.
  mutating func run() throws {
    if isTyped { tell("/help lists the commands.") }
    while let line = try next() {
      do {
        guard try handle(line) else { return }
      } catch ConversionError.interrupted {
        throw ConversionError.interrupted
      } catch let error where isTyped {
        Report.error(Report.sentences(error))
      }
    }
    if isTyped { Report.write("\n", to: STDERR_FILENO) }
  }

  /// The next message or command's line; `nil` at the end.
  private mutating func next() throws -> String? {
    var text = ""
    while true {
      if isTyped { Report.write(text.isEmpty ? "> " : "… ", to: STDERR_FILENO) }
      guard let line = try reader.next({}) else { return text.isEmpty ? nil : text }
      var bytes = line.bytes
      if bytes.last == 0x0D { bytes.removeLast() }
      guard let part = String(validating: bytes, as: UTF8.self) else {
        throw LineError(line: line.number, column: nil, reason: "it is not UTF-8")
      }
      guard part.hasSuffix("\\") else { return text + part }
      text += part.dropLast() + "\n"
    }
  }

  /// - Returns: whether the conversation goes on.
  private mutating func handle(_ line: String) throws -> Bool {
    switch try ChatLine(line) {
    case .nothing: break
    case .exit: return false
    case .help: Report.write(ChatLine.explanation + "\n", to: STDERR_FILENO)
    case .reset:
      session.reset()
      tell("The conversation begins anew.")
    case .system(let text):
      session.reset(system: text)
      tell("The conversation begins anew.")
    case .save(let path):
      let bytes = Array(session.line.utf8)
      try OutputFile.replace(path) { file throws(FileError) in try file.write(bytes, at: 0) }
      tell("Saved \(Format.count(session.messages.count, "message")) in \(path).")
    case .message(let text): try answer(text)
    }
    return true
  }

  private mutating func answer(_ text: String) throws {
    let progress = TransferProgress()
    var display = AnswerDisplay(isShown: !wantsJSON, isTerminal: isRead, colours: colours)
    let answer = try Interrupt.shared.stopping(progress, farewell: "Interrupted.") {
      try session.answer(to: text, isStopped: { progress.isCancelled }) {
        display.show($0)
      }
    }
    display.finish()
    if wantsJSON {
      Report.write(JSON.object(answer.object).serialized() + "\n", to: STDOUT_FILENO)
    }
    if Interrupt.shared.wasTerminated { throw ConversionError.interrupted }
    // A line of a file is no conversation with somebody who stops one answer and wants the next.
    if answer.end == .stopped, !isTyped { throw ConversionError.interrupted }
    if isTyped { tell(answer.summary(window: session.settings.window)) }
  }

  /// Says something about the conversation, not in it.
  private func tell(_ text: String) {
    guard isTyped else { return }
    let isColoured = Environment.hasColour(STDERR_FILENO)
    Report.write(isColoured ? "\u{1B}[2m\(text)\u{1B}[0m\n" : text + "\n", to: STDERR_FILENO)
  }
}

extension ChatSession.Answer {
  /// How long it is, how fast it came, how much room is left.
  func summary(window: Int?) -> String {
    var parts = [Format.count(tokens, "token")]
    if seconds > 0, tokens > 1 {
      parts.append("\(Format.digits(Double(tokens) / seconds)) tokens/s")
    }
    let taken = Format.count(read + tokens)
    parts.append(
      window.map { "\(taken) of \(Format.count($0)) positions" } ?? "\(taken) positions")
    if reused > 0 { parts.append("\(Format.count(read - reused)) read anew") }
    switch end {
    case .finished: break
    case .limit: parts.append("cut by --max-new-tokens")
    case .window: parts.append("no position is left; /reset begins anew")
    case .stopped: parts.append("stopped")
    }
    return parts.joined(separator: ", ")
  }

  var object: JSONObject {
    [
      "role": .string("assistant"), "content": .string(text),
      "tokens": .integer(tokens), "promptTokens": .integer(read), "reused": .integer(reused),
      "end": .string("\(end)"), "seconds": .number((seconds * 1000).rounded() / 1000),
    ]
  }
}

/// Shows an answer as it comes: on a terminal reasoning is dimmed, and nothing moves the cursor.
struct AnswerDisplay {
  private let isShown: Bool
  private let isTerminal: Bool
  private let colours: Bool
  private var reasoning = Reasoning()

  init(isShown: Bool, isTerminal: Bool, colours: Bool) {
    self.isShown = isShown
    self.isTerminal = isTerminal
    self.colours = colours
  }

  mutating func show(_ shown: ChatSession.Shown) {
    switch shown {
    case .prompt(let prompt): reasoning = Reasoning(behind: prompt)
    case .piece(let text): for piece in reasoning.append(text) { write(piece) }
    }
  }

  /// Shows what was held back, and ends the line.
  mutating func finish() {
    for piece in reasoning.finish() { write(piece) }
    if isShown { Report.write("\n", to: STDOUT_FILENO) }
  }

  private func write(_ piece: Reasoning.Piece) {
    guard isShown else { return }
    let text = isTerminal ? SampleText.visible(piece.text) : piece.text
    let isDimmed = piece.isReasoning && colours
    Report.write(isDimmed ? "\u{1B}[2m\(text)\u{1B}[22m" : text, to: STDOUT_FILENO)
  }
}
