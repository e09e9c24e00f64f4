import JSON

/// A tekken.json file: tokens in the order of their ranks, tokens with a role before them, and the pattern
/// that cuts texts into words.
///
/// A token's id is its rank behind all special tokens; of the vocabulary only so much counts as makes
/// `default_vocab_size` together with them.
///
/// Source: tekken.py of mistral-common 1.13.
struct TekkenFile {
  private(set) var tokens: [RankedTokens.Token] = []
  /// The special tokens' spellings, by id.
  private(set) var specials: [String] = []
  let pattern: String

  /// The special tokens of files that name none, by id.
  private static let usualSpecials = [
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]",
    "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
  ]

  init(_ bytes: [UInt8]) throws(TokenizerFault) {
    let root: JSON
    do throws(JSONError) { root = try JSON(parsing: bytes) } catch { throw .json(error) }
    guard let file = root.object, let configuration = file["config"]?.object else {
      throw .missing("config", in: "tekken.json")
    }
    guard let vocabulary = file["vocab"]?.array else { throw .missing("vocab", in: "tekken.json") }
    guard let pattern = configuration["pattern"]?.string else {
      throw .missing("pattern", in: "config")
    }
    self.pattern = pattern
    let count = try Self.count(configuration, "default_num_special_tokens", limit: 1 << 20)
    let size = try Self.count(configuration, "default_vocab_size", limit: 1 << 28)
    guard size >= count, size - count <= vocabulary.count else {
      throw .value(
        at: "config.default_vocab_size",
        expected: "from \(count) to \(count + vocabulary.count), the tokens that there are",
        found: "\(size)")
    }
    specials = try Self.specials(file["special_tokens"], count)
    for (rank, entry) in vocabulary.prefix(size - count).enumerated() {
      tokens.append(try Self.token(entry, rank, count))
    }
  }

  private static func count(
    _ configuration: JSONObject, _ key: String, limit: Int
  ) throws(TokenizerFault) -> Int {
    guard let value = configuration[key] else { throw .missing(key, in: "config") }
    guard let count = value.integer, (0...limit).contains(count) else {
      throw .value(
        at: "config.\(key)", expected: "a whole number from 0 to \(limit)",
        found: "“\(value.serialized())”")
    }
    return count
  }

  private static func token(
    _ entry: JSON, _ rank: Int, _ specials: Int
  ) throws(TokenizerFault) -> RankedTokens.Token {
    let place = "vocab[\(rank)]"
    guard let object = entry.object, let found = object["rank"]?.integer else {
      throw .missing("rank", in: place)
    }
    guard found == rank else {
      throw .value(at: "\(place).rank", expected: "\(rank), as in its place", found: "\(found)")
    }
    guard let text = object["token_bytes"]?.string else {
      throw .missing("token_bytes", in: place)
    }
    guard let bytes = Base64.bytes(Array(text.utf8)), !bytes.isEmpty else {
      throw .value(at: "\(place).token_bytes", expected: "bytes in base64", found: "“\(text)”")
    }
    return RankedTokens.Token(bytes: bytes, id: Int32(rank + specials))
  }

  /// The spellings of special tokens, filled up to `count`.
  private static func specials(_ list: JSON?, _ count: Int) throws(TokenizerFault) -> [String] {
    var names = [String?](repeating: nil, count: count)
    if let list, !list.isNull {
      guard let entries = list.array else {
        throw .value(at: "special_tokens", expected: "an array", found: "something else")
      }
      for (index, entry) in entries.enumerated() {
        let place = "special_tokens[\(index)]"
        guard let name = entry.object?["token_str"]?.string else {
          throw .missing("token_str", in: place)
        }
        let rank = entry.object?["rank"]?.integer ?? index
        guard names.indices.contains(rank) else {
          throw .value(
            at: "\(place).rank", expected: "below config.default_num_special_tokens, \(count)",
            found: "\(rank)")
        }
        if let other = names[rank] { throw .repeatedID(Int32(rank), other, name) }
        names[rank] = name
      }
    } else {
      for (index, name) in usualSpecials.prefix(count).enumerated() { names[index] = name }
    }
    return names.enumerated().map { $1 ?? "<SPECIAL_\($0)>" }
  }
}
