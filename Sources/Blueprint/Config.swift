import JSON

/// A strict, typed reader of config.json that remembers which keys were read.
///
/// After a blueprint is built, `unreadKeys` are those nobody asked for and that are not known to leave
/// the mathematics alone: an error, not silence.
public final class Config {
  private let object: JSONObject
  /// The names that led here: `rope_scaling.` inside that object.
  private let path: String
  private var read: Set<String> = []
  private var nested: [String: Config] = [:]
  /// Whether the object is a configuration of its own, in which the harmless keys are known.
  private var isWhole: Bool
  private let isStored: ((String) -> Bool)?

  /// - Parameter isStored: whether the model's files hold a tensor; `nil` where no files are at hand.
  public init(
    _ object: JSONObject, path: String = "", isStored: ((String) -> Bool)? = nil
  ) {
    self.object = object
    self.path = path
    self.isStored = isStored
    isWhole = path.isEmpty
  }

  /// Whether the model's files hold a tensor of this name; `nil` where no files are at hand.
  ///
  /// For families whose files spell the same model in several ways. Where nobody can say, the
  /// spelling is that of the released files.
  public func stores(_ tensor: String) -> Bool? { isStored?(tensor) }

  /// A required value.
  ///
  /// - Throws: `ConfigError.missing`, or `.wrongType`.
  public func callAsFunction<Value: ConfigValue>(_ key: String) throws(ConfigError) -> Value {
    guard let value: Value = try optional(key) else { throw .missing(key: path + key) }
    return value
  }

  /// A value with the default of the architecture's reference code; `null` counts as absent.
  public func callAsFunction<Value: ConfigValue>(
    _ key: String, default fallback: Value
  ) throws(ConfigError) -> Value {
    try optional(key) ?? fallback
  }

  /// A value that may be absent or `null`.
  public func optional<Value: ConfigValue>(_ key: String) throws(ConfigError) -> Value? {
    read.insert(key)
    guard let json = object[key], !json.isNull else { return nil }
    guard let value = Value(config: json) else {
      throw .wrongType(
        key: path + key, expected: Value.configDescription, found: json.serialized())
    }
    return value
  }

  /// A value where `null` means "none" and an absent key the architecture's default.
  public func nullable<Value: ConfigValue>(
    _ key: String, default fallback: Value
  ) throws(ConfigError) -> Value? {
    let value: Value? = try optional(key)
    return value ?? (object[key] == nil ? fallback : nil)
  }

  /// A required size: at least 1 and small enough that no product of sizes overflows.
  ///
  /// - Throws: `ConfigError.outOfRange`, `.missing` or `.wrongType`.
  public func size(
    _ keys: String..., default fallback: Int? = nil, limit: Int = 1 << 20
  ) throws(ConfigError) -> Int {
    guard let value: Int = try optional(anyOf: keys) ?? fallback else {
      throw .missing(key: path + keys[0])
    }
    try check(keys.first(where: has) ?? keys[0], value, in: 1...limit)
    return value
  }

  /// A size that may be absent or `null`.
  public func optionalSize(
    _ keys: String..., limit: Int = 1 << 20
  ) throws(ConfigError) -> Int? {
    try optionalSize(anyOf: keys, limit: limit)
  }

  /// A size under the first of several spellings of its key that is present.
  public func optionalSize(
    anyOf keys: [String], limit: Int = 1 << 20
  ) throws(ConfigError) -> Int? {
    guard let value: Int = try optional(anyOf: keys) else { return nil }
    try check(keys.first(where: has) ?? keys[0], value, in: 1...limit)
    return value
  }

  /// A number that must be finite and above zero.
  public func positive(_ key: String, default fallback: Double? = nil) throws(ConfigError) -> Double
  {
    guard let value: Double = try optional(key) ?? fallback else {
      throw .missing(key: path + key)
    }
    guard value > 0, value.isFinite else {
      throw .outOfRange(key: path + key, expected: "a number above 0", found: "\(value)")
    }
    return value
  }

  /// - Throws: `ConfigError.outOfRange`.
  public func check(_ key: String, _ value: Int, in range: ClosedRange<Int>) throws(ConfigError) {
    guard range.contains(value) else {
      throw .outOfRange(
        key: path + key, expected: "from \(range.lowerBound) to \(range.upperBound)",
        found: "\(value)")
    }
  }

  /// The first of several spellings of one key that is present; all count as read.
  public func optional<Value: ConfigValue>(anyOf keys: [String]) throws(ConfigError) -> Value? {
    var found: Value?
    for key in keys {
      let value: Value? = try optional(key)
      found = found ?? value
    }
    return found
  }

  /// A nested object, or `nil` if absent or `null`; its own keys must be read as well.
  public func object(_ key: String) throws(ConfigError) -> Config? {
    read.insert(key)
    if let known = nested[key] { return known }
    guard let json = object[key], !json.isNull else { return nil }
    guard let inner = json.object else {
      throw .wrongType(key: path + key, expected: "an object", found: json.serialized())
    }
    let config = Config(inner, path: path + key + ".", isStored: isStored)
    nested[key] = config
    return config
  }

  /// A nested configuration of a model that is part of a larger one, or `nil` if absent or `null`.
  public func model(_ key: String) throws(ConfigError) -> Config? {
    let model = try object(key)
    model?.isWhole = true
    return model
  }

  /// A list of objects, or `nil` if absent or `null`; the keys of each must be read as well.
  public func objects(_ key: String) throws(ConfigError) -> [Config]? {
    read.insert(key)
    guard let json = object[key], !json.isNull else { return nil }
    var configs: [Config] = []
    for (index, item) in (json.array ?? []).enumerated() {
      guard let inner = item.object else { break }
      let name = "\(key)[\(index)]"
      let config = nested[name] ?? Config(inner, path: "\(path)\(name).", isStored: isStored)
      nested[name] = config
      configs.append(config)
    }
    guard let items = json.array, configs.count == items.count else {
      throw .wrongType(key: path + key, expected: "a list of objects", found: "…")
    }
    return configs
  }

  /// Refuses every value but those given; absent and `null` pass.
  ///
  /// For switches whose other positions no published model of the family uses.
  public func require<Value: ConfigValue & Equatable>(
    _ key: String, _ allowed: Value..., because reason: String
  ) throws(ConfigError) {
    guard let value: Value = try optional(key), !allowed.contains(value) else { return }
    throw .unsupported(key: path + key, value: "\(value)", reason: reason)
  }

  /// Marks keys as understood to have no effect for this architecture.
  public func ignore(_ keys: String...) { read.formUnion(keys) }

  /// Whether the object has no members.
  public var isEmpty: Bool { object.count == 0 }

  public func has(_ key: String) -> Bool { object[key].map { !$0.isNull } ?? false }

  /// Keys with a value that nobody read and that are not known to be harmless, sorted.
  public var unreadKeys: [String] {
    let own = object.members.compactMap { key, value -> String? in
      let isKnown =
        read.contains(key) || value.isNull || (isWhole && Config.inert.contains(key))
      return isKnown ? nil : path + key
    }
    return (own + nested.values.flatMap(\.unreadKeys)).sorted()
  }
}

/// A type a configuration key can have.
public protocol ConfigValue {
  init?(config json: JSON)
  static var configDescription: String { get }
}

extension Int: ConfigValue {
  public init?(config json: JSON) {
    // Some published files write sizes as 4096.0.
    if let value = json.integer {
      self = value
    } else if let value = json.double, let exact = Int(exactly: value) {
      self = exact
    } else {
      return nil
    }
  }
  public static var configDescription: String { "a whole number" }
}

extension Double: ConfigValue {
  public init?(config json: JSON) {
    // transformers 5 writes {"__float__": "Infinity"} where JSON has no word.
    if let text = json.object?["__float__"]?.string, let value = Double(text) {
      self = value
    } else if let value = json.double {
      self = value
    } else {
      return nil
    }
  }
  public static var configDescription: String { "a number" }
}

extension Bool: ConfigValue {
  public init?(config json: JSON) {
    guard let value = json.bool else { return nil }
    self = value
  }
  public static var configDescription: String { "true or false" }
}

extension String: ConfigValue {
  public init?(config json: JSON) {
    guard let value = json.string else { return nil }
    self = value
  }
  public static var configDescription: String { "a string" }
}

extension Array: ConfigValue where Element: ConfigValue {
  public init?(config json: JSON) {
    guard let items = json.array else { return nil }
    var values: [Element] = []
    for item in items {
      guard let value = Element(config: item) else { return nil }
      values.append(value)
    }
    self = values
  }
  public static var configDescription: String { "a list, each \(Element.configDescription)" }
}
