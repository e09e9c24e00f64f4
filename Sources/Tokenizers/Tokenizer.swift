import Synchronization

/// Turns text into the tokens of a model and back, as the files that a model ships say.
///
/// Texts are bytes; several threads may use one tokenizer at once.
public final class Tokenizer: Sendable {
  let pipeline: Pipeline
  /// The tokens with a role, as the folder's configuration names them.
  public let special: SpecialTokens
  /// The chat templates that the folder ships, by name, the one called “default” first.
  public let templates: [(name: String, text: String)]
  /// What threads work with, while no thread does.
  private let workspaces = Mutex<[Workspace]>([])

  init(
    _ pipeline: Pipeline, special: SpecialTokens = SpecialTokens(),
    templates: [(name: String, text: String)] = []
  ) {
    self.pipeline = pipeline
    self.special = special
    self.templates = templates
  }

  /// The longest text that is encoded at once, in bytes.
  static let longestText = 1 << 31

  /// The tokens of a text.
  ///
  /// - Parameters:
  ///   - text: UTF-8.
  ///   - addsSpecialTokens: whether the tokens are added that the tokenizer puts around a text.
  public func encode(
    _ text: [UInt8], addsSpecialTokens: Bool = false
  ) throws(TokenizerError) -> [Int32] {
    try tokens(text, addsSpecialTokens: addsSpecialTokens, keepsRanges: false).ids
  }

  public func encode(
    _ text: String, addsSpecialTokens: Bool = false
  ) throws(TokenizerError) -> [Int32] {
    try encode(Array(text.utf8), addsSpecialTokens: addsSpecialTokens)
  }

  /// The tokens of a text, with where each stands in it.
  ///
  /// A token that stands for a part of a character's bytes has the range of the whole character.
  ///
  /// - Parameters:
  ///   - text: UTF-8.
  ///   - addsSpecialTokens: whether the tokens are added that the tokenizer puts around a text.
  public func encoding(
    _ text: [UInt8], addsSpecialTokens: Bool = false
  ) throws(TokenizerError) -> Encoding {
    try tokens(text, addsSpecialTokens: addsSpecialTokens, keepsRanges: true)
  }

  public func encoding(
    _ text: String, addsSpecialTokens: Bool = false
  ) throws(TokenizerError) -> Encoding {
    try encoding(Array(text.utf8), addsSpecialTokens: addsSpecialTokens)
  }

  private func tokens(
    _ text: [UInt8], addsSpecialTokens: Bool, keepsRanges: Bool
  ) throws(TokenizerError) -> Encoding {
    guard text.count <= Self.longestText else {
      throw .textTooLong(bytes: text.count, limit: Self.longestText)
    }
    if let offset = firstInvalidByte(text) { throw .invalidText(offset: offset) }
    var tokens = Tokens(keepsRanges: keepsRanges)
    try withWorkspace { (workspace) throws(TokenizerError) in
      try pipeline.tokenize(text, into: &tokens, &workspace)
    }
    var encoding = Encoding(ids: tokens.ids, ranges: tokens.ranges)
    let context = PostProcessing(
      addsSpecialTokens: addsSpecialTokens, keepsRanges: keepsRanges, text: text,
      token: pipeline.bytes(of:))
    pipeline.postProcessor?.process(&encoding, context)
    return encoding
  }

  /// The text of tokens; bytes that are not UTF-8 become U+FFFD.
  ///
  /// - Throws: `TokenizerError.unknownID`.
  public func decode(
    _ ids: [Int32], skipsSpecialTokens: Bool = false
  ) throws(TokenizerError) -> String {
    let bytes = try withWorkspace { (workspace) throws(TokenizerError) in
      try pipeline.decode(ids, skipsSpecialTokens: skipsSpecialTokens, &workspace)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The id of a token, spelled as the vocabulary has it.
  public func id(of token: String) -> Int32? { pipeline.id(of: Array(token.utf8)) }

  /// The token with an id, spelled as the vocabulary has it.
  public func token(_ id: Int32) -> String? {
    pipeline.bytes(of: id).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The largest id + 1, added tokens included.
  public var vocabularySize: Int { pipeline.size }

  private func withWorkspace<Result>(
    _ body: (inout Workspace) throws(TokenizerError) -> Result
  ) throws(TokenizerError) -> Result {
    var workspace = workspaces.withLock { $0.popLast() } ?? Workspace()
    defer { workspaces.withLock { [workspace] in $0.append(workspace) } }
    return try body(&workspace)
  }
}

/// The tokens with a role.
public struct SpecialTokens: Sendable, Equatable {
  public struct Token: Sendable, Equatable {
    public var text: String
    /// Missing if the vocabulary lacks the token.
    public var id: Int32?

    public init(text: String, id: Int32?) {
      self.text = text
      self.id = id
    }
  }

  /// What a text begins with.
  public var bos: Token?
  /// What ends a text.
  public var eos: Token?
  public var unk: Token?
  public var pad: Token?
  /// All others, by the names that the configuration gives them, such as `sep_token`.
  public var others: [(name: String, token: Token)] = []

  public init() {}

  public static func == (left: SpecialTokens, right: SpecialTokens) -> Bool {
    left.bos == right.bos && left.eos == right.eos && left.unk == right.unk && left.pad == right.pad
      && left.others.map(\.name) == right.others.map(\.name)
      && left.others.map(\.token) == right.others.map(\.token)
  }
}
