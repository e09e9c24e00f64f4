/// Python's `str.format`, with the sandbox's access to attributes and items.
struct BraceFormat {
  private let arguments: [Value]
  private let named: (Text) throws(Fault) -> Value?
  private let renderer: Renderer
  private let isMarkup: Bool
  private var next: Int? = 0

  static func format(
    _ text: Text, _ arguments: [Value], _ renderer: Renderer,
    named: @escaping (Text) throws(Fault) -> Value?
  ) throws(Fault) -> Text {
    var format = BraceFormat(
      arguments: arguments, named: named, renderer: renderer, isMarkup: text.isMarkup)
    return try format.run(Array(text.bytes), depth: 2).marked(text.isMarkup)
  }

  private init(
    arguments: [Value], named: @escaping (Text) throws(Fault) -> Value?, renderer: Renderer,
    isMarkup: Bool
  ) {
    self.arguments = arguments
    self.named = named
    self.renderer = renderer
    self.isMarkup = isMarkup
  }

  private mutating func run(_ format: [UInt8], depth: Int) throws(Fault) -> Text {
    guard depth > 0 else { throw .value("A format's fields are nested too deeply.") }
    var result: [UInt8] = []
    var index = 0
    while index < format.count {
      let byte = format[index]
      guard byte == Byte.openBrace || byte == Byte.closeBrace else {
        result.append(byte)
        index += 1
        continue
      }
      if index + 1 < format.count, format[index + 1] == byte {
        result.append(byte)
        index += 2
        continue
      }
      guard byte == Byte.openBrace, let end = fieldEnd(format, index + 1) else {
        throw .value("A brace in the format has no partner; write it twice if it is meant.")
      }
      result += try field(Array(format[index + 1..<end]), depth: depth).bytes
      guard result.count <= renderer.limits.bytes else { throw renderer.tooLong }
      try renderer.spend(1)
      index = end + 1
    }
    return Text(result)
  }

  private func fieldEnd(_ format: [UInt8], _ start: Int) -> Int? {
    var depth = 1
    var inIndex = false
    for index in start..<format.count {
      switch format[index] {
      case UInt8(ascii: "[") where depth == 1: inIndex = true
      case UInt8(ascii: "]"): inIndex = false
      case Byte.openBrace where !inIndex: depth += 1
      case Byte.closeBrace where !inIndex:
        depth -= 1
        if depth == 0 { return index }
      default: break
      }
    }
    return nil
  }

  /// One field: `name.attribute[index]!conversion:format`.
  private mutating func field(_ field: [UInt8], depth: Int) throws(Fault) -> Text {
    var end = 0
    var inIndex = false
    while end < field.count {
      if field[end] == UInt8(ascii: "[") { inIndex = true }
      if field[end] == UInt8(ascii: "]") { inIndex = false }
      if !inIndex, field[end] == UInt8(ascii: ":") || field[end] == UInt8(ascii: "!") { break }
      end += 1
    }
    var value = try lookUp(Array(field[..<end]))
    if end < field.count, field[end] == UInt8(ascii: "!") {
      guard end + 1 < field.count, end + 2 == field.count || field[end + 2] == UInt8(ascii: ":")
      else { throw .value("A conversion in a format is one of !s, !r and !a.") }
      switch field[end + 1] {
      case UInt8(ascii: "s"): value = .string(try Printer.text(value, renderer))
      case UInt8(ascii: "r"): value = .string(try Printer.representation(value, renderer))
      case UInt8(ascii: "a"):
        let one = Text("%a")
        value = .string(try PercentFormat.format(one, .tuple([value]), renderer))
      default: throw .value("A conversion in a format is one of !s, !r and !a.")
      }
      end += 2
    }
    let specification =
      end < field.count ? try run(Array(field[(end + 1)...]), depth: depth - 1) : .empty
    let text = try FormatSpecification.format(value, specification, renderer)
    return isMarkup ? Escaping.escaped(text) : text
  }

  private mutating func lookUp(_ path: [UInt8]) throws(Fault) -> Value {
    let stops: [UInt8] = [UInt8(ascii: "."), UInt8(ascii: "[")]
    var index = path.firstIndex { stops.contains($0) } ?? path.count
    let name = Text(path[..<index])
    var value: Value
    if name.isEmpty || name.isDigits {
      let place = try position(name)
      guard place < arguments.count else {
        throw .value("The format asks for argument \(place), and \(arguments.count) are given.")
      }
      value = arguments[place]
    } else {
      guard let found = try named(name) else {
        throw .value("The format asks for “\(name.string)”, which is not given.")
      }
      value = found
    }
    while index < path.count {
      if path[index] == UInt8(ascii: ".") {
        let end = path[(index + 1)...].firstIndex { stops.contains($0) } ?? path.count
        guard end > index + 1 else { throw .value("A format has an empty attribute.") }
        value = try renderer.attribute(Text(path[index + 1..<end]), of: value)
        index = end
      } else {
        guard path[index] == UInt8(ascii: "["),
          let end = path[index...].firstIndex(of: UInt8(ascii: "]")), end > index + 1
        else { throw .value("A format has an index that does not close, or an empty one.") }
        let key = Text(path[index + 1..<end])
        let whole = key.isDigits ? try Numbers.integer(key, base: 10) : nil
        value = try renderer.item(whole.map { .integer($0) } ?? .string(key), of: value)
        index = end + 1
      }
    }
    return value
  }

  private mutating func position(_ name: Text) throws(Fault) -> Int {
    let mixed = Fault.value("A format either numbers all its fields or none.")
    if name.isEmpty {
      guard let place = next else { throw mixed }
      next = place + 1
      return place
    }
    guard next == nil || next == 0 else { throw mixed }
    next = nil
    return try Numbers.integer(name, base: 10) ?? 0
  }
}

/// What stands behind the colon of a field: `[[fill]align][sign][z][#][0][width][grouping][.precision][type]`.
struct FormatSpecification {
  private var fill = Text(" ")
  private var alignment: UInt8?
  private var sign = Byte.minus
  private var isAlternate = false
  private var isZeroed = false
  private var width = 0
  private var grouping: UInt8?
  private var precision: Int?
  private var letter: UInt8?

  static func format(
    _ value: Value, _ text: Text, _ renderer: Renderer
  ) throws(Fault) -> Text {
    if text.isEmpty { return try Printer.text(value, renderer) }
    let specification = try FormatSpecification(text, renderer)
    switch value {
    case .string(let text): return try specification.format(text, renderer)
    case .bool, .integer:
      return try specification.format(value.integer ?? 0, renderer)
    case .float(let number): return try specification.format(number, renderer)
    default: throw .type("A \(value.type) takes no format.")
    }
  }

  private init(_ text: Text, _ renderer: Renderer) throws(Fault) {
    let characters = text.characters
    var index = 0
    func byte(_ offset: Int) -> UInt8? {
      offset < characters.count && characters[offset].bytes.count == 1
        ? characters[offset].bytes[0] : nil
    }
    func isAlignment(_ byte: UInt8?) -> Bool { byte.map { "<>=^".utf8.contains($0) } ?? false }
    if isAlignment(byte(1)) {
      fill = characters[0]
      alignment = byte(1)
      index = 2
    } else if isAlignment(byte(0)) {
      alignment = byte(0)
      index = 1
    }
    if let found = byte(index), "+- ".utf8.contains(found) {
      sign = found
      index += 1
    }
    if byte(index) == Byte.hash {
      isAlternate = true
      index += 1
    }
    if byte(index) == UInt8(ascii: "0") {
      isZeroed = true
      index += 1
    }
    func number() throws(Fault) -> Int? {
      var value: Int?
      while let digit = byte(index), digit >= 48, digit <= 57 {
        value = (value ?? 0) * 10 + Int(digit - 48)
        guard value ?? 0 <= renderer.limits.bytes else { throw renderer.tooLong }
        index += 1
      }
      return value
    }
    width = try number() ?? 0
    if let found = byte(index), ",_".utf8.contains(found) {
      grouping = found
      index += 1
    }
    if byte(index) == UInt8(ascii: ".") {
      index += 1
      guard let found = try number() else { throw .value("A format lacks its precision.") }
      precision = found
    }
    letter = byte(index)
    guard index + (letter == nil ? 0 : 1) == characters.count else {
      throw .value("The format “\(text.string)” has no meaning.")
    }
  }

  private func unknown(_ type: String) -> Fault {
    .value("A \(type) has no format “\(letter.map { String(Unicode.Scalar($0)) } ?? "")”.")
  }

  private func format(
    _ text: Text, _ renderer: Renderer
  ) throws(Fault) -> Text {
    guard letter == nil || letter == UInt8(ascii: "s"), sign == Byte.minus,
      grouping == nil,
      !isAlternate, alignment != UInt8(ascii: "=")
    else { throw unknown("str") }
    var text = text
    if let precision, precision < text.count { text = text.part(0..<text.starts[precision]) }
    let fill = isZeroed && alignment == nil && self.fill == Text(" ") ? Text("0") : self.fill
    return try pad(
      text, fill, alignment ?? UInt8(ascii: "<"), renderer)
  }

  private func pad(
    _ text: Text, _ fill: Text, _ alignment: UInt8, _ renderer: Renderer
  ) throws(Fault) -> Text {
    try text.padded(to: width, with: fill, renderer) {
      switch alignment {
      case UInt8(ascii: "<"): 0
      case UInt8(ascii: "^"): $0 / 2
      default: $0
      }
    }
  }

  private func format(_ value: Int, _ renderer: Renderer) throws(Fault) -> Text {
    let radix: Int
    var prefix = ""
    switch letter {
    case nil, UInt8(ascii: "d"), UInt8(ascii: "n"): radix = 10
    case UInt8(ascii: "b"): (radix, prefix) = (2, "0b")
    case UInt8(ascii: "o"): (radix, prefix) = (8, "0o")
    case UInt8(ascii: "x"): (radix, prefix) = (16, "0x")
    case UInt8(ascii: "X"): (radix, prefix) = (16, "0X")
    case UInt8(ascii: "c"):
      guard let scalar = UInt32(exactly: value).flatMap(Unicode.Scalar.init), precision == nil
      else {
        throw unknown("int")
      }
      return try pad(Text(CollectionOfOne(scalar)), fill, alignment ?? UInt8(ascii: "<"), renderer)
    case let letter? where "eEfFgG%".utf8.contains(letter):
      return try format(Double(value), renderer)
    default: throw unknown("int")
    }
    guard precision == nil else { throw .value("A whole number takes no precision.") }
    let digits = String(value.magnitude, radix: radix, uppercase: letter == UInt8(ascii: "X"))
    return try place(
      digits, fraction: "", isNegative: value < 0, prefix: isAlternate ? prefix : "",
      group: radix == 10 ? 3 : 4, renderer)
  }

  private func format(_ value: Double, _ renderer: Renderer) throws(Fault) -> Text {
    var shown: String
    let magnitude = value.magnitude
    switch letter {
    case nil where precision == nil: shown = pythonDescription(magnitude)
    case nil:
      shown = try Numbers.printed(magnitude, "g", precision: max(1, precision ?? 6))
      if !shown.contains("."), !shown.contains("e"), value.isFinite { shown += ".0" }
    case let letter? where "eEfFgG".utf8.contains(letter):
      shown = try Numbers.printed(
        magnitude, Character(Unicode.Scalar(letter)), precision: precision ?? 6,
        isAlternate: isAlternate)
    case UInt8(ascii: "n"): shown = try Numbers.printed(magnitude, "g", precision: precision ?? 6)
    case Byte.percent:
      shown = try Numbers.printed(magnitude * 100, "f", precision: precision ?? 6) + "%"
    default: throw unknown("float")
    }
    let digits = shown.prefix { $0 >= "0" && $0 <= "9" }
    return try place(
      String(digits), fraction: String(shown.dropFirst(digits.count)),
      isNegative: value.sign == .minus && !value.isNaN, prefix: "", group: 3, renderer)
  }

  /// Puts sign, prefix, groups of digits and filling together.
  private func place(
    _ digits: String, fraction: String, isNegative: Bool, prefix: String, group: Int,
    _ renderer: Renderer
  ) throws(Fault) -> Text {
    let shownSign = isNegative ? "-" : sign == Byte.minus ? "" : String(Unicode.Scalar(sign))
    let start = shownSign + prefix
    var whole = Array(digits.utf8)
    let fillsZeroes =
      isZeroed && (alignment == nil || alignment == UInt8(ascii: "=")) && fill == Text(" ")
    if let grouping {
      let room = fillsZeroes ? width - start.utf8.count - fraction.utf8.count : 0
      while whole.count + (whole.count - 1) / group < room { whole.insert(48, at: 0) }
      var place = whole.count - group
      while place > 0 {
        whole.insert(grouping, at: place)
        place -= group
      }
    }
    let number = Text(whole + Array(fraction.utf8))
    let alignment = alignment ?? (isZeroed ? UInt8(ascii: "=") : UInt8(ascii: ">"))
    let fill = isZeroed && self.fill == Text(" ") ? Text("0") : self.fill
    guard alignment == UInt8(ascii: "=") else {
      return try pad(Text(start) + number, fill, alignment, renderer)
    }
    let rest = try number.padded(to: width - start.utf8.count, with: fill, renderer) { $0 }
    return Text(start) + rest
  }
}
