import JSON

/// A dictionary as Python has it: keys of any type that can be hashed, in the order they came.
final class Mapping {
  private(set) var keys: [Value] = []
  private(set) var values: [Value] = []
  private(set) var height = 1
  /// The place of each key, only where there are too many to look through one by one.
  private var places: [Key: Int]?

  init() {}

  /// What makes keys the same: numbers by value, whatever their type.
  enum Key: Hashable {
    case none
    case undefined
    case number(Double)
    case integer(Int)
    case string([UInt8])
    case tuple([Key])
    case object(ObjectIdentifier)

    /// Throws where Python says "unhashable type".
    init(_ value: Value) throws(Fault) {
      switch value {
      case .undefined: self = .undefined
      case .none: self = .none
      case .bool(let value): self = .integer(value ? 1 : 0)
      case .integer(let value): self = .integer(value)
      case .float(let value):
        if let whole = Int(exactly: value) { self = .integer(whole) } else { self = .number(value) }
      case .string(let text): self = .string(text.bytes)
      case .tuple(let items):
        var keys: [Key] = []
        for item in items.values { keys.append(try Key(item)) }
        self = .tuple(keys)
      case .list, .dictionary:
        throw .type("A value of type \(value.type) cannot be a key, since it could change.")
      case .object(let object): self = .object(ObjectIdentifier(object))
      }
    }
  }

  var count: Int { keys.count }

  func place(_ key: Value) throws(Fault) -> Int? {
    if let text = key.text { return place(text) }
    let wanted = try Key(key)
    if let places { return places[wanted] }
    for index in keys.indices where try Key(keys[index]) == wanted { return index }
    return nil
  }

  private func place(_ text: Text) -> Int? {
    if let places { return places[.string(text.bytes)] }
    return keys.firstIndex { if case .string(let key) = $0 { key == text } else { false } }
  }

  subscript(text: Text) -> Value? { place(text).map { values[$0] } }

  subscript(name: String) -> Value? { self[Text(name)] }

  func value(_ key: Value) throws(Fault) -> Value? { try place(key).map { values[$0] } }

  /// Sets a key's value while the dictionary is being made.
  func set(_ key: Value, _ value: Value) throws(Fault) {
    height = max(height, value.height + 1, key.height + 1)
    if let place = try place(key) {
      values[place] = value
      return
    }
    keys.append(key)
    values.append(value)
    if places != nil {
      places?[try Key(key)] = keys.count - 1
    } else if keys.count > 8 {
      var all: [Key: Int] = [:]
      for index in keys.indices { all[try Key(keys[index])] = index }
      places = all
    }
  }

  /// Sets the value of a key that is a text, which always can be one.
  func set(_ name: Text, _ value: Value) {
    do throws(Fault) {
      try set(.string(name), value)
    } catch {
      preconditionFailure("a text can be a key")
    }
  }

  func removeAll() {
    keys = []
    values = []
    places = nil
  }

  /// The members as tuples of two.
  var pairs: [Value] { zip(keys, values).map { .tuple([$0, $1]) } }

  func copy() -> Mapping {
    let result = Mapping()
    result.keys = keys
    result.values = values
    result.places = places
    result.height = height
    return result
  }
}

extension Value {
  /// A value as `json.loads` makes it.
  init(_ json: JSON) {
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .float(value)
    case .string(let value): self = .text(value)
    case .array(let elements): self = .list(elements.map { Value($0) })
    case .object(let object): self = .dictionary(Mapping(object))
    }
  }
}

extension Mapping {
  convenience init(_ object: JSONObject) {
    self.init()
    for (key, value) in object.members { set(Text(key), Value(value)) }
  }
}
