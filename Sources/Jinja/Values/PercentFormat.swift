/// Python's formatting of strings with `%`.
struct PercentFormat {
  private let renderer: Renderer
  private let values: Value
  private let isMarkup: Bool
  private var place = 0
  private var result: [UInt8] = []

  private struct Directive {
    var isLeft = false
    var isSigned = false
    var isSpaced = false
    var isZeroed = false
    var isAlternate = false
    var width = 0
    var precision: Int?
  }

  static func format(_ text: Text, _ values: Value, _ renderer: Renderer) throws(Fault) -> Text {
    var format = PercentFormat(renderer: renderer, values: values, isMarkup: text.isMarkup)
    return try format.run(Array(text.bytes)).marked(text.isMarkup)
  }

  private init(renderer: Renderer, values: Value, isMarkup: Bool) {
    self.renderer = renderer
    self.values = values
    self.isMarkup = isMarkup
  }

  private mutating func run(_ format: [UInt8]) throws(Fault) -> Text {
    var index = 0
    var usesNames = false
    while index < format.count {
      guard format[index] == Byte.percent else {
        result.append(format[index])
        index += 1
        continue
      }
      index += 1
      var directive = Directive()
      var value: Value?
      if index < format.count, format[index] == UInt8(ascii: "(") {
        value = try named(format, &index)
        usesNames = true
      }
      try read(&directive, format, &index)
      guard index < format.count else { throw .value("The format ends inside of a directive.") }
      let letter = format[index]
      index += 1
      if letter == Byte.percent {
        result.append(letter)
        continue
      }
      if value == nil { value = try next() }
      try add(value ?? .none, letter, directive)
      guard result.count <= renderer.limits.bytes else { throw renderer.tooLong }
      try renderer.spend(1)
    }
    if case .tuple(let items) = values {
      if !usesNames, place < items.values.count { throw Self.surplus }
    } else if !usesNames, place == 0 {
      // What could be looked up by name is no surplus.
      switch values {
      case .dictionary, .list, .undefined, .object(is RangeObject): break
      default: throw Self.surplus
      }
    }
    return Text(result)
  }

  private static var surplus: Fault {
    .type("The format has fewer directives than values are given.")
  }

  private mutating func next() throws(Fault) -> Value {
    defer { place += 1 }
    if case .tuple(let items) = values {
      if place < items.values.count { return items.values[place] }
    } else if place == 0 {
      return values
    }
    throw .type("The format has more directives than values are given.")
  }

  private func named(_ format: [UInt8], _ index: inout Int) throws(Fault) -> Value {
    var depth = 1
    var end = index + 1
    while end < format.count {
      if format[end] == UInt8(ascii: "(") { depth += 1 }
      if format[end] == UInt8(ascii: ")") { depth -= 1 }
      if depth == 0 { break }
      end += 1
    }
    guard depth == 0 else { throw .value("A name in the format lacks its closing bracket.") }
    let name = Text(format[index + 1..<end])
    index = end + 1
    guard case .dictionary(let mapping) = values else {
      throw .type("A format with names needs a dict.")
    }
    guard let value = mapping[name] else {
      throw .value("The dict has no member “\(name.string)” that the format asks for.")
    }
    return value
  }

  private mutating func read(
    _ directive: inout Directive, _ format: [UInt8], _ index: inout Int
  ) throws(Fault) {
    flags: while index < format.count {
      switch format[index] {
      case Byte.minus: directive.isLeft = true
      case Byte.plus: directive.isSigned = true
      case Byte.space: directive.isSpaced = true
      case Byte.hash: directive.isAlternate = true
      case UInt8(ascii: "0"): directive.isZeroed = true
      default: break flags
      }
      index += 1
    }
    let width = try number(format, &index) ?? 0
    if width < 0 { directive.isLeft = true }
    directive.width = Int(clamping: width.magnitude)
    if index < format.count, format[index] == UInt8(ascii: ".") {
      index += 1
      directive.precision = max(0, try number(format, &index) ?? 0)
    }
    while index < format.count, "hlL".utf8.contains(format[index]) { index += 1 }
  }

  private mutating func number(_ format: [UInt8], _ index: inout Int) throws(Fault) -> Int? {
    if index < format.count, format[index] == UInt8(ascii: "*") {
      index += 1
      guard case .integer(let value) = try next() else {
        throw .type("“*” in a format takes a whole number.")
      }
      return value
    }
    var value: Int?
    while index < format.count, format[index] >= 48, format[index] <= 57 {
      value = (value ?? 0) * 10 + Int(format[index] - 48)
      guard value ?? 0 <= renderer.limits.bytes else { throw renderer.tooLong }
      index += 1
    }
    return value
  }

  // MARK: Values

  private mutating func add(
    _ value: Value, _ letter: UInt8, _ directive: Directive
  ) throws(Fault) {
    switch letter {
    case UInt8(ascii: "s"):
      try pad(text(value), directive)
    case UInt8(ascii: "r"): try pad(escaped(Printer.representation(value, renderer)), directive)
    case UInt8(ascii: "a"):
      let text = try Printer.representation(value, renderer)
      var ascii = ""
      for scalar in text.scalars {
        ascii += scalar.isASCII ? String(Character(scalar)) : scalar.pythonEscape
      }
      try pad(escaped(Text(ascii)), directive)
    case UInt8(ascii: "c"): try pad(character(value), directive)
    case UInt8(ascii: "d"), UInt8(ascii: "i"), UInt8(ascii: "u"), UInt8(ascii: "x"),
      UInt8(ascii: "X"), UInt8(ascii: "o"):
      try addWhole(value, letter, directive)
    case UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "f"), UInt8(ascii: "F"),
      UInt8(ascii: "g"), UInt8(ascii: "G"):
      if case .undefined(let undefined) = value { throw undefined.fault }
      guard let number = value.number else {
        throw .type("“%\(Unicode.Scalar(letter))” needs a number, not a \(value.type).")
      }
      let digits = try Numbers.printed(
        number.magnitude, Character(Unicode.Scalar(letter)), precision: directive.precision ?? 6,
        isAlternate: directive.isAlternate)
      try pad(
        number: digits, isNegative: number.sign == .minus && !number.isNaN, prefix: "", directive,
        zeroes: true)
    default:
      throw .value("A format has no directive “%\(Unicode.Scalar(letter))”.")
    }
  }

  private func escaped(_ text: Text) -> Text { isMarkup ? Escaping.escaped(text) : text }

  private func text(_ value: Value) throws(Fault) -> Text {
    if let text = value.text { return escaped(text) }
    return escaped(try Printer.text(value, renderer))
  }

  private func character(_ value: Value) throws(Fault) -> Text {
    if let text = value.text, text.count == 1 { return text }
    guard let code = value.integer, code >= 0,
      let scalar = UInt32(exactly: code).flatMap(Unicode.Scalar.init)
    else { throw .type("“%c” needs one character or its code.") }
    return Text(CollectionOfOne(scalar))
  }

  private mutating func addWhole(
    _ value: Value, _ letter: UInt8, _ directive: Directive
  ) throws(Fault) {
    if case .undefined(let undefined) = value { throw undefined.fault }
    var whole = value.integer
    let radix = letter == UInt8(ascii: "o") ? 8 : letter | 0x20 == UInt8(ascii: "x") ? 16 : 10
    if radix == 10, case .float(let number) = value {
      whole = try Numbers.truncated(number)
    }
    guard let whole else {
      throw .type("“%\(Unicode.Scalar(letter))” needs a whole number, not a \(value.type).")
    }
    var digits = String(whole.magnitude, radix: radix, uppercase: letter == UInt8(ascii: "X"))
    let least = directive.precision ?? 0
    if digits.utf8.count < least {
      digits = String(repeating: "0", count: least - digits.utf8.count) + digits
    }
    let prefix = directive.isAlternate && radix != 10 ? "0\(Unicode.Scalar(letter))" : ""
    try pad(number: digits, isNegative: whole < 0, prefix: prefix, directive, zeroes: true)
  }

  private mutating func pad(_ text: Text, _ directive: Directive) throws(Fault) {
    var text = text
    if let precision = directive.precision, precision < text.count {
      text = text.part(0..<text.starts[precision])
    }
    result += try text.padded(to: directive.width, with: Text(" "), renderer) {
      directive.isLeft ? 0 : $0
    }.bytes
  }

  private mutating func pad(
    number digits: String, isNegative: Bool, prefix: String, _ directive: Directive, zeroes: Bool
  ) throws(Fault) {
    let sign = isNegative ? "-" : directive.isSigned ? "+" : directive.isSpaced ? " " : ""
    let fills = directive.isZeroed && !directive.isLeft
    if fills {
      let width = directive.width - sign.utf8.count - prefix.utf8.count
      let body = try Text(digits).padded(to: width, with: Text("0"), renderer) { $0 }
      result += sign.utf8
      result += prefix.utf8
      result += body.bytes
      return
    }
    var plain = directive
    plain.precision = nil
    try pad(Text(sign + prefix + digits), plain)
  }
}
