extension Filters {
  static let sequences: [String: Filter] = [
    "length": length, "count": length,
    "list": Filter("list") { value, _, renderer throws(Fault) in .list(try renderer.list(value)) },
    "first": Filter("first") { value, _, renderer throws(Fault) in
      try renderer.elements(value).next()
        ?? .missing("The sequence is empty and has no first element")
    },
    "last": Filter("last") { value, _, renderer throws(Fault) in
      try reversed(value, renderer).first
        ?? .missing("The sequence is empty and has no last element")
    },
    "reverse": Filter("reverse") { value, _, renderer throws(Fault) in
      if case .string = value { return try Slicing.slice(value, nil, nil, -1, renderer) }
      if case .object(is Generator) = value { return .list(try renderer.list(value).reversed()) }
      guard let values = try? renderer.list(value) else {
        throw .arguments("reverse", "needs something with elements")
      }
      return .object(
        Generator(Elements(values.reversed()), of: value, type: "list_reverseiterator"))
    },
    "join": Filter("join", ["d", "attribute"]) { value, bound, renderer throws(Fault) in
      let separator =
        try bound[0].map { value throws(Fault) in try Printer.text(value, renderer) } ?? .empty
      let path = try Path(bound[1])
      var parts: [Text] = []
      let elements = try renderer.elements(value)
      while let element = try elements.next() {
        try renderer.spend(1)
        parts.append(try Printer.text(path.value(element, renderer), renderer))
      }
      return try renderer.made(Text.join(parts, separator, renderer))
    },
    "items": Filter("items") { value, _, _ throws(Fault) in
      if case .dictionary(let mapping) = value {
        return .object(Generator(Elements(mapping.pairs), of: value))
      }
      return generator(of: value) { () throws(Fault) -> [Value] in
        if value.isUndefined { return [] }
        throw .type("items takes a dict, not a \(value.type).")
      }
    },
    "batch": Filter("batch", ["linecount", "fill_with"], required: 1) {
      value, bound, renderer throws(Fault) in
      generator(of: value) { () throws(Fault) -> [Value] in try batch(value, bound, renderer) }
    },
    "slice": Filter("slice", ["slices", "fill_with"], required: 1) {
      value, bound, renderer throws(Fault) in
      generator(of: value) { () throws(Fault) -> [Value] in try slices(value, bound, renderer) }
    },
    "default": otherwise, "d": otherwise,
    "attr": Filter("attr", ["name"], required: 1) { value, bound, renderer throws(Fault) in
      if case .undefined(let undefined) = value { throw undefined.fault }
      let name = try Methods.text(bound[0])
      return try renderer.ownAttribute(name, of: value)
        ?? .missing("A value of type \(value.type) has no attribute “\(name.string)”")
    },
  ]

  private static let length = Filter("length") { value, _, renderer throws(Fault) in
    guard let length = try renderer.length(value) else {
      throw .type("A value of type \(value.type) has no length.")
    }
    return .integer(length)
  }

  private static let otherwise = Filter("default", ["default_value", "boolean"]) {
    value, bound, renderer throws(Fault) in
    if value.isUndefined { return bound[0] ?? .string(.empty) }
    if try flag(bound[1], renderer), try !renderer.isTrue(value) {
      return bound[0] ?? .string(.empty)
    }
    return value
  }

  private static func reversed(_ value: Value, _ renderer: Renderer) throws(Fault) -> [Value] {
    if case .object(let object) = value, !(object is RangeObject), !(object is MappingView) {
      throw .type("A value of type \(value.type) cannot be gone through from its end.")
    }
    return try renderer.list(value).reversed()
  }

  private static func batch(
    _ value: Value, _ bound: [Value?], _ renderer: Renderer
  ) throws(Fault) -> [Value] {
    let count = try Methods.integer(bound[0], otherwise: 1)
    var rows: [Value] = []
    var row: [Value] = []
    let elements = try renderer.elements(value)
    while let element = try elements.next() {
      try renderer.spend(1)
      if row.count == count {
        rows.append(.list(row))
        row = []
      }
      row.append(element)
    }
    guard !row.isEmpty else { return rows }
    if let fill = bound[1], !fill.isNone, row.count < count {
      try renderer.spend(count - row.count)
      row += repeatElement(fill, count: count - row.count)
    }
    return rows + [.list(row)]
  }

  private static func slices(
    _ value: Value, _ bound: [Value?], _ renderer: Renderer
  ) throws(Fault) -> [Value] {
    let values = try renderer.list(value)
    let count = try Methods.integer(bound[0], otherwise: 1)
    guard count != 0 else { throw .value("Nothing can be divided by zero.") }
    guard count > 0 else { return [] }
    try renderer.spend(count)
    let (each, extra) = (values.count / count, values.count % count)
    var rows: [Value] = []
    var start = 0
    for index in 0..<count {
      let end = start + each + (index < extra ? 1 : 0)
      var row = Array(values[start..<end])
      if let fill = bound[1], !fill.isNone, index >= extra { row.append(fill) }
      rows.append(.list(row))
      start = end
    }
    return rows
  }

  // MARK: Choosing

  static let selections: [String: Filter] = [
    "map": Filter { value, arguments, renderer throws(Fault) in
      try lazily(value, renderer) { () throws(Fault) in try mapping(arguments, renderer) }
    },
    "select": choosing(keeps: true, byAttribute: false),
    "reject": choosing(keeps: false, byAttribute: false),
    "selectattr": choosing(keeps: true, byAttribute: true),
    "rejectattr": choosing(keeps: false, byAttribute: true),
    "unique": Filter("unique", ["case_sensitive", "attribute"]) {
      value, bound, renderer throws(Fault) in
      let path = try Path(bound[1])
      let caseCounts = try flag(bound[0], renderer)
      var seen: Set<Mapping.Key> = []
      let elements = try? renderer.elements(value)
      return generator(elements ?? failing(value), of: value, renderer) { element throws(Fault) in
        let key = folded(try path.value(element, renderer), caseCounts: caseCounts)
        return seen.insert(try Mapping.Key(key)).inserted ? element : nil
      }
    },
  ]

  /// Elements that throw when they are asked for, as a generator over what has none does.
  private static func failing(_ value: Value) -> Elements {
    Elements { () throws(Fault) -> Value? in
      throw .type("A value of type \(value.type) has no elements to go through.")
    }
  }

  /// A generator whose function is made when its first element is asked for, and of nothing where the value is false.
  private static func lazily(
    _ value: Value, _ renderer: Renderer,
    _ make: @escaping () throws(Fault) -> (Value) throws(Fault) -> Value?
  ) throws(Fault) -> Value {
    var elements: Elements?
    var map: ((Value) throws(Fault) -> Value?)?
    return .object(
      Generator(
        Elements { () throws(Fault) -> Value? in
          if elements == nil {
            guard try renderer.isTrue(value) else { return nil }
            map = try make()
            elements = try renderer.elements(value)
          }
          while let element = try elements?.next() {
            try renderer.spend(1)
            if let result = try map?(element) { return result }
          }
          return nil
        }, of: value))
  }

  private static func mapping(
    _ arguments: Arguments, _ renderer: Renderer
  ) throws(Fault) -> (Value) throws(Fault) -> Value? {
    if arguments.positional.isEmpty, arguments.named.contains(where: { $0.name == "attribute" }) {
      let bound = try arguments.bind("map", ["attribute", "default"])
      let path = try Path(bound[0], otherwise: bound[1])
      return { (element: Value) throws(Fault) -> Value? in try path.value(element, renderer) }
    }
    guard let first = arguments.positional.first else {
      throw .arguments("map", "needs a filter's name or an attribute")
    }
    let rest = Arguments(
      positional: Array(arguments.positional.dropFirst()), named: arguments.named)
    let name = try Methods.text(first).string
    guard let filter = all[name] else {
      throw Fault(.unknownFilter(name, near: Near.name(to: name, among: all.keys)))
    }
    return { (element: Value) throws(Fault) -> Value? in try filter.call(element, rest, renderer) }
  }

  private static func choosing(keeps: Bool, byAttribute: Bool) -> Filter {
    Filter { value, arguments, renderer throws(Fault) in
      try lazily(value, renderer) { () throws(Fault) in
        var rest = arguments
        var path = try Path(nil)
        if byAttribute {
          guard !rest.positional.isEmpty else {
            throw .arguments(keeps ? "selectattr" : "rejectattr", "needs the name of an attribute")
          }
          path = try Path(rest.positional.removeFirst())
        }
        var test: Filter?
        if !rest.positional.isEmpty {
          let name = try Methods.text(rest.positional.removeFirst()).string
          guard let found = Tests.all[name] else {
            throw Fault(.unknownTest(name, near: Near.name(to: name, among: Tests.all.keys)))
          }
          test = found
        }
        let arguments = rest
        return { [path, test] (element: Value) throws(Fault) -> Value? in
          let subject = try path.value(element, renderer)
          let answer = try test?.call(subject, arguments, renderer) ?? subject
          return try renderer.isTrue(answer) == keeps ? element : nil
        }
      }
    }
  }
}
