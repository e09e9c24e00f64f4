/// How Python prints values: `str` and `repr`.
struct Printer {
  let renderer: Renderer
  private var bytes: [UInt8] = []
  private var depth = 0

  init(_ renderer: Renderer) { self.renderer = renderer }

  /// What `str` makes of a value; Undefined gives nothing.
  static func text(_ value: Value, _ renderer: Renderer) throws(Fault) -> Text {
    switch value {
    case .string(let text): return text.isMarkup ? text.marked(false) : text
    case .undefined: return .empty
    default: return try representation(value, renderer)
    }
  }

  /// What `repr` makes of a value.
  static func representation(_ value: Value, _ renderer: Renderer) throws(Fault) -> Text {
    var printer = Printer(renderer)
    try printer.add(value)
    return Text(printer.bytes)
  }

  private mutating func add(_ string: String) { bytes += string.utf8 }

  private mutating func add(_ value: Value) throws(Fault) {
    try renderer.spend(1)
    guard bytes.count <= renderer.limits.bytes else { throw renderer.tooLong }
    switch value {
    case .undefined: add("Undefined")
    case .none: add("None")
    case .bool(let value): add(value ? "True" : "False")
    case .integer(let value): add(String(value))
    case .float(let value): add(pythonDescription(value))
    case .string(let text):
      if text.isMarkup { add("Markup(") }
      quote(text)
      if text.isMarkup { add(")") }
    case .list(let items): try add(items.values, "[", "]")
    case .tuple(let items): try add(items.values, "(", items.values.count == 1 ? ",)" : ")")
    case .dictionary(let mapping): try add(mapping)
    case .object(let object):
      try renderer.enter()
      guard let text = try object.representation(renderer) else {
        throw .type(
          "A \(object.type) cannot be printed; call it, or make a list of it, if that is meant.")
      }
      bytes += text.bytes
      renderer.leave()
    }
  }

  private mutating func enter() throws(Fault) {
    depth += 1
    guard depth <= 200 else {
      throw Fault(.limit("A value is nested too deeply to be printed", advice: "Print its parts."))
    }
  }

  private mutating func add(_ values: [Value], _ open: String, _ close: String) throws(Fault) {
    try enter()
    add(open)
    for (index, value) in values.enumerated() {
      if index > 0 { add(", ") }
      try add(value)
    }
    add(close)
    depth -= 1
  }

  private mutating func add(_ mapping: Mapping) throws(Fault) {
    try enter()
    add("{")
    for index in mapping.keys.indices {
      if index > 0 { add(", ") }
      try add(mapping.keys[index])
      add(": ")
      try add(mapping.values[index])
    }
    add("}")
    depth -= 1
  }

  /// A string in quotes: in double ones only where it holds single but no double ones.
  private mutating func quote(_ text: Text) {
    let single = UInt8(ascii: "'")
    let double = UInt8(ascii: "\"")
    let mark = text.bytes.contains(single) && !text.bytes.contains(double) ? double : single
    bytes.append(mark)
    for scalar in text.scalars {
      switch scalar {
      case "\\": add("\\\\")
      case "\n": add("\\n")
      case "\r": add("\\r")
      case "\t": add("\\t")
      case _ where scalar.value == UInt32(mark): bytes += [UInt8(ascii: "\\"), mark]
      case _ where scalar.isPythonPrintable: bytes += String(Character(scalar)).utf8
      default: add(scalar.pythonEscape)
      }
    }
    bytes.append(mark)
  }
}

extension Unicode.Scalar {
  /// What `str.isprintable` holds for printable.
  var isPythonPrintable: Bool {
    if value < 0x7F { return value >= 0x20 }
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator, .spaceSeparator:
      return false
    default: return true
    }
  }

  /// The scalar as `\xhh`, `\uhhhh` or `\Uhhhhhhhh`.
  var pythonEscape: String {
    let digits = String(value, radix: 16)
    let (letter, width) = value < 0x100 ? ("x", 2) : value < 0x10000 ? ("u", 4) : ("U", 8)
    return "\\" + letter + String(repeating: "0", count: width - digits.utf8.count) + digits
  }
}

/// A number as Python's `repr` writes it: the shortest digits that read back the same.
///
/// Exponents are used from 10^16 on and below 10^-4.
func pythonDescription(_ value: Double) -> String {
  if value.isNaN { return "nan" }
  if value.isInfinite { return value < 0 ? "-inf" : "inf" }
  // Swift writes the same digits, with exponents in other places.
  let parts = "\(value.magnitude)".split(separator: "e")
  let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
  var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
  var digits = mantissa.joined()
  exponent += mantissa[0].utf8.count
  let zeros = digits.utf8.prefix { $0 == UInt8(ascii: "0") }.count
  digits = String(digits.dropFirst(zeros))
  exponent -= zeros
  while digits.last == "0" { digits.removeLast() }
  let sign = value.sign == .minus ? "-" : ""
  if digits.isEmpty { return sign + "0.0" }
  let count = digits.utf8.count
  if exponent > 16 || exponent <= -4 {
    let rest = digits.dropFirst()
    let power = exponent - 1
    let shown = (power.magnitude < 10 ? "0" : "") + String(power.magnitude)
    return sign + digits.prefix(1) + (rest.isEmpty ? "" : "." + rest) + "e"
      + (power < 0 ? "-" : "+") + shown
  }
  if exponent <= 0 { return sign + "0." + String(repeating: "0", count: -exponent) + digits }
  if exponent >= count {
    return sign + digits + String(repeating: "0", count: exponent - count) + ".0"
  }
  return sign + digits.prefix(exponent) + "." + digits.dropFirst(exponent)
}
