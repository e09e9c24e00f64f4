import JSON

/// The filter `tojson` as transformers defines it: Python's `json.dumps` with `ensure_ascii=False`.
struct JSONWriter {
  private let renderer: Renderer
  private var bytes: [UInt8] = []
  private var isASCIIOnly = false
  private var isSorted = false
  private var indent: Text?
  private var itemSeparator = Text(", ")
  private var keySeparator = Text(": ")

  static func text(
    _ value: Value, _ bound: [Value?], _ renderer: Renderer
  ) throws(Fault) -> Text {
    var writer = JSONWriter(renderer: renderer)
    writer.isASCIIOnly = try Filters.flag(bound[0], renderer)
    writer.isSorted = try Filters.flag(bound[3], renderer)
    if let indent = bound[1], !indent.isNone {
      if let text = indent.text {
        writer.indent = text
      } else {
        let width = try Methods.integer(indent, otherwise: 0)
        writer.indent = try Text.empty.padded(to: width, with: Text(" "), renderer) { $0 }
      }
      writer.itemSeparator = Text(",")
    }
    if let separators = bound[2], !separators.isNone {
      let pair = try renderer.list(separators)
      guard pair.count == 2 else { throw .value("The separators of tojson are two texts.") }
      writer.itemSeparator = try Methods.text(pair[0])
      writer.keySeparator = try Methods.text(pair[1])
    }
    try writer.write(value, depth: 0)
    return Text(writer.bytes)
  }

  private init(renderer: Renderer) { self.renderer = renderer }

  private mutating func write(_ value: Value, depth: Int) throws(Fault) {
    try renderer.spend(1)
    guard bytes.count <= renderer.limits.bytes else { throw renderer.tooLong }
    switch value {
    case .none: bytes += "null".utf8
    case .bool(let value): bytes += (value ? "true" : "false").utf8
    case .integer(let value): bytes += String(value).utf8
    case .float(let value): bytes += Self.number(value).utf8
    case .string(let text): write(text)
    case .list(let items), .tuple(let items): try write(items.values, depth: depth)
    case .dictionary(let mapping): try write(mapping, depth: depth)
    case .undefined, .object:
      throw .type("A value of type \(value.type) cannot be written as JSON.")
    }
  }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    return value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : pythonDescription(value)
  }

  private mutating func breakLine(_ depth: Int) throws(Fault) {
    guard let indent else { return }
    bytes.append(Byte.newline)
    guard indent.bytes.count * depth <= renderer.limits.bytes else { throw renderer.tooLong }
    for _ in 0..<depth { bytes += indent.bytes }
  }

  private mutating func write(_ values: [Value], depth: Int) throws(Fault) {
    try renderer.enter()
    bytes.append(UInt8(ascii: "["))
    for (index, value) in values.enumerated() {
      if index > 0 { bytes += itemSeparator.bytes }
      try breakLine(depth + 1)
      try write(value, depth: depth + 1)
    }
    if !values.isEmpty { try breakLine(depth) }
    bytes.append(UInt8(ascii: "]"))
    renderer.leave()
  }

  private mutating func write(_ mapping: Mapping, depth: Int) throws(Fault) {
    try renderer.enter()
    bytes.append(Byte.openBrace)
    var pairs = mapping.pairs
    if isSorted {
      pairs = try Filters.sorted(pairs, isReversed: false, renderer) { pair throws(Fault) in
        pair.items?[0] ?? .none
      }
    }
    for (index, pair) in pairs.enumerated() {
      guard let members = pair.items else { continue }
      if index > 0 { bytes += itemSeparator.bytes }
      try breakLine(depth + 1)
      write(try name(members[0]))
      bytes += keySeparator.bytes
      try write(members[1], depth: depth + 1)
    }
    if !pairs.isEmpty { try breakLine(depth) }
    bytes.append(Byte.closeBrace)
    renderer.leave()
  }

  private func name(_ key: Value) throws(Fault) -> Text {
    switch key {
    case .string(let text): return text
    case .none: return Text("null")
    case .bool(let value): return Text(value ? "true" : "false")
    case .integer(let value): return Text(String(value))
    case .float(let value): return Text(Self.number(value))
    default: throw .type("A \(key.type) cannot be a name in JSON.")
    }
  }

  private mutating func write(_ text: Text) {
    bytes += JSON.string(text.string).serializedBytes(asciiOnly: isASCIIOnly)
  }
}
