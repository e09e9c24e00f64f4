/// The text of tokens that come one by one, given out as soon as it is sure.
///
/// What a token spells depends on those before it: some tokens are parts of a character, and what begins a
/// text loses its space. So each token is decoded together with some before it, and of the text that has
/// grown only what is new is given out, once it ends with a whole character.
public struct TextStream {
  private let tokenizer: Tokenizer
  private var ids: [Int32]
  /// The tokens from here on are decoded each time.
  private var start: Int
  /// The tokens up to here have been given out.
  private var done: Int

  /// So many tokens of what was there before are decoded with the first new ones.
  private static let context = 8

  /// - Parameter ids: the tokens before, whose text is not given out.
  public init(_ tokenizer: Tokenizer, behind ids: [Int32]) {
    self.tokenizer = tokenizer
    self.ids = ids
    done = ids.count
    var count = Self.context
    start = max(0, ids.count - count)
    while start > 0,
      !Self.isVisible(try? tokenizer.decode(Array(ids[start...]), skipsSpecialTokens: true))
    {
      count *= 2
      start = max(0, ids.count - count)
    }
  }

  /// Whether a text holds more than spaces: spaces that begin a text may be left out, those behind other
  /// characters never are.
  private static func isVisible(_ text: String?) -> Bool {
    text?.utf8.contains { $0 != 0x20 } ?? true
  }

  /// Takes a token and gives the text that is new with it.
  ///
  /// Special tokens have none, and neither have ids without a token, of which some models have a few.
  public mutating func append(_ id: Int32) throws(TokenizerError) -> String {
    guard tokenizer.token(id) != nil else { return "" }
    ids.append(id)
    let text = try grown()
    // A character that is not whole yet is decoded so.
    guard !text.isEmpty, text.unicodeScalars.last != "\u{FFFD}" else { return "" }
    if Self.isVisible(text) { start = done }
    done = ids.count
    return text
  }

  /// The text that was held back.
  public mutating func finish() throws(TokenizerError) -> String {
    let text = try grown()
    if Self.isVisible(text) { start = done }
    done = ids.count
    return text
  }

  private func grown() throws(TokenizerError) -> String {
    let before = try tokenizer.decode(Array(ids[start..<done]), skipsSpecialTokens: true)
    let all = try tokenizer.decode(Array(ids[start...]), skipsSpecialTokens: true)
    // Only what ended in the middle of a character before can have changed.
    let shared = zip(before.utf8, all.utf8).prefix { $0 == $1 }.count
    let isCut = before.unicodeScalars.last == "\u{FFFD}" && shared < before.utf8.count
    return String(
      decoding: Array(all.utf8.dropFirst(isCut ? shared : before.utf8.count)), as: UTF8.self)
  }
}
