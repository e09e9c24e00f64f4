/// A line that a user types in a conversation: a message, or a command that begins with a slash.
enum ChatLine: Equatable {
  case message(String)
  case system(String)
  case save(String)
  case reset
  case help
  case exit
  case nothing

  /// - Throws: `ChatError.unknownCommand`, `.nothingNamed`.
  init(_ line: String) throws(ChatError) {
    let text = line.trimmingSpaces
    guard text.hasPrefix("/") else {
      self = text.isEmpty ? .nothing : .message(line)
      return
    }
    if text.hasPrefix("//") {
      self = .message(String(text.dropFirst()))
      return
    }
    let name = text.prefix { $0 != " " && $0 != "\t" }
    let rest = String(text.dropFirst(name.count)).trimmingSpaces
    switch name {
    case "/system": self = .system(rest)
    case "/save":
      guard !rest.isEmpty else { throw .nothingNamed("/save", need: "a file's name") }
      self = .save(rest)
    case "/reset", "/clear", "/new": self = .reset
    case "/help", "/?": self = .help
    case "/exit", "/quit", "/bye": self = .exit
    default: throw .unknownCommand(String(name))
    }
  }

  static let explanation = """
    /system TEXT  say TEXT to the model before everything, and begin anew
    /reset        begin anew
    /save FILE    write the conversation to FILE, a line of OpenAI's messages
    /exit         end (so does Ctrl-D); Ctrl-C stops an answer
    A line that ends in \\ goes on in the next one; //… is a message that begins with a slash.
    """
}

extension String {
  var trimmingSpaces: String {
    let scalars = unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
      let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return "" }
    return String(scalars[first...last])
  }
}
