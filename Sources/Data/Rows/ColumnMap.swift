import JSON

/// Which columns of a data set hold what, where they have names of their own.
public struct ColumnMap: Sendable, Equatable {
  /// The row's key for each known one: `instruction` ← `question`.
  public var names: [Pair]
  /// How turns name their parts and speakers, where a row is a conversation.
  public var tags: Tags?

  public struct Pair: Sendable, Equatable {
    public var known: String
    public var own: String

    public init(known: String, own: String) {
      self.known = known
      self.own = own
    }
  }

  /// LLaMA-Factory's tags, with its defaults.
  public struct Tags: Sendable, Equatable {
    public var role = "from"
    public var content = "value"
    public var user = "human"
    public var assistant = "gpt"
    public var observation = "observation"
    public var function = "function_call"
    public var system = "system"

    public init() {}
  }

  public init(names: [Pair], tags: Tags? = nil) {
    self.names = names
    self.tags = tags
  }

  /// The row under the known keys, and nothing else of it.
  func apply(to row: JSONObject) throws(RowFault) -> JSONObject {
    var result = JSONObject()
    for pair in names {
      guard var value = row[pair.own] else { continue }
      if pair.known == "conversations", let tags {
        value = try Self.conversation(value, tags, pair.own)
      }
      result[pair.known] = value
    }
    return result
  }

  private static func conversation(
    _ value: JSON, _ tags: Tags, _ key: String
  ) throws(RowFault) -> JSON {
    let speakers = [
      (tags.user, "human"), (tags.assistant, "gpt"), (tags.observation, "observation"),
      (tags.function, "function_call"), (tags.system, "system"),
    ]
    var turns: [JSON] = []
    for (index, turn) in try RowReader.array(value, key).enumerated() {
      let place = "\(key)[\(index)]"
      let turn = try RowReader.object(turn, place)
      guard let role = turn[tags.role] else {
        throw RowFault("\(place).\(tags.role)", "is missing")
      }
      let name = try RowReader.string(role, "\(place).\(tags.role)")
      guard let speaker = speakers.first(where: { $0.0 == name }) else {
        throw RowFault(
          "\(place).\(tags.role)", "is “\(name)”",
          "The tags know \(speakers.map(\.0).joined(separator: ", ")).")
      }
      guard let content = turn[tags.content] else {
        throw RowFault("\(place).\(tags.content)", "is missing")
      }
      turns.append(.object(["from": .string(speaker.1), "value": content]))
    }
    return .array(turns)
  }
}
