/// A place for attributes that can be set: `namespace(…)`.
final class Namespace: Object {
  private let attributes: Mapping

  init(_ attributes: Mapping, _ renderer: Renderer) throws(Fault) {
    self.attributes = attributes
    for key in attributes.keys { if let name = key.text { try Self.check(name) } }
    // It may hold itself.
    renderer.atEnd { attributes.removeAll() }
  }

  var type: String { "Namespace" }

  private static func check(_ name: Text) throws(Fault) {
    if name.bytes.first == UInt8(ascii: "_") {
      throw Fault(
        .unsafe("The attribute “\(name.string)” of a namespace begins with an underscore"))
    }
  }

  func set(_ name: Text, _ value: Value) throws(Fault) {
    try Self.check(name)
    attributes.set(name, value)
  }

  func attribute(_ name: Text, _ renderer: Renderer) throws(Fault) -> Value? { attributes[name] }

  func representation(_ renderer: Renderer) throws(Fault) -> Text? {
    Text("<Namespace ") + (try Printer.representation(.dictionary(attributes), renderer))
      + Text(">")
  }
}

/// A function that is not written in the template.
final class FunctionObject: Object {
  private let body: (Arguments, Renderer) throws(Fault) -> Value
  let type: String
  let height: Int
  private let attributes: [String: Value]

  init(
    type: String = "builtin_function_or_method", height: Int = 0,
    attributes: [String: Value] = [:],
    _ body: @escaping (Arguments, Renderer) throws(Fault) -> Value
  ) {
    self.type = type
    self.height = height
    self.attributes = attributes
    self.body = body
  }

  var isCallable: Bool { true }

  func call(_ arguments: Arguments, _ renderer: Renderer) throws(Fault) -> Value {
    try body(arguments, renderer)
  }

  func attribute(_ name: Text, _ renderer: Renderer) throws(Fault) -> Value? {
    attributes[name.string]
  }
}

/// Whole numbers at equal distances: `range(…)`, at most 100,000 as in the sandbox.
final class RangeObject: Object {
  static let maximumCount = 100_000

  let start: Int
  let stop: Int
  let step: Int
  let length: Int

  init(start: Int, stop: Int, step: Int) throws(Fault) {
    guard step != 0 else { throw .value("The step of a range cannot be zero.") }
    self.start = start
    self.stop = stop
    self.step = step
    let isEmpty = step > 0 ? start >= stop : start <= stop
    let (distance, overflow) = (step > 0 ? stop : start).subtractingReportingOverflow(
      step > 0 ? start : stop)
    length =
      isEmpty ? 0 : overflow ? .max : Int(clamping: (UInt(distance) - 1) / step.magnitude + 1)
    guard length <= Self.maximumCount else {
      throw Fault(
        .limit(
          "A range has more than \(Self.maximumCount) numbers", advice: "Use a shorter one."))
    }
  }

  private init(start: Int, step: Int, length: Int) {
    self.start = start
    self.step = step
    self.length = length
    stop = start &+ step &* length
  }

  var type: String { "range" }

  func value(_ index: Int) -> Int { start + step * index }

  func representation(_ renderer: Renderer) throws(Fault) -> Text? {
    Text("range(\(start), \(stop)" + (step == 1 ? ")" : ", \(step))"))
  }

  func isTrue(_ renderer: Renderer) throws(Fault) -> Bool { length > 0 }

  func count(_ renderer: Renderer) throws(Fault) -> Int? { length }

  func iterator(_ renderer: Renderer) throws(Fault) -> Elements? {
    var index = 0
    return Elements { [self] () throws(Fault) -> Value? in
      guard index < length else { return nil }
      index += 1
      return .integer(value(index - 1))
    }
  }

  func element(_ index: Value, _ renderer: Renderer) throws(Fault) -> Value? {
    guard let index = index.integer else { return nil }
    let place = index < 0 ? index &+ length : index
    return place >= 0 && place < length ? .integer(value(place)) : nil
  }

  func attribute(_ name: Text, _ renderer: Renderer) throws(Fault) -> Value? {
    switch name.string {
    case "start": .integer(start)
    case "stop": .integer(stop)
    case "step": .integer(step)
    case "count", "index":
      Methods.attribute(
        name, of: .tuple((0..<length).map { .integer(value($0)) }), unsafe: { .none })
    default: nil
    }
  }

  func slice(_ places: [Int], step: Int) -> Value {
    let first = places.first.map { value($0) } ?? start
    return .object(
      RangeObject(start: first, step: self.step &* step, length: places.count))
  }

  func equals(_ other: any Object) -> Bool {
    guard let other = other as? RangeObject, length == other.length else { return false }
    return length == 0 || start == other.start && (length == 1 || step == other.step)
  }
}

/// What filters such as `map` give: elements made on demand, once.
final class Generator: Object {
  private let elements: Elements
  let type: String
  let height: Int

  /// - Parameter source: what the elements are made of.
  init(_ elements: Elements, of source: Value, type: String = "generator") {
    self.elements = elements
    self.type = type
    height = source.height + 1
  }

  func iterator(_ renderer: Renderer) throws(Fault) -> Elements? { elements }
}

/// A dictionary's keys, values or members.
final class MappingView: Object {
  enum Kind: String { case keys, values, items }

  private let mapping: Mapping
  private let kind: Kind

  init(_ mapping: Mapping, _ kind: Kind) {
    self.mapping = mapping
    self.kind = kind
  }

  var type: String { "dict_" + kind.rawValue }
  var height: Int { mapping.height + 1 }

  var values: [Value] {
    switch kind {
    case .keys: mapping.keys
    case .values: mapping.values
    case .items: mapping.pairs
    }
  }

  func representation(_ renderer: Renderer) throws(Fault) -> Text? {
    Text(type + "(") + (try Printer.representation(.list(values), renderer)) + Text(")")
  }

  func isTrue(_ renderer: Renderer) throws(Fault) -> Bool { mapping.count > 0 }

  func count(_ renderer: Renderer) throws(Fault) -> Int? { mapping.count }

  func iterator(_ renderer: Renderer) throws(Fault) -> Elements? { Elements(values) }

  /// As sets are compared; a view of values equals only itself.
  func equals(_ other: any Object, _ renderer: Renderer) throws(Fault) -> Bool {
    guard let other = other as? MappingView, kind != .values, other.kind != .values,
      mapping.count == other.mapping.count
    else { return false }
    for value in values where try !renderer.contains(.list(other.values), value) { return false }
    return true
  }
}

/// Values that take turns: `cycler(…)`.
final class Cycler: Object {
  private let values: [Value]
  private var place = 0

  init(_ values: [Value]) { self.values = values }

  var type: String { "Cycler" }
  var height: Int { 1 + (values.lazy.map(\.height).max() ?? 0) }

  func attribute(_ name: Text, _ renderer: Renderer) throws(Fault) -> Value? {
    switch name.string {
    case "current": return values[place]
    case "pos": return .integer(place)
    case "items": return .tuple(values)
    case "next":
      return .object(
        FunctionObject { [self] (arguments: Arguments, _: Renderer) throws(Fault) -> Value in
          try arguments.none("next")
          defer { place = (place + 1) % values.count }
          return values[place]
        })
    case "reset":
      return .object(
        FunctionObject { [self] (arguments: Arguments, _: Renderer) throws(Fault) -> Value in
          try arguments.none("reset")
          place = 0
          return .none
        })
    default: return nil
    }
  }
}

/// Gives nothing the first time and its separator afterwards: `joiner(…)`.
final class Joiner: Object {
  private let separator: Value
  private var isUsed = false

  init(_ separator: Value) { self.separator = separator }

  var type: String { "Joiner" }
  var height: Int { separator.height + 1 }
  var isCallable: Bool { true }

  func call(_ arguments: Arguments, _ renderer: Renderer) throws(Fault) -> Value {
    try arguments.none("joiner")
    defer { isUsed = true }
    return isUsed ? separator : .string(.empty)
  }

  func attribute(_ name: Text, _ renderer: Renderer) throws(Fault) -> Value? {
    switch name.string {
    case "sep": separator
    case "used": .bool(isUsed)
    default: nil
    }
  }
}
