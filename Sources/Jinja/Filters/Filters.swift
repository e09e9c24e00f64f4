/// The filters of jinja2 that make sense for texts, and transformers' own `tojson`.
enum Filters {
  static let all: [String: Filter] = [text, numbers, sequences, selections, sorting]
    .reduce(into: [:]) { $0.merge($1) { first, _ in first } }

  /// A value as text: a string as it is, safe or not, anything else printed.
  static func soft(_ value: Value, _ renderer: Renderer) throws(Fault) -> Text {
    if let text = value.text { return text }
    return try Printer.text(value, renderer)
  }

  static func flag(
    _ value: Value?, _ renderer: Renderer, otherwise: Bool = false
  ) throws(Fault) -> Bool {
    guard let value else { return otherwise }
    return try renderer.isTrue(value)
  }

  /// A filter that is refused with a reason.
  static func refused(_ reason: String) -> Filter {
    Filter { _, _, _ throws(Fault) in throw Fault(.unsupported(reason)) }
  }

  // MARK: Attributes

  /// Follows a path such as `a.b.0` from an element, as `attribute=` asks.
  struct Path {
    private let parts: [Value]
    private let otherwise: Value?

    init(_ attribute: Value?, otherwise: Value? = nil) throws(Fault) {
      self.otherwise = otherwise.flatMap { $0.isNone ? nil : $0 }
      switch attribute {
      case nil, .some(.none): parts = []
      case .string(let text)?:
        var parts: [Value] = []
        for part in text.split(Text(".")) {
          let whole = part.isDigits ? try Numbers.integer(part, base: 10) : nil
          parts.append(whole.map { .integer($0) } ?? .string(part))
        }
        self.parts = parts
      case .some(let other): parts = [other]
      }
    }

    func value(_ element: Value, _ renderer: Renderer) throws(Fault) -> Value {
      var value = element
      for part in parts {
        value = try renderer.item(part, of: value)
        if let otherwise, value.isUndefined { value = otherwise }
      }
      return value
    }
  }

  /// A value by which elements are compared: strings without their case unless it counts.
  static func folded(_ value: Value, caseCounts: Bool) -> Value {
    if !caseCounts, case .string(let text) = value { return .string(text.lowercased()) }
    return value
  }

  /// Elements made one by one out of others.
  static func generator(
    _ elements: Elements, of source: Value, _ renderer: Renderer,
    _ map: @escaping (Value) throws(Fault) -> Value?
  ) -> Value {
    .object(
      Generator(
        Elements { () throws(Fault) -> Value? in
          while let element = try elements.next() {
            try renderer.spend(1)
            if let value = try map(element) { return value }
          }
          return nil
        }, of: source))
  }

  /// Elements that are made when the first of them is asked for.
  static func generator(of source: Value, _ make: @escaping () throws(Fault) -> [Value]) -> Value {
    var made: Elements?
    return .object(
      Generator(
        Elements { () throws(Fault) -> Value? in
          if let made { return try made.next() }
          let elements = Elements(try make())
          made = elements
          return try elements.next()
        }, of: source))
  }
}
