/// One YAML value as PyYAML's safe loader would see it: inert data, custom tags kept as tags.
///
/// `run_config.yaml` (Megatron-Bridge) and `model.yaml` (NeMo) are read to it; nothing that a
/// `_target_` names is ever made.
public indirect enum YAMLValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  /// A plain scalar of a type without a case of its own: a date, an integer beyond 64 bits.
  case plain(String)
  case list([YAMLValue])
  case map(YAMLMap)
  /// `!!set`.
  case set([YAMLValue])
  /// Any other tag, in full (`tag:yaml.org,2002:python/tuple`, `!mine`), and what it stands on.
  case tagged(String, YAMLValue)

  public var isNull: Bool { self == .null }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  /// The value of either kind of number.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var list: [YAMLValue]? { if case .list(let value) = self { value } else { nil } }
  public var map: YAMLMap? { if case .map(let value) = self { value } else { nil } }

  /// The value under a path of string keys: `config["model", "num_layers"]`; `nil` if one is absent.
  public subscript(path: String...) -> YAMLValue? {
    var value = self
    for key in path {
      guard let next = value.map?[key] else { return nil }
      value = next
    }
    return value
  }
}

/// A YAML mapping in the order of the text; keys are mostly strings.
public struct YAMLMap: Hashable, Sendable {
  public private(set) var entries: [Entry] = []

  public struct Entry: Hashable, Sendable {
    public let key: YAMLValue
    public var value: YAMLValue

    public init(key: YAMLValue, value: YAMLValue) {
      self.key = key
      self.value = value
    }
  }

  public init() {}

  public init(_ entries: [Entry]) { self.entries = entries }

  public init(_ members: KeyValuePairs<String, YAMLValue>) {
    for (key, value) in members { self[key] = value }
  }

  /// The value of a string key; setting a new key appends it, setting `nil` removes it.
  public subscript(key: String) -> YAMLValue? {
    get { entries.first { $0.key == .string(key) }?.value }
    set {
      let index = entries.firstIndex { $0.key == .string(key) }
      switch (index, newValue) {
      case (let index?, let newValue?): entries[index].value = newValue
      case (let index?, nil): entries.remove(at: index)
      case (nil, let newValue?): entries.append(.init(key: .string(key), value: newValue))
      case (nil, nil): break
      }
    }
  }
}

extension YAMLMap: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral members: (String, YAMLValue)...) {
    for (key, value) in members { self[key] = value }
  }
}
