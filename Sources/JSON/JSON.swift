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
  private var values: [String: JSON] = [:]

  public init() {}

  public init(_ members: KeyValuePairs<String, JSON>) {
    for (key, value) in members { self[key] = value }
  }

  public var count: Int { keys.count }

  /// The value of a member; setting a new name appends it, setting `nil` removes it.
  public subscript(key: String) -> JSON? {
    get { values[key] }
    set {
      if let newValue {
        if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
      } else if values.removeValue(forKey: key) != nil {
        keys.removeAll { $0 == key }
      }
    }
  }

  /// Adds a member unless the name is taken, and says whether it was added.
  mutating func append(_ key: String, _ value: JSON) -> Bool {
    guard values.updateValue(value, forKey: key) == nil else { return false }
    keys.append(key)
    return true
  }

  /// The members in order.
  public var members: [(key: String, value: JSON)] {
    keys.compactMap { key in values[key].map { (key, $0) } }
  }

  // Order is how a text is written, not what it says.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.values == right.values
  }
  public func hash(into hasher: inout Hasher) { hasher.combine(values) }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// The members in the order given; of two with one name the later one counts.
  public init(dictionaryLiteral members: (String, JSON)...) {
    for (key, value) in members { self[key] = value }
  }
}
