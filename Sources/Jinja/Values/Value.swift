/// A value as a template sees it: what Python's own types would be in its place.
///
/// Lists, tuples and dictionaries do not change: the sandbox of chat templates forbids it.
enum Value {
  case undefined(Undefined)
  case none
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string(Text)
  case list(Items)
  case tuple(Items)
  case dictionary(Mapping)
  /// What is neither data nor text: a namespace, a macro, a loop, a method, a sequence made on demand.
  case object(any Object)

  static func text(_ string: String) -> Value { .string(Text(string)) }

  static func list(_ values: [Value]) -> Value { .list(Items(values)) }

  static func tuple(_ values: [Value]) -> Value { .tuple(Items(values)) }

  static func missing(_ what: String) -> Value { .undefined(Undefined(.undefined(what))) }

  /// The type's name as Python spells it.
  var type: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "NoneType"
    case .bool: "bool"
    case .integer: "int"
    case .float: "float"
    case .string(let text): text.isMarkup ? "Markup" : "str"
    case .list: "list"
    case .tuple: "tuple"
    case .dictionary: "dict"
    case .object(let object): object.type
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }

  var isNone: Bool { if case .none = self { true } else { false } }

  var text: Text? { if case .string(let text) = self { text } else { nil } }

  /// How many values lie in one another.
  ///
  /// It is bounded, since what is nested is also taken apart level by level, on the stack.
  var height: Int {
    switch self {
    case .list(let items), .tuple(let items): items.height
    case .dictionary(let mapping): mapping.height
    case .object(let object): object.height
    default: 0
    }
  }

  /// A whole number; Python's truth values are numbers too.
  var integer: Int? {
    switch self {
    case .integer(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  /// Any number.
  var number: Double? {
    if case .float(let value) = self { value } else { integer.map { Double($0) } }
  }

  var items: [Value]? {
    switch self {
    case .list(let items), .tuple(let items): items.values
    default: nil
    }
  }
}

/// The elements of a list or tuple; an object of its own, as `is sameas` asks.
final class Items {
  let values: [Value]
  /// The names of a tuple's elements, such as `grouper` and `list`.
  let names: [String]
  let height: Int

  init(_ values: [Value], names: [String] = []) {
    self.values = values
    self.names = names
    height = 1 + (values.lazy.map(\.height).max() ?? 0)
  }
}

/// What stands where nothing is: it prints nothing, is false and empty, and throws when it is used.
final class Undefined {
  /// What to say when it is used.
  let fact: TemplateError.Fact

  init(_ fact: TemplateError.Fact) { self.fact = fact }

  var fault: Fault { Fault(fact) }
}

/// What has a behaviour: attributes, calls, elements.
protocol Object: AnyObject {
  /// The type's name as Python spells it.
  var type: String { get }
  /// What Python prints of it, or `nil` where that would be an address in memory.
  func representation(_ renderer: Renderer) throws(Fault) -> Text?
  func isTrue(_ renderer: Renderer) throws(Fault) -> Bool
  var isCallable: Bool { get }
  /// How many values lie in one another in it, as far as it holds them.
  var height: Int { get }
  /// An attribute, or `nil` where there is none.
  func attribute(_ name: Text, _ renderer: Renderer) throws(Fault) -> Value?
  func call(_ arguments: Arguments, _ renderer: Renderer) throws(Fault) -> Value
  /// How many elements there are; `nil` where Python's `len` would throw.
  func count(_ renderer: Renderer) throws(Fault) -> Int?
  /// The elements one by one; `nil` where it has none.
  func iterator(_ renderer: Renderer) throws(Fault) -> Elements?
  /// The element at an index; `nil` where there is no such access.
  func element(_ index: Value, _ renderer: Renderer) throws(Fault) -> Value?
}

extension Object {
  func representation(_ renderer: Renderer) throws(Fault) -> Text? { nil }
  func isTrue(_ renderer: Renderer) throws(Fault) -> Bool { true }
  var isCallable: Bool { false }
  var height: Int { 0 }
  func attribute(_ name: Text, _ renderer: Renderer) throws(Fault) -> Value? { nil }
  func call(_ arguments: Arguments, _ renderer: Renderer) throws(Fault) -> Value {
    throw .type("A value of type \(type) cannot be called.")
  }
  func count(_ renderer: Renderer) throws(Fault) -> Int? { nil }
  func iterator(_ renderer: Renderer) throws(Fault) -> Elements? { nil }
  func element(_ index: Value, _ renderer: Renderer) throws(Fault) -> Value? { nil }
}

/// Elements that come one by one, each once.
final class Elements {
  private let step: () throws(Fault) -> Value?

  init(_ step: @escaping () throws(Fault) -> Value?) { self.step = step }

  convenience init(_ values: [Value]) {
    var place = 0
    self.init { () throws(Fault) -> Value? in
      guard place < values.count else { return nil }
      place += 1
      return values[place - 1]
    }
  }

  func next() throws(Fault) -> Value? { try step() }
}
