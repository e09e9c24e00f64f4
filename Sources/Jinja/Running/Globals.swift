/// The functions that every template of a chat has.
enum Globals {
  static func value(_ name: Text, _ renderer: Renderer) -> Value? {
    switch name.string {
    case "self": .object(BlocksObject())
    case "range": function(range)
    case "dict":
      .object(
        FunctionObject(
          type: "TemplateDict",
          attributes: [
            "fromkeys": function {
              (arguments: Arguments, renderer: Renderer) throws(Fault) -> Value in
              try fromKeys(
                arguments.bind("fromkeys", ["iterable", "value"], required: 1, positionalOnly: 2),
                renderer)
            }
          ]
        ) { (arguments: Arguments, renderer: Renderer) throws(Fault) -> Value in
          .dictionary(try dictionary(arguments, renderer))
        })
    case "namespace":
      function { (arguments: Arguments, renderer: Renderer) throws(Fault) -> Value in
        .object(try Namespace(dictionary(arguments, renderer), renderer))
      }
    case "cycler":
      function { (arguments: Arguments, _: Renderer) throws(Fault) -> Value in
        guard !arguments.positional.isEmpty, arguments.named.isEmpty else {
          throw .arguments("cycler", "needs values to go through")
        }
        return .object(Cycler(arguments.positional))
      }
    case "joiner":
      function { (arguments: Arguments, _: Renderer) throws(Fault) -> Value in
        .object(Joiner(try arguments.bind("joiner", ["sep"])[0] ?? .text(", ")))
      }
    case "raise_exception":
      function { (arguments: Arguments, renderer: Renderer) throws(Fault) -> Value in
        let bound = try arguments.bind("raise_exception", ["message"], required: 1)
        throw Fault(.raised(try Printer.text(bound[0] ?? .none, renderer).string))
      }
    case "strftime_now":
      function { (arguments: Arguments, renderer: Renderer) throws(Fault) -> Value in
        let bound = try arguments.bind("strftime_now", ["format"], required: 1)
        let format = try Methods.text(bound[0])
        return .text(try (renderer.now ?? LocalTime.current()).text(format.string))
      }
    case "lipsum":
      function { (_: Arguments, _: Renderer) throws(Fault) -> Value in
        throw Fault(.unsupported("“lipsum” would render a conversation differently each time."))
      }
    default: nil
    }
  }

  private static func function(
    _ body: @escaping (Arguments, Renderer) throws(Fault) -> Value
  ) -> Value { .object(FunctionObject(type: "function", body)) }

  private static func range(_ arguments: Arguments, _ renderer: Renderer) throws(Fault) -> Value {
    let count = arguments.positional.count
    guard (1...3).contains(count), arguments.named.isEmpty else {
      throw .arguments("range", "takes one to three whole numbers")
    }
    var numbers: [Int] = []
    for value in arguments.positional { numbers.append(try Methods.integer(value, otherwise: 0)) }
    return .object(
      try RangeObject(
        start: count > 1 ? numbers[0] : 0, stop: count > 1 ? numbers[1] : numbers[0],
        step: count > 2 ? numbers[2] : 1))
  }

  /// What `dict(…)` makes of a dictionary or of pairs, and of named arguments.
  private static func dictionary(
    _ arguments: Arguments, _ renderer: Renderer
  ) throws(Fault) -> Mapping {
    guard arguments.positional.count <= 1 else {
      throw .arguments("dict", "takes at most one value besides those with names")
    }
    var result = Mapping()
    if case .undefined(let undefined)? = arguments.positional.first { throw undefined.fault }
    if case .dictionary(let mapping)? = arguments.positional.first {
      result = mapping.copy()
    } else if let pairs = arguments.positional.first {
      for pair in try renderer.list(pairs) {
        let members = try renderer.list(pair)
        guard members.count == 2 else { throw .value("dict takes pairs of keys and values.") }
        try result.set(members[0], members[1])
      }
    }
    for (name, value) in arguments.named { result.set(Text(name), value) }
    return result
  }

  static func fromKeys(_ bound: [Value?], _ renderer: Renderer) throws(Fault) -> Value {
    let result = Mapping()
    for key in try renderer.list(bound[0] ?? .none) { try result.set(key, bound[1] ?? .none) }
    return .dictionary(result)
  }
}
