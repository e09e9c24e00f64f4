/// What a pickle describes, as inert data: nothing in it was ever called.
///
/// Containers are references because a pickle may name one before it is filled; a value that the
/// reader hands out holds no cycles.
public enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  /// An integer beyond 64 bits: two's complement, little endian.
  case bigInteger([UInt8])
  case float(Double)
  case string(String)
  case bytes([UInt8])
  case tuple([PickleValue])
  case list(PickleList)
  case dictionary(PickleDictionary)
  case set(PickleList)
  /// A class or function, named but never loaded: `torch` `bfloat16`.
  indirect case global(module: String, name: String)
  /// The result of REDUCE, NEWOBJ or BUILD.
  case object(PickleObject)
  /// A persistent identifier: in `torch.save` files a storage.
  case persistent(PickleReference)
}

/// A list, or the members of a set.
public final class PickleList {
  public var items: [PickleValue]
  public init(_ items: [PickleValue] = []) { self.items = items }
}

/// A dictionary in the order of its items; later duplicates of a string key win, as in Python.
public final class PickleDictionary {
  public var items: [(key: PickleValue, value: PickleValue)]
  public init(_ items: [(key: PickleValue, value: PickleValue)] = []) { self.items = items }

  /// The value of a string key.
  public subscript(key: String) -> PickleValue? {
    for item in items.reversed() {
      if case .string(key) = item.key { return item.value }
    }
    return nil
  }
}

/// An object as its pickle describes it: which class or function, which arguments, which state.
public final class PickleObject {
  /// The opcode that made an object, which says how Python would have called the class.
  public enum Construction: BitwiseCopyable, Sendable {
    /// `callable(*arguments)`.
    case reduce
    /// `class.__new__(class, *arguments)`.
    case newObject
    /// As `newObject` with keyword arguments: a dictionary, the last of the arguments.
    case newObjectExtended
  }

  public let module: String
  public let name: String
  public let arguments: [PickleValue]
  public let construction: Construction
  /// The argument of BUILD.
  public var state: PickleValue?
  /// Items set on the object (an OrderedDict's), if any.
  public var dictionary: PickleDictionary?
  /// Items appended to the object, if any.
  public var list: PickleList?

  public init(
    module: String, name: String, arguments: [PickleValue] = [], state: PickleValue? = nil,
    construction: Construction = .reduce
  ) {
    self.module = module
    self.name = name
    self.arguments = arguments
    self.construction = construction
    self.state = state
  }
}

/// The tuple inside a persistent identifier.
public final class PickleReference {
  public let value: PickleValue
  public init(_ value: PickleValue) { self.value = value }
}
