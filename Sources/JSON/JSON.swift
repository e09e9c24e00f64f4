/// One JSON value; objects keep the order of their members.
///
/// This room reads strictly (UTF-8, no duplicate names, bounded depth) and says where a text is wrong.
public enum JSON: Hashable, Sendable {
  case null
  case bool(Bool)
  /// A number written without fraction and exponent that fits an `Int`.
  case integer(Int)
  /// Any other number; `Infinity`, `-Infinity` and `NaN` occur in published configurations.
  case number(Double)
  case string(String)
  case array([JSON])
  case object(JSONObject)

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

  public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }

  public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
}

/// The members of a JSON object, in the order of the text.
public struct JSONObject: Hashable, Sendable {
  public private(set) var keys: [String] = []
  private var values: [JSON] = []
  /// The place of each name, only for objects with too many members to look through one by one.
  private var places: [String: Int]?

  public init() {}

  public init(_ members: KeyValuePairs<String, JSON>) {
    for (key, value) in members { self[key] = value }
  }

  public var count: Int { keys.count }

  /// The value of a member; setting a new name appends it, setting `nil` removes it.
  public subscript(key: String) -> JSON? {
    get { place(of: key).map { values[$0] } }
    set {
      switch (place(of: key), newValue) {
      case (let place?, let value?): values[place] = value
      case (let place?, nil): remove(at: place)
      case (nil, let value?): insert(key, value)
      case (nil, nil): break
      }
    }
  }

  /// Adds a member unless the name is taken, and says whether it was added.
  mutating func append(_ key: String, _ value: JSON) -> Bool {
    guard place(of: key) == nil else { return false }
    insert(key, value)
    return true
  }

  /// The members in order.
  public var members: [(key: String, value: JSON)] { zip(keys, values).map { ($0, $1) } }

  private func place(of key: String) -> Int? {
    if let places { places[key] } else { keys.firstIndex(of: key) }
  }

  private mutating func insert(_ key: String, _ value: JSON) {
    keys.append(key)
    values.append(value)
    if places != nil { places?[key] = keys.count - 1 } else { indexIfLarge() }
  }

  private mutating func remove(at place: Int) {
    keys.remove(at: place)
    values.remove(at: place)
    places = nil
    indexIfLarge()
  }

  private mutating func indexIfLarge() {
    guard keys.count > 8 else { return }
    places = Dictionary(uniqueKeysWithValues: zip(keys, keys.indices))
  }

  // Order is how a text is written, not what it says.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count && zip(left.keys, left.values).allSatisfy { right[$0] == $1 }
  }

  public func hash(into hasher: inout Hasher) {
    var sum = 0
    for (key, value) in zip(keys, values) {
      var member = hasher
      member.combine(key)
      member.combine(value)
      sum ^= member.finalize()
    }
    hasher.combine(sum)
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// The members in the order given; of two with one name the later one counts.
  public init(dictionaryLiteral members: (String, JSON)...) {
    for (key, value) in members { self[key] = value }
  }
}
