extension Methods {
  /// The text that a method gives: safe where the one it belongs to is.
  private static func made(
    _ text: Text, like value: Value, _ renderer: Renderer
  ) throws(Fault) -> Value {
    try renderer.made(text.marked(value.text?.isMarkup ?? false))
  }

  private static func mapping(_ map: @escaping @Sendable (Text) -> Text) -> Method {
    Method { value, _, renderer throws(Fault) in
      try made(map(text(value)), like: value, renderer)
    }
  }

  static let caseMethods: [String: Method] = [
    "upper": mapping { $0.uppercased() }, "lower": mapping { $0.lowercased() },
    "capitalize": mapping { $0.capitalized() }, "title": mapping { $0.titlecased() },
    "swapcase": mapping { $0.caseSwapped() }, "casefold": mapping { $0.casefolded() },
  ]

  private static func question(_ ask: @escaping @Sendable (Text) -> Bool) -> Method {
    Method { value, _, _ throws(Fault) in .bool(ask(try text(value))) }
  }

  static let questions: [String: Method] = [
    "isalpha": question { $0.isAlphabetic }, "isalnum": question { $0.isAlphanumeric },
    "isascii": question { $0.isASCII }, "isdecimal": question { $0.isDecimal },
    "isdigit": question { $0.isDigits }, "isnumeric": question { $0.isNumeric },
    "isspace": question { $0.isSpace }, "isupper": question { $0.isUppercase },
    "islower": question { $0.isLowercase }, "istitle": question { $0.isTitlecase },
    "isprintable": question { $0.isPrintable }, "isidentifier": question { $0.isIdentifier },
  ]

  /// A method that cuts white space, or the characters given, off the ends.
  static func strip(left: Bool, right: Bool) -> Method {
    Method(["chars"]) { value, bound, renderer throws(Fault) in
      let text = try text(value)
      guard let chars = bound[0], !chars.isNone else {
        return try made(text.stripped(left: left, right: right), like: value, renderer)
      }
      let set = Set(try Methods.text(chars).scalars)
      return try made(
        text.stripped(left: left, right: right) { set.contains($0) }, like: value, renderer)
    }
  }

  private static func split(fromEnd: Bool) -> Method {
    Method(["sep", "maxsplit"], named: true) { value, bound, renderer throws(Fault) in
      let text = try text(value)
      let limit = try integer(bound[1], otherwise: -1)
      let parts: [Text]
      if let separator = bound[0], !separator.isNone {
        let separator = try Methods.text(separator)
        guard !separator.isEmpty else { throw .value("A string cannot be split by an empty one.") }
        parts = text.split(separator, limit: limit, fromEnd: fromEnd)
      } else {
        parts = text.words(limit: limit, fromEnd: fromEnd)
      }
      try renderer.spend(parts.count + text.bytes.count >> 6)
      return .list(parts.map { .string($0.marked(text.isMarkup)) })
    }
  }

  private static func pad(_ leftShare: @escaping @Sendable (_ missing: Int, _ width: Int) -> Int)
    -> Method
  {
    Method(["width", "fillchar"], required: 1) { value, bound, renderer throws(Fault) in
      let fill = try bound[1].map { value throws(Fault) in try text(value) } ?? Text(" ")
      guard fill.count == 1 else { throw .type("The filling is one character.") }
      let width = try integer(bound[0], otherwise: 0)
      return try made(
        text(value).padded(to: width, with: fill, renderer) { leftShare($0, width) }, like: value,
        renderer)
    }
  }

  /// A method that looks for a text between two places.
  private static func search(
    _ found: @escaping @Sendable (Text, Text, Range<Int>, Renderer) throws(Fault) -> Value
  ) -> Method {
    Method(["sub", "start", "end"], required: 1) { value, bound, renderer throws(Fault) in
      let text = try text(value)
      let part = try Methods.text(bound[0])
      try renderer.spend(text.bytes.count >> 4)
      let starts = text.starts
      let count = starts.count - 1
      if let start = bound[1], !start.isNone, try integer(start, otherwise: 0) > count {
        // Nothing is found behind the end, not even an empty text.
        return try found(text, Text(text.bytes + [1] + part.bytes), 0..<0, renderer)
      }
      let range = try places(count, bound[1], bound[2])
      return try found(text, part, starts[range.lowerBound]..<starts[range.upperBound], renderer)
    }
  }

  private static func place(
    fromEnd: Bool, throwing: Bool
  ) -> Method {
    search { text, part, range, _ throws(Fault) in
      let found =
        fromEnd
        ? text.findLast(part, from: range.lowerBound, to: range.upperBound)
        : text.find(part, from: range.lowerBound, to: range.upperBound)
      guard let found else {
        if throwing { throw .value("The string does not hold “\(part.string)”.") }
        return .integer(-1)
      }
      return .integer(text.scalars(before: found))
    }
  }

  /// `startswith` and `endswith`, of one text or any of a tuple.
  private static func edge(_ isAt: @escaping @Sendable (Text, Text) -> Bool) -> Method {
    Method(["prefix", "start", "end"], required: 1) { value, bound, renderer throws(Fault) in
      let text = try text(value)
      var wanted: [Text] = []
      if case .tuple(let items)? = bound[0] {
        for item in items.values { wanted.append(try Methods.text(item)) }
      } else {
        wanted = [try Methods.text(bound[0])]
      }
      guard bound[1] != nil else { return .bool(wanted.contains { isAt(text, $0) }) }
      let starts = text.starts
      let count = starts.count - 1
      if let start = bound[1], try integer(start, otherwise: 0) > count { return .bool(false) }
      let range = try places(count, bound[1], bound[2])
      let part = text.part(starts[range.lowerBound]..<starts[range.upperBound])
      return .bool(wanted.contains { isAt(part, $0) })
    }
  }

  private static func partition(fromEnd: Bool) -> Method {
    Method(["sep"], required: 1) { value, bound, renderer throws(Fault) in
      let text = try text(value)
      let separator = try Methods.text(bound[0])
      guard !separator.isEmpty else { throw .value("A string cannot be split by an empty one.") }
      var parts = [text, .empty, .empty]
      if fromEnd { parts.reverse() }
      if let place = fromEnd ? text.findLast(separator) : text.find(separator) {
        let after = place + separator.bytes.count
        parts = [text.part(0..<place), separator, text.part(after..<text.bytes.count)]
      }
      return .tuple(parts.map { .string($0.marked(text.isMarkup)) })
    }
  }

  static let text: [String: Method] = [
    "strip": strip(left: true, right: true), "lstrip": strip(left: true, right: false),
    "rstrip": strip(left: false, right: true),
    "split": split(fromEnd: false), "rsplit": split(fromEnd: true),
    "ljust": pad { _, _ in 0 }, "rjust": pad { missing, _ in missing },
    "center": pad { Text.centre($0, $1) },
    "find": place(fromEnd: false, throwing: false), "rfind": place(fromEnd: true, throwing: false),
    "index": place(fromEnd: false, throwing: true), "rindex": place(fromEnd: true, throwing: true),
    "startswith": edge { $0.hasPrefix($1) }, "endswith": edge { $0.hasSuffix($1) },
    "partition": partition(fromEnd: false), "rpartition": partition(fromEnd: true),
    "count": search { text, part, range, _ throws(Fault) in
      if part.isEmpty { return .integer(text.part(range).count + 1) }
      var count = 0
      var start = range.lowerBound
      while let found = text.find(part, from: start, to: range.upperBound) {
        count += 1
        start = found + part.bytes.count
      }
      return .integer(count)
    },
    "splitlines": Method(["keepends"], named: true) { value, bound, renderer throws(Fault) in
      let text = try text(value)
      let keeps = try integer(bound[0], otherwise: 0) != 0
      let lines = text.lines(keepingEnds: keeps)
      try renderer.spend(lines.count)
      return .list(lines.map { .string($0.marked(text.isMarkup)) })
    },
    "replace": Method(["old", "new", "count"], required: 2) {
      value, bound, renderer throws(Fault) in
      let text = try text(value)
      let new =
        text.isMarkup
        ? Escaping.escaped(try Filters.soft(bound[1] ?? .none, renderer))
        : try Methods.text(bound[1])
      let limit = try integer(bound[2], otherwise: -1)
      return try made(
        text.replacing(Methods.text(bound[0]), with: new, limit: limit, renderer), like: value,
        renderer)
    },
    "join": Method(["iterable"], required: 1) { value, bound, renderer throws(Fault) in
      let separator = try text(value)
      var parts: [Text] = []
      for part in try renderer.list(bound[0] ?? .none) {
        if separator.isMarkup {
          parts.append(Escaping.escaped(try Filters.soft(part, renderer)))
        } else {
          parts.append(try text(part, "each element that is joined"))
        }
      }
      return try made(Text.join(parts, separator, renderer), like: value, renderer)
    },
    "removeprefix": Method(["prefix"], required: 1) { value, bound, renderer throws(Fault) in
      let text = try text(value)
      let part = try Methods.text(bound[0])
      let start = text.hasPrefix(part) ? part.bytes.count : 0
      return try made(text.part(start..<text.bytes.count), like: value, renderer)
    },
    "removesuffix": Method(["suffix"], required: 1) { value, bound, renderer throws(Fault) in
      let text = try text(value)
      let part = try Methods.text(bound[0])
      let end = text.bytes.count - (text.hasSuffix(part) ? part.bytes.count : 0)
      return try made(text.part(0..<end), like: value, renderer)
    },
    "zfill": Method(["width"], required: 1) { value, bound, renderer throws(Fault) in
      let text = try text(value)
      let hasSign = text.bytes.first == Byte.minus || text.bytes.first == Byte.plus
      let body = text.part((hasSign ? 1 : 0)..<text.bytes.count)
      let (width, overflow) = try integer(bound[0], otherwise: 0).subtractingReportingOverflow(
        hasSign ? 1 : 0)
      let filled = try body.padded(to: overflow ? 0 : width, with: Text("0"), renderer) { $0 }
      return try made(text.part(0..<(hasSign ? 1 : 0)) + filled, like: value, renderer)
    },
    "expandtabs": Method(["tabsize"], named: true) { value, bound, renderer throws(Fault) in
      let text = try text(value)
      let size = try integer(bound[0], otherwise: 8)
      var result: [UInt8] = []
      var column = 0
      for character in text.characters {
        if character.bytes == [0x09] {
          let count = size > 0 ? size - column % size : 0
          guard result.count + count <= renderer.limits.bytes else { throw renderer.tooLong }
          result += repeatElement(Byte.space, count: count)
          column += count
          try renderer.spend(1 + count >> 6)
        } else {
          result += character.bytes
          column = character.bytes == [0x0A] || character.bytes == [0x0D] ? 0 : column + 1
        }
      }
      return try made(Text(result), like: value, renderer)
    },
  ]
}
