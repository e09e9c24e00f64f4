import Glibc

/// Python's operators on numbers, strings and lists.
///
/// Whole numbers have 64 bits: what goes beyond is refused, never rounded.
enum Arithmetic {
  static func apply(
    _ operation: Operation, _ left: Value, _ right: Value, _ renderer: Renderer
  ) throws(Fault) -> Value {
    for value in [left, right] {
      if case .undefined(let undefined) = value {
        if operation == .remainder, case .string = left { break }
        throw undefined.fault
      }
    }
    switch (operation, left, right) {
    case (.add, .string(let left), .string(let right)):
      return try renderer.made(join(left, right))
    case (.add, .list(let left), .list(let right)):
      try renderer.spend(left.values.count + right.values.count)
      return .list(left.values + right.values)
    case (.add, .tuple(let left), .tuple(let right)):
      try renderer.spend(left.values.count + right.values.count)
      return .tuple(left.values + right.values)
    case (.multiply, .string, _), (.multiply, .list, _), (.multiply, .tuple, _):
      if let count = right.integer { return try repeated(left, count, renderer) }
    case (.multiply, _, .string), (.multiply, _, .list), (.multiply, _, .tuple):
      if let count = left.integer { return try repeated(right, count, renderer) }
    case (.remainder, .string(let text), _):
      return try renderer.made(PercentFormat.format(text, right, renderer))
    default:
      if let left = left.integer, let right = right.integer {
        return try whole(operation, left, right)
      }
      if let left = left.number, let right = right.number {
        return try floating(operation, left, right)
      }
    }
    throw .type("“\(operation.rawValue)” does not go with \(left.type) and \(right.type).")
  }

  /// Two strings as one; what is not safe beside one that is gets escaped.
  static func join(_ left: Text, _ right: Text) -> Text {
    guard left.isMarkup || right.isMarkup else { return left + right }
    return (Escaping.escaped(left) + Escaping.escaped(right)).marked()
  }

  private static func repeated(
    _ value: Value, _ count: Int, _ renderer: Renderer
  ) throws(Fault) -> Value {
    let count = max(0, count)
    let size = value.text?.bytes.count ?? value.items?.count ?? 0
    let (total, overflow) = size.multipliedReportingOverflow(by: count)
    guard !overflow, total <= renderer.limits.bytes else { throw renderer.tooLong }
    if let text = value.text {
      try renderer.spend(total >> 6)
      var bytes: [UInt8] = []
      bytes.reserveCapacity(total)
      for _ in 0..<(size == 0 ? 0 : count) { bytes += text.bytes }
      return .string(Text(bytes, isASCII: text.isASCII, isMarkup: text.isMarkup))
    }
    try renderer.spend(total)
    let values = Array(repeatElement(value.items ?? [], count: size == 0 ? 0 : count).joined())
    if case .tuple = value { return .tuple(values) }
    return .list(values)
  }

  static func sign(_ value: Value, isNegative: Bool) throws(Fault) -> Value {
    if case .undefined(let undefined) = value { throw undefined.fault }
    if let whole = value.integer {
      guard isNegative else { return .integer(whole) }
      guard whole != .min else { throw tooLarge }
      return .integer(-whole)
    }
    guard case .float(let number) = value else {
      throw .type("A \(value.type) has no sign.")
    }
    return .float(isNegative ? -number : number)
  }

  static var tooLarge: Fault {
    Fault(
      .limit(
        "A whole number goes beyond 64 bits", advice: "Use a number with a fraction, such as 1.0."))
  }

  private static var division: Fault { .value("Nothing can be divided by zero.") }

  private static func whole(
    _ operation: Operation, _ left: Int, _ right: Int
  ) throws(Fault) -> Value {
    let result: (partialValue: Int, overflow: Bool)
    switch operation {
    case .add: result = left.addingReportingOverflow(right)
    case .subtract: result = left.subtractingReportingOverflow(right)
    case .multiply: result = left.multipliedReportingOverflow(by: right)
    case .divide:
      guard right != 0 else { throw division }
      return .float(quotient(left, right))
    case .floorDivide:
      guard right != 0 else { throw division }
      guard left != .min || right != -1 else { throw tooLarge }
      return .integer(left / right - (left % right != 0 && (left < 0) != (right < 0) ? 1 : 0))
    case .remainder: return .integer(try remainder(left, right))
    case .power: return try power(left, right)
    }
    guard !result.overflow else { throw tooLarge }
    return .integer(result.partialValue)
  }

  /// The nearest number to a quotient of whole ones, which need not be exact as numbers themselves.
  private static func quotient(_ left: Int, _ right: Int) -> Double {
    let limit = 1 << 53
    if left.magnitude <= limit, right.magnitude <= limit { return Double(left) / Double(right) }
    return Double(Float80(left) / Float80(right))
  }

  static func remainder(_ left: Int, _ right: Int) throws(Fault) -> Int {
    guard right != 0 else { throw division }
    guard right != -1 else { return 0 }
    let rest = left % right
    return rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest
  }

  private static func power(_ base: Int, _ exponent: Int) throws(Fault) -> Value {
    if exponent < 0 {
      guard base != 0 else { throw division }
      return .float(pow(Double(base), Double(exponent)))
    }
    var result = 1
    var square = base
    var left = exponent
    while left > 0 {
      if left & 1 == 1 {
        let (product, overflow) = result.multipliedReportingOverflow(by: square)
        guard !overflow else { throw tooLarge }
        result = product
      }
      left >>= 1
      guard left > 0 else { break }
      let (product, overflow) = square.multipliedReportingOverflow(by: square)
      guard !overflow else { throw tooLarge }
      square = product
    }
    return .integer(result)
  }

  private static func floating(
    _ operation: Operation, _ left: Double, _ right: Double
  ) throws(Fault) -> Value {
    switch operation {
    case .add: return .float(left + right)
    case .subtract: return .float(left - right)
    case .multiply: return .float(left * right)
    case .divide:
      guard right != 0 else { throw division }
      return .float(left / right)
    case .floorDivide, .remainder:
      guard right != 0 else { throw division }
      let (quotient, rest) = divided(left, right)
      return .float(operation == .remainder ? rest : quotient)
    case .power:
      guard left != 0 || right >= 0 else { throw division }
      let result = pow(left, right)
      if result.isNaN, !left.isNaN, !right.isNaN {
        throw .value("A power of a negative number with a fraction is no real number.")
      }
      if result.isInfinite, left.isFinite, right.isFinite {
        throw .value("The power is too large for a number.")
      }
      return .float(result)
    }
  }

  /// Quotient and remainder whose sign is the divisor's.
  private static func divided(_ left: Double, _ right: Double) -> (Double, Double) {
    var rest = fmod(left, right)
    var quotient = (left - rest) / right
    if rest != 0 {
      if (right < 0) != (rest < 0) {
        rest += right
        quotient -= 1
      }
    } else {
      rest = right.sign == .minus ? -0.0 : 0.0
    }
    guard quotient != 0 else {
      return (left / right).sign == .minus ? (-0.0, rest) : (0.0, rest)
    }
    var whole = quotient.rounded(.down)
    if quotient - whole > 0.5 { whole += 1 }
    return (whole, rest)
  }
}

/// Python's slices.
enum Slicing {
  static func slice(
    _ value: Value, _ start: Int?, _ stop: Int?, _ step: Int?, _ renderer: Renderer
  ) throws(Fault) -> Value {
    switch value {
    case .list(let items):
      return .list(
        try indices(items.values.count, start, stop, step, renderer).map { items.values[$0] })
    case .tuple(let items):
      return .tuple(
        try indices(items.values.count, start, stop, step, renderer).map { items.values[$0] })
    case .string(let text):
      let count = text.count
      let places = try indices(count, start, stop, step, renderer)
      guard let first = places.first, let last = places.last else {
        return .string(Text.empty.marked(text.isMarkup))
      }
      let starts = text.isASCII ? nil : text.starts
      func byte(_ place: Int) -> Int { starts.map { $0[place] } ?? place }
      if (step ?? 1) == 1 {
        return .string(text.part(byte(first)..<byte(last + 1)).marked(text.isMarkup))
      }
      var bytes: [UInt8] = []
      for place in places { bytes += text.bytes[byte(place)..<byte(place + 1)] }
      return .string(Text(bytes).marked(text.isMarkup))
    case .object(let object as RangeObject):
      let places = try indices(object.length, start, stop, step, renderer)
      return object.slice(places, step: step ?? 1)
    case .undefined(let undefined): throw undefined.fault
    default: throw .type("A value of type \(value.type) cannot be sliced.")
    }
  }

  /// The places that a slice names, of so many.
  static func indices(
    _ count: Int, _ start: Int?, _ stop: Int?, _ step: Int?, _ renderer: Renderer
  ) throws(Fault) -> [Int] {
    let step = step ?? 1
    guard step != 0 else { throw .value("The step of a slice cannot be zero.") }
    let lowest = step < 0 ? -1 : 0
    let highest = step < 0 ? count - 1 : count
    func bound(_ value: Int?, _ otherwise: Int) -> Int {
      guard let value else { return otherwise }
      return value < 0
        ? max(lowest, value &+ count < value ? highest : value + count) : min(highest, value)
    }
    let first = bound(start, step < 0 ? highest : lowest)
    let end = bound(stop, step < 0 ? lowest : highest)
    var places: [Int] = []
    var place = first
    while step > 0 ? place < end : place > end {
      places.append(place)
      let (next, overflow) = place.addingReportingOverflow(step)
      if overflow { break }
      place = next
    }
    try renderer.spend(places.count)
    return places
  }
}
