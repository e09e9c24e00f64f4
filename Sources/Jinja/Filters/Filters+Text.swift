extension Filters {
  private static func calling(_ method: String, _ names: [String] = []) -> Filter {
    Filter(method, names) { value, bound, renderer throws(Fault) in
      let text = Value.string(try soft(value, renderer))
      let function = Methods.caseMethods[method] ?? Methods.text[method]
      guard let function else { preconditionFailure("\(method) is no method") }
      return try function.body(text, bound, renderer)
    }
  }

  static let text: [String: Filter] = [
    "upper": calling("upper"), "lower": calling("lower"), "capitalize": calling("capitalize"),
    "title": Filter("title") { value, _, renderer throws(Fault) in
      try renderer.made(title(soft(value, renderer)))
    },
    "trim": Filter("trim", ["chars"]) { value, bound, renderer throws(Fault) in
      try Methods.strip(left: true, right: true).body(
        .string(soft(value, renderer)), bound, renderer)
    },
    "string": Filter("string") { value, _, renderer throws(Fault) in
      .string(try soft(value, renderer))
    },
    "safe": Filter("safe") { value, _, renderer throws(Fault) in
      .string(try soft(value, renderer).marked())
    },
    "escape": escape, "e": escape,
    "forceescape": Filter("forceescape") { value, _, renderer throws(Fault) in
      try renderer.made(Escaping.forced(soft(value, renderer)))
    },
    "striptags": Filter("striptags") { value, _, renderer throws(Fault) in
      .string(Escaping.withoutTags(try soft(value, renderer)))
    },
    "center": Filter("center", ["width"]) { value, bound, renderer throws(Fault) in
      let text = try soft(value, renderer)
      let width = try Methods.integer(bound[0], otherwise: 80)
      let result = try text.padded(to: width, with: Text(" "), renderer) { Text.centre($0, width) }
      return try renderer.made(result.marked(text.isMarkup))
    },
    "replace": Filter("replace", ["old", "new", "count"], required: 2) {
      value, bound, renderer throws(Fault) in
      let old = try Printer.text(bound[0] ?? .none, renderer)
      let new = try Printer.text(bound[1] ?? .none, renderer)
      let limit = bound[2].flatMap { $0.isNone ? nil : $0 }
      return try renderer.made(
        Printer.text(value, renderer).replacing(
          old, with: new, limit: Methods.integer(limit, otherwise: -1), renderer))
    },
    "format": Filter { value, arguments, renderer throws(Fault) in
      guard arguments.positional.isEmpty || arguments.named.isEmpty else {
        throw .arguments("format", "takes values by place or by name, not both")
      }
      var values = Value.tuple(arguments.positional)
      if !arguments.named.isEmpty {
        let mapping = Mapping()
        for (name, value) in arguments.named { mapping.set(Text(name), value) }
        values = .dictionary(mapping)
      }
      return try renderer.made(PercentFormat.format(soft(value, renderer), values, renderer))
    },
    "indent": Filter("indent", ["width", "first", "blank"]) {
      value, bound, renderer throws(Fault) in
      let result = try indent(
        Methods.text(value), bound[0], first: flag(bound[1], renderer),
        blank: flag(bound[2], renderer), renderer)
      return try renderer.made(result.marked(value.text?.isMarkup ?? false))
    },
    "truncate": Filter("truncate", ["length", "killwords", "end", "leeway"]) {
      value, bound, renderer throws(Fault) in
      try truncate(value, bound, renderer)
    },
    "wordcount": Filter("wordcount") { value, _, renderer throws(Fault) in
      var count = 0
      var isInside = false
      for scalar in try soft(value, renderer).scalars {
        if scalar.isPythonWord, !isInside { count += 1 }
        isInside = scalar.isPythonWord
      }
      return .integer(count)
    },
    "urlencode": Filter("urlencode") { value, _, renderer throws(Fault) in
      try urlEncode(value, renderer)
    },
    "xmlattr": Filter("xmlattr", ["autospace"]) { value, bound, renderer throws(Fault) in
      try attributes(value, flag(bound[0], renderer, otherwise: true), renderer)
    },
    "tojson": Filter("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"]) {
      value, bound, renderer throws(Fault) in
      try renderer.made(JSONWriter.text(value, bound, renderer))
    },
    "pprint": refused("The filter “pprint” is for looking at values; use “tojson” instead."),
    "urlize": refused("The filter “urlize” makes links for HTML pages, which chats are not."),
    "wordwrap": refused(
      "The filter “wordwrap” is not supported; wrap the text before it is rendered."),
  ]

  private static let escape = Filter("escape") { value, _, renderer throws(Fault) in
    try renderer.made(Escaping.escaped(soft(value, renderer)))
  }

  /// Capitals behind spaces, hyphens and brackets.
  private static func title(_ text: Text) -> Text {
    func divides(_ scalar: Unicode.Scalar) -> Bool {
      scalar.isPythonSpace || "-({[<".unicodeScalars.contains(scalar)
    }
    var result: [UInt8] = []
    var place = 0
    while place < text.bytes.count {
      var end = place
      let isDivider = divides(text.scalar(at: place))
      while end < text.bytes.count, divides(text.scalar(at: end)) == isDivider {
        end = text.next(end)
      }
      let first = text.next(place)
      result += text.part(place..<first).uppercased().bytes
      result += text.part(first..<end).lowercased().bytes
      place = end
    }
    return Text(result)
  }

  private static func indent(
    _ text: Text, _ width: Value?, first: Bool, blank: Bool, _ renderer: Renderer
  ) throws(Fault) -> Text {
    let indention: Text
    if let word = width?.text {
      indention = word
    } else {
      let count = try Methods.integer(width, otherwise: 4)
      indention = try Text.empty.padded(to: count, with: Text(" "), renderer) { $0 }
    }
    let lines = (text + Text("\n")).lines()
    var parts: [Text] = []
    for (index, line) in lines.enumerated() {
      let isIndented = index == 0 ? false : blank || !line.isEmpty
      parts.append(isIndented ? indention + line : line)
    }
    let result = try Text.join(parts, Text("\n"), renderer)
    return first ? indention + result : result
  }

  private static func truncate(
    _ value: Value, _ bound: [Value?], _ renderer: Renderer
  ) throws(Fault) -> Value {
    let length = try Methods.integer(bound[0], otherwise: 255)
    let end = try bound[2].map { value throws(Fault) in try Methods.text(value) } ?? Text("...")
    let leeway =
      try bound[3].flatMap { $0.isNone ? nil : $0 }
      .map { value throws(Fault) in try Methods.integer(value, otherwise: 5) } ?? 5
    guard length >= end.count, leeway >= 0 else {
      throw .value("A text cannot be truncated to fewer characters than its end has.")
    }
    let limit = length.addingReportingOverflow(leeway)
    guard let count = try renderer.length(value) else {
      throw .type("A value of type \(value.type) has no length to truncate.")
    }
    if limit.overflow || count <= limit.partialValue { return value }
    let text = try Methods.text(value)
    var cut = text.part(0..<text.starts[min(length - end.count, text.count)])
    if try !flag(bound[1], renderer) {
      cut = cut.split(Text(" "), limit: 1, fromEnd: true)[0]
    }
    return try renderer.made(Arithmetic.join(cut.marked(text.isMarkup), end))
  }

  // MARK: Addresses and attributes

  private static func quoted(_ text: Text, isQuery: Bool) -> Text {
    var bytes: [UInt8] = []
    for byte in text.bytes {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), Byte.minus,
        UInt8(ascii: "~"):
        bytes.append(byte)
      case UInt8(ascii: "/") where !isQuery: bytes.append(byte)
      case Byte.space where isQuery: bytes.append(Byte.plus)
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        bytes += "%\(digits.utf8.count < 2 ? "0" : "")\(digits)".utf8
      }
    }
    return Text(bytes)
  }

  private static func urlEncode(_ value: Value, _ renderer: Renderer) throws(Fault) -> Value {
    if case .string(let text) = value { return try renderer.made(quoted(text, isQuery: false)) }
    var pairs: [Value]
    if case .dictionary(let mapping) = value {
      pairs = mapping.pairs
    } else if let elements = try renderer.elementsIfAny(value) {
      pairs = []
      while let pair = try elements.next() { pairs.append(pair) }
    } else {
      return try renderer.made(quoted(Printer.text(value, renderer), isQuery: false))
    }
    var parts: [Text] = []
    for pair in pairs {
      let members = try renderer.list(pair)
      guard members.count == 2 else { throw .value("urlencode takes pairs of names and values.") }
      let name = quoted(try Printer.text(members[0], renderer), isQuery: true)
      parts.append(name + Text("=") + quoted(try Printer.text(members[1], renderer), isQuery: true))
    }
    return try renderer.made(Text.join(parts, Text("&"), renderer))
  }

  private static func attributes(
    _ value: Value, _ autospace: Bool, _ renderer: Renderer
  ) throws(Fault) -> Value {
    guard case .dictionary(let mapping) = value else { throw .type("xmlattr takes a dict.") }
    var parts: [Text] = []
    for (key, value) in zip(mapping.keys, mapping.values) where !value.isNone && !value.isUndefined
    {
      let name = try Methods.text(key)
      guard !name.bytes.contains(where: { " \t\n\r\u{B}\u{C}/>=".utf8.contains($0) }) else {
        throw .value("“\(name.string)” is no name of an attribute.")
      }
      let shown = Escaping.escaped(try soft(value, renderer))
      parts.append(Escaping.escaped(name) + Text("=\"") + shown + Text("\""))
    }
    let result = try Text.join(parts, Text(" "), renderer)
    return .string(autospace && !result.isEmpty ? Text(" ") + result : result)
  }
}
