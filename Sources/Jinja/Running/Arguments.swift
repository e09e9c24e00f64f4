/// The arguments of a call.
struct Arguments {
  var positional: [Value] = []
  var named: [(name: String, value: Value)] = []

  /// The arguments in the order of a signature's names, as Python binds them.
  ///
  /// - Parameters:
  ///   - required: how many of the names must be given.
  ///   - positionalOnly: how many names cannot be used as such.
  func bind(
    _ function: String, _ names: [String], required: Int = 0, positionalOnly: Int = 0
  ) throws(Fault) -> [Value?] {
    guard positional.count <= names.count else {
      throw .arguments(
        function, "takes at most \(names.count) arguments, and \(positional.count) are given")
    }
    var bound: [Value?] = positional
    bound += repeatElement(nil, count: names.count - positional.count)
    for (name, value) in named {
      guard let index = names.firstIndex(of: name), index >= positionalOnly else {
        throw .arguments(function, "has no argument “\(name)”")
      }
      guard bound[index] == nil else {
        throw .arguments(function, "the argument “\(name)” is given twice")
      }
      bound[index] = value
    }
    for index in 0..<required where bound[index] == nil {
      throw .arguments(function, "lacks the argument “\(names[index])”")
    }
    return bound
  }

  func none(_ function: String) throws(Fault) { _ = try bind(function, []) }
}

/// A filter or a test: what is called with a value and arguments.
struct Filter: Sendable {
  typealias Body =
    @Sendable (_ value: Value, _ bound: [Value?], _ renderer: Renderer) throws(Fault) -> Value
  typealias FreeBody =
    @Sendable (_ value: Value, _ arguments: Arguments, _ renderer: Renderer) throws(Fault) -> Value

  let call: FreeBody

  /// One whose arguments have names.
  init(_ name: String, _ names: [String] = [], required: Int = 0, _ body: @escaping Body) {
    call = { (value: Value, arguments: Arguments, renderer: Renderer) throws(Fault) -> Value in
      try body(value, arguments.bind(name, names, required: required), renderer)
    }
  }

  /// One that looks at its arguments itself.
  init(_ body: @escaping FreeBody) { call = body }
}
