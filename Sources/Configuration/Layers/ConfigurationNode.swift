import JSON

/// A value of a configuration, or a section of them, that remembers where it was said.
///
/// A scalar stays the text it was written as: only who reads it knows whether `1e-5` is a number.
package struct ConfigurationNode: Sendable {
  package indirect enum Content: Sendable {
    /// - isPlain: whether it stands without quotes, so that `null` is nothing.
    case scalar(String, isPlain: Bool)
    case list([ConfigurationNode])
    case map([Member])
  }

  package struct Member: Sendable {
    package var key: String
    package var node: ConfigurationNode
  }

  package var content: Content
  package var origin: Origin
  /// Whether it was added with `+`, and so must be new.
  var isAddition = false

  init(_ content: Content, _ origin: Origin) {
    self.content = content
    self.origin = origin
  }

  static func empty(_ origin: Origin) -> ConfigurationNode { ConfigurationNode(.map([]), origin) }

  static func text(_ text: String, _ origin: Origin) -> ConfigurationNode {
    ConfigurationNode(.scalar(text, isPlain: false), origin)
  }

  var members: [Member]? { if case .map(let members) = content { members } else { nil } }

  var items: [ConfigurationNode]? { if case .list(let items) = content { items } else { nil } }

  var scalar: String? { if case .scalar(let text, _) = content { text } else { nil } }

  /// Whether it says that there is nothing, in any spelling of the formats that are read.
  var isNull: Bool {
    guard case .scalar(let text, isPlain: true) = content else { return false }
    return ["", "~", "null", "Null", "NULL", "none", "None"].contains(text)
  }

  // MARK: Paths

  subscript(key: String) -> ConfigurationNode? {
    get { members?.first { $0.key == key }?.node }
    set {
      guard case .map(var members) = content else { return }
      let place = members.firstIndex { $0.key == key }
      switch (place, newValue) {
      case (let place?, let node?): members[place].node = node
      case (let place?, nil): members.remove(at: place)
      case (nil, let node?): members.append(Member(key: key, node: node))
      case (nil, nil): return
      }
      content = .map(members)
    }
  }

  subscript(path: ArraySlice<String>) -> ConfigurationNode? {
    guard let first = path.first else { return self }
    return self[first]?[path.dropFirst()]
  }

  /// Puts a value at a path, making sections on the way; what is there and is no section gives way.
  mutating func set(_ path: ArraySlice<String>, _ node: ConfigurationNode) {
    guard let first = path.first else {
      self = node
      return
    }
    if members == nil { content = .map([]) }
    var inner = self[first] ?? .empty(node.origin)
    inner.set(path.dropFirst(), node)
    self[first] = inner
  }

  /// Takes a value away.
  mutating func remove(_ path: ArraySlice<String>) {
    guard let first = path.first else { return }
    if path.count == 1 {
      self[first] = nil
    } else if var inner = self[first] {
      inner.remove(path.dropFirst())
      self[first] = inner
    }
  }

  // MARK: Layers

  /// Lays another over it: sections are merged, everything else is replaced.
  mutating func merge(_ upper: ConfigurationNode) {
    guard members != nil, let added = upper.members else {
      self = upper
      return
    }
    for member in added {
      if var inner = self[member.key] {
        inner.merge(member.node)
        self[member.key] = inner
      } else {
        self[member.key] = member.node
      }
    }
  }

  // MARK: As JSON

  /// What the text says to whom no reader told its type.
  package var json: JSON {
    switch content {
    case .scalar(let text, let isPlain): isPlain ? Self.resolved(text) : .string(text)
    case .list(let items): .array(items.map(\.json))
    case .map(let members):
      .object(
        members.reduce(into: JSONObject()) { object, member in
          object[member.key] = member.node.json
        })
    }
  }

  /// A word without quotes as OmegaConf takes it: like YAML 1.1, but `1e-5` is a number.
  private static func resolved(_ text: String) -> JSON {
    switch text {
    case "", "~", "null", "Null", "NULL", "none", "None": return .null
    case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return .bool(true)
    case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return .bool(false)
    case ".inf", ".Inf", ".INF", "+.inf": return .number(.infinity)
    case "-.inf", "-.Inf", "-.INF": return .number(-.infinity)
    case ".nan", ".NaN", ".NAN": return .number(.nan)
    default: break
    }
    guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first),
      text.utf8.allSatisfy({ "+-.0123456789eE_".utf8.contains($0) })
    else { return .string(text) }
    let digits = text.replacing("_", with: "")
    if let number = Int(digits) { return .integer(number) }
    return Double(digits).map(JSON.number) ?? .string(text)
  }
}
