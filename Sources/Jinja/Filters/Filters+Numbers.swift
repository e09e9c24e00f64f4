import Glibc

extension Filters {
  static let numbers: [String: Filter] = [
    "abs": Filter("abs") { value, _, _ throws(Fault) in
      if case .undefined(let undefined) = value { throw undefined.fault }
      if let whole = value.integer {
        return whole < 0 ? try Arithmetic.sign(value, isNegative: true) : .integer(whole)
      }
      guard case .float(let number) = value else { throw .type("abs takes a number.") }
      return .float(number.magnitude)
    },
    "int": Filter("int", ["default", "base"]) { value, bound, renderer throws(Fault) in
      let base = try Methods.integer(bound[1], otherwise: 10)
      switch value {
      case .string(let text):
        if let whole = try Numbers.integer(text, base: base) { return .integer(whole) }
        if let number = Numbers.float(text), number.isFinite,
          let whole = try Numbers.truncated(number)
        {
          return .integer(whole)
        }
      case .bool, .integer: return .integer(value.integer ?? 0)
      case .float(let number):
        guard !number.isInfinite else { throw .value("Infinity is no whole number.") }
        if let whole = try Numbers.truncated(number) { return .integer(whole) }
      case .undefined(let undefined): throw undefined.fault
      default: break
      }
      return bound[0] ?? .integer(0)
    },
    "float": Filter("float", ["default"]) { value, bound, _ throws(Fault) in
      if case .undefined(let undefined) = value { throw undefined.fault }
      if let text = value.text, let number = Numbers.float(text) { return .float(number) }
      return value.number.map { .float($0) } ?? bound[0] ?? .float(0)
    },
    "round": Filter("round", ["precision", "method"]) { value, bound, _ throws(Fault) in
      try round(value, bound)
    },
    "filesizeformat": Filter("filesizeformat", ["binary"]) { value, bound, renderer throws(Fault) in
      try fileSize(value, flag(bound[0], renderer))
    },
    "sum": Filter("sum", ["attribute", "start"]) { value, bound, renderer throws(Fault) in
      let path = try Path(bound[0])
      var sum = bound[1] ?? .integer(0)
      if sum.text != nil { throw .type("sum does not add strings; use “join”.") }
      for element in try renderer.list(value) {
        sum = try Arithmetic.apply(.add, sum, path.value(element, renderer), renderer)
      }
      return sum
    },
    "random": refused("The filter “random” would render a conversation differently each time."),
  ]

  private static func round(_ value: Value, _ bound: [Value?]) throws(Fault) -> Value {
    let method =
      try bound[1].map { value throws(Fault) in try Methods.text(value) } ?? Text("common")
    guard ["common", "ceil", "floor"].contains(method.string) else {
      throw .arguments("round", "the method is common, ceil or floor")
    }
    if case .undefined(let undefined) = value { throw undefined.fault }
    let digits = try Methods.integer(bound[0], otherwise: 0)
    guard let number = value.number else {
      throw .type("round takes a number, not a \(value.type).")
    }
    guard method.string != "common" else {
      if let whole = value.integer { return .integer(try Numbers.rounded(whole, digits)) }
      return .float(try Numbers.rounded(number, digits))
    }
    let unit = try Arithmetic.power10(digits)
    let scaled = number * unit
    guard scaled.isFinite else { throw .value("The number is too large to be rounded.") }
    let whole = method.string == "ceil" ? scaled.rounded(.up) : scaled.rounded(.down)
    return .float(whole / unit)
  }

  private static func fileSize(_ value: Value, _ isBinary: Bool) throws(Fault) -> Value {
    if case .undefined(let undefined) = value { throw undefined.fault }
    guard let bytes = value.number ?? value.text.flatMap(Numbers.float), bytes.isFinite else {
      throw .type("filesizeformat takes a number of bytes.")
    }
    let base: Double = isBinary ? 1024 : 1000
    if bytes == 1 { return .text("1 Byte") }
    if bytes < base { return .text("\(try Numbers.truncated(bytes) ?? 0) Bytes") }
    let letters = ["k", "M", "G", "T", "P", "E", "Z", "Y"]
    var unit = base * base
    var place = 0
    while bytes >= unit, place < letters.count - 1 {
      unit *= base
      place += 1
    }
    let letter = isBinary ? letters[place].uppercased() + "iB" : letters[place] + "B"
    return .text(try Numbers.printed(base * bytes / unit, "f", precision: 1) + " " + letter)
  }
}

extension Arithmetic {
  static func power10(_ exponent: Int) throws(Fault) -> Double {
    guard abs(exponent) < 300 else { throw .value("The precision is out of all bounds.") }
    return pow(10, Double(exponent))
  }
}
