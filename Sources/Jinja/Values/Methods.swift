/// The methods of Python's own types, as far as the sandbox lets templates call them.
enum Methods {
  /// A method's names of arguments, how many must be given, and how many cannot be named; then what it does.
  struct Method: Sendable {
    let names: [String]
    var required = 0
    var positionalOnly = 0
    let body: @Sendable (Value, [Value?], Renderer) throws(Fault) -> Value

    init(
      _ names: [String] = [], required: Int = 0, named: Bool = false,
      _ body: @escaping @Sendable (Value, [Value?], Renderer) throws(Fault) -> Value
    ) {
      self.names = names
      self.required = required
      positionalOnly = named ? 0 : names.count
      self.body = body
    }
  }

  /// Methods that change what they belong to, which the sandbox hides.
  private static let changing: [String: Set<String>] = [
    "list": ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"],
    "dict": ["clear", "pop", "popitem", "setdefault", "update"],
  ]

  private static let common: Set<String> = [
    "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__",
    "__getattribute__", "__getstate__", "__gt__", "__hash__", "__init__", "__init_subclass__",
    "__le__", "__lt__", "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__",
    "__setattr__", "__sizeof__", "__str__", "__subclasshook__",
  ]

  private static let container: Set<String> = [
    "__class_getitem__", "__contains__", "__delitem__", "__getitem__", "__ior__", "__iter__",
    "__len__", "__or__", "__reversed__", "__ror__", "__setitem__",
  ]

  /// Whether Python has an attribute of that name inside, which would hide a member of the same name.
  static func isInternal(_ name: String, _ value: Value) -> Bool {
    if common.contains(name) { return true }
    if case .dictionary = value { return container.contains(name) }
    return false
  }

  static func attribute(_ name: Text, of value: Value, unsafe: () -> Value) -> Value? {
    let word = name.string
    if changing[value.type]?.contains(word) == true { return unsafe() }
    if let property = property(word, of: value) { return property }
    let method: Method?
    switch value {
    case .string:
      if word == "format" || word == "format_map" { return formatMethod(word, of: value) }
      method = text[word] ?? caseMethods[word] ?? questions[word] ?? markup(word, value)
    case .list: method = sequence[word] ?? (word == "copy" ? Method { value, _, _ in value } : nil)
    case .tuple: method = sequence[word]
    case .dictionary: method = dictionary[word]
    case .integer, .bool: method = integer[word]
    case .float: method = float[word]
    case .undefined, .none, .object: method = nil
    }
    guard let method else { return nil }
    return .object(
      FunctionObject(height: value.height + 1) {
        (arguments: Arguments, renderer: Renderer) throws(Fault) -> Value in
        let bound = try arguments.bind(
          word, method.names, required: method.required, positionalOnly: method.positionalOnly)
        return try method.body(value, bound, renderer)
      })
  }

  private static func property(_ name: String, of value: Value) -> Value? {
    guard value.number != nil else { return nil }
    switch name {
    case "real": return value.integer.map { .integer($0) } ?? value
    case "imag": return value.integer == nil ? .float(0) : .integer(0)
    case "numerator": return value.integer.map { .integer($0) }
    case "denominator": return value.integer == nil ? nil : .integer(1)
    default: return nil
    }
  }

  private static func markup(_ name: String, _ value: Value) -> Method? {
    guard value.text?.isMarkup == true else { return nil }
    switch name {
    case "unescape":
      return Method { (value, _, _) throws(Fault) -> Value in
        .string(Escaping.unescaped(try self.text(value)))
      }
    case "striptags":
      return Method { (value, _, _) throws(Fault) -> Value in
        .string(Escaping.withoutTags(try self.text(value)))
      }
    default: return nil
    }
  }

  private static func formatMethod(_ name: String, of value: Value) -> Value {
    .object(
      FunctionObject { (arguments: Arguments, renderer: Renderer) throws(Fault) -> Value in
        let text = try text(value)
        if name == "format" {
          return try renderer.made(
            BraceFormat.format(text, arguments.positional, renderer) {
              (name: Text) throws(Fault) -> Value? in
              arguments.named.first { Text($0.name) == name }?.value
            })
        }
        guard case .dictionary(let mapping)? = try arguments.bind(name, ["mapping"], required: 1)[0]
        else { throw .type("format_map takes a dict.") }
        return try renderer.made(
          BraceFormat.format(text, [], renderer) { (name: Text) throws(Fault) -> Value? in
            mapping[name]
          })
      })
  }

  // MARK: Reading arguments

  static func text(_ value: Value?, _ what: String = "str") throws(Fault) -> Text {
    if case .string(let text)? = value { return text }
    if case .undefined(let undefined)? = value { throw undefined.fault }
    throw .type("A string is needed for \(what), not a \(value?.type ?? "value that is absent").")
  }

  static func integer(_ value: Value?, otherwise: Int) throws(Fault) -> Int {
    guard let value else { return otherwise }
    if case .undefined(let undefined) = value { throw undefined.fault }
    guard let whole = value.integer else {
      throw .type("A whole number is needed, not a \(value.type).")
    }
    return whole
  }

  // MARK: Lists, dictionaries and numbers

  private static let sequence: [String: Method] = [
    "count": Method(["value"], required: 1) { value, bound, renderer throws(Fault) in
      var count = 0
      for item in value.items ?? [] where try renderer.isEqual(item, bound[0] ?? .none) {
        count += 1
      }
      return .integer(count)
    },
    "index": Method(["value", "start", "stop"], required: 1) {
      value, bound, renderer throws(Fault) in
      let items = value.items ?? []
      let range = try places(items.count, bound[1], bound[2])
      for index in range where try renderer.isEqual(items[index], bound[0] ?? .none) {
        return .integer(index)
      }
      throw .value("The value is not in the \(value.type).")
    },
  ]

  /// The places from `start` to `stop`, which count from the end where they are negative.
  static func places(_ count: Int, _ start: Value?, _ stop: Value?) throws(Fault) -> Range<Int> {
    func bound(_ value: Value?, _ otherwise: Int) throws(Fault) -> Int {
      guard let value, !value.isNone else { return otherwise }
      let place = try integer(value, otherwise: otherwise)
      return place < 0 ? max(0, place &+ count) : place
    }
    let first = try bound(start, 0)
    let end = min(count, try bound(stop, count))
    return first <= end ? first..<end : end..<end
  }

  private static let dictionary: [String: Method] = [
    "keys": view(.keys), "values": view(.values), "items": view(.items),
    "copy": Method { value, _, _ in value },
    "get": Method(["key", "default"], required: 1) { value, bound, _ throws(Fault) in
      guard case .dictionary(let mapping) = value else { return .none }
      return try mapping.value(bound[0] ?? .none) ?? bound[1] ?? .none
    },
    "fromkeys": Method(["iterable", "value"], required: 1) { _, bound, renderer throws(Fault) in
      try Globals.fromKeys(bound, renderer)
    },
  ]

  private static func view(_ kind: MappingView.Kind) -> Method {
    Method { value, _, _ in
      guard case .dictionary(let mapping) = value else { return .none }
      return .object(MappingView(mapping, kind))
    }
  }

  private static let integer: [String: Method] = [
    "bit_length": Method { value, _, _ in
      .integer(Int.bitWidth - (value.integer ?? 0).magnitude.leadingZeroBitCount)
    },
    "bit_count": Method { value, _, _ in .integer((value.integer ?? 0).magnitude.nonzeroBitCount) },
    "conjugate": Method { value, _, _ in .integer(value.integer ?? 0) },
    "as_integer_ratio": Method { value, _, _ in .tuple([.integer(value.integer ?? 0), .integer(1)])
    },
  ]

  private static let float: [String: Method] = [
    "is_integer": Method { value, _, _ in
      .bool(value.number.map { $0.isFinite && $0 == $0.rounded() } ?? false)
    },
    "conjugate": Method { value, _, _ in value },
  ]
}
