extension PickleValue {
  /// What the value is, in a word or two for messages: `a list`, `torch.Size`.
  public var kind: String {
    switch self {
    case .none: "None"
    case .bool: "a boolean"
    case .integer, .bigInteger: "an integer"
    case .float: "a float"
    case .string: "a text"
    case .bytes: "bytes"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .set: "a set"
    case .global(let module, let name): "`\(module).\(name)` itself"
    case .object(let object): "`\(object.module).\(object.name)`"
    case .persistent: "a storage"
    }
  }

  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var tuple: [PickleValue]? { if case .tuple(let value) = self { value } else { nil } }
  public var list: PickleList? { if case .list(let value) = self { value } else { nil } }
  public var object: PickleObject? { if case .object(let value) = self { value } else { nil } }

  /// The items of a dictionary, or of an object that has items (an `OrderedDict`).
  public var dictionary: PickleDictionary? {
    switch self {
    case .dictionary(let value): value
    case .object(let object): object.dictionary
    default: nil
    }
  }
}
