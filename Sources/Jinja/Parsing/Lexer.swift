/// Cuts a template into tokens, with the white space around tags removed as trim_blocks and lstrip_blocks ask.
///
/// Source of the rules: jinja2/lexer.py.
struct Lexer {
  /// The source with LF alone as the end of lines, and without the last of them.
  let source: [UInt8]
  var place = 0
  var tokens: [Token] = []
  /// Whether what was read last ended a line, so that blanks before a tag begin a line.
  private var beginsLine = true
  /// The closing brackets that are awaited.
  private var closing: [UInt8] = []

  init(_ text: [UInt8]) {
    var source: [UInt8] = []
    source.reserveCapacity(text.count)
    for (index, byte) in text.enumerated() {
      if byte == Byte.carriageReturn {
        source.append(Byte.newline)
      } else if byte != Byte.newline || index == 0 || text[index - 1] != Byte.carriageReturn {
        source.append(byte)
      }
    }
    if source.last == Byte.newline { source.removeLast() }
    self.source = source
  }

  static func tokens(_ source: [UInt8]) throws(Fault) -> (tokens: [Token], source: [UInt8]) {
    var lexer = Lexer(source)
    while try lexer.root() {}
    lexer.add(.end, at: lexer.source.count)
    return (lexer.tokens, lexer.source)
  }

  private mutating func add(_ kind: Token.Kind, at offset: Int) {
    tokens.append(Token(kind: kind, offset: offset))
  }

  // MARK: Bytes

  func byte(_ offset: Int) -> UInt8? { offset < source.count ? source[offset] : nil }

  func starts(_ word: StaticString, at offset: Int) -> Bool {
    let count = word.utf8CodeUnitCount
    guard offset + count <= source.count else { return false }
    return source[offset..<offset + count].elementsEqual(word.description.utf8)
  }

  private mutating func take(_ word: StaticString) -> Bool {
    guard starts(word, at: place) else { return false }
    place += word.utf8CodeUnitCount
    return true
  }

  /// The first byte at or after `offset` that is no white space.
  private func afterSpace(_ offset: Int) -> Int {
    let text = Text(source, isASCII: false)
    var offset = offset
    while offset < source.count, text.scalar(at: offset).isPythonSpace {
      offset = text.next(offset)
    }
    return offset
  }

  // MARK: Outside of tags

  private enum Opening { case raw(Int), block, variable, comment }

  /// Reads the text before the next tag, and the tag; false at the end.
  private mutating func root() throws(Fault) -> Bool {
    guard place < source.count else { return false }
    let start = place
    guard let (tag, opening) = nextTag(from: place) else {
      add(.text(Text(source[start...])), at: start)
      place = source.count
      return false
    }
    let sign = byte(tag + 2).flatMap { $0 == Byte.minus || $0 == Byte.plus ? $0 : nil }
    var isVariable = false
    if case .variable = opening { isVariable = true }
    addText(start..<tag, sign: sign, isVariable: isVariable)
    place = tag + 2 + (sign == nil ? 0 : 1)
    beginsLine = false
    switch opening {
    case .comment: try comment(from: tag)
    case .raw(let end):
      beginsLine = source[end - 1] == Byte.newline
      place = end
      try raw(from: tag)
    case .block:
      add(.blockBegin, at: tag)
      try inside(isVariable: false, from: tag)
    case .variable:
      add(.variableBegin, at: tag)
      try inside(isVariable: true, from: tag)
    }
    return true
  }

  private func nextTag(from start: Int) -> (Int, Opening)? {
    var offset = start
    while offset + 1 < source.count {
      if source[offset] == Byte.openBrace {
        switch source[offset + 1] {
        case Byte.percent:
          if let end = rawBegin(offset) { return (offset, .raw(end)) }
          return (offset, .block)
        case Byte.openBrace: return (offset, .variable)
        case Byte.hash: return (offset, .comment)
        default: break
        }
      }
      offset += 1
    }
    return nil
  }

  /// The end of `{% raw %}` if that stands at `offset`.
  private func rawBegin(_ offset: Int) -> Int? {
    var end = offset + 2
    if byte(end) == Byte.minus || byte(end) == Byte.plus { end += 1 }
    end = afterSpace(end)
    guard starts("raw", at: end) else { return nil }
    end = afterSpace(end + 3)
    if starts("-%}", at: end) { return afterSpace(end + 3) }
    return starts("%}", at: end) ? end + 2 : nil
  }

  /// Adds text before a tag, without the white space that the tag takes away.
  private mutating func addText(_ range: Range<Int>, sign: UInt8?, isVariable: Bool) {
    var text = Text(source[range])
    if sign == Byte.minus {
      text = text.stripped(left: false)
    } else if sign == nil, !isVariable {
      let line = text.bytes.lastIndex(of: Byte.newline).map { $0 + 1 } ?? 0
      if line > 0 || beginsLine, line < text.bytes.count,
        text.part(line..<text.bytes.count).stripped().isEmpty
      {
        text = text.part(0..<line)
      }
    }
    if !text.isEmpty { add(.text(text), at: range.lowerBound) }
  }

  private mutating func comment(from tag: Int) throws(Fault) {
    let start = place
    while place < source.count {
      // A sign before the end belongs to it.
      if take("-#}") {
        place = afterSpace(place)
        beginsLine = source[place - 1] == Byte.newline
        return
      }
      if take("+#}") { return }
      if take("#}") {
        beginsLine = take("\n")
        return
      }
      place += 1
    }
    // One that opens at the very end is let through by jinja2.
    guard start == source.count else { throw Fault(.unclosed("a comment"), at: tag) }
  }

  private mutating func raw(from tag: Int) throws(Fault) {
    let start = place
    var offset = place
    while offset < source.count {
      guard starts("{%", at: offset) else {
        offset += 1
        continue
      }
      var end = offset + 2
      let sign = byte(end).flatMap { $0 == Byte.minus || $0 == Byte.plus ? $0 : nil }
      if sign != nil { end += 1 }
      end = afterSpace(end)
      if starts("endraw", at: end), let after = blockEnd(afterSpace(end + 6)) {
        addText(start..<offset, sign: sign, isVariable: false)
        place = after
        beginsLine = source[place - 1] == Byte.newline
        return
      }
      offset += 1
    }
    guard start == source.count else { throw Fault(.unclosed("a raw block"), at: tag) }
  }

  /// The byte after the end of a tag, and after what it trims, if one stands at `offset`.
  private func blockEnd(_ offset: Int) -> Int? {
    if starts("+%}", at: offset) { return offset + 3 }
    if starts("-%}", at: offset) { return afterSpace(offset + 3) }
    guard starts("%}", at: offset) else { return nil }
    return offset + (byte(offset + 2) == Byte.newline ? 3 : 2)
  }

  private func variableEnd(_ offset: Int) -> Int? {
    if starts("-}}", at: offset) { return afterSpace(offset + 3) }
    return starts("}}", at: offset) ? offset + 2 : nil
  }

  // MARK: In tags

  private mutating func inside(isVariable: Bool, from tag: Int) throws(Fault) {
    closing = []
    while place < source.count {
      if closing.isEmpty, let end = isVariable ? variableEnd(place) : blockEnd(place) {
        add(isVariable ? .variableEnd : .blockEnd, at: place)
        beginsLine = source[end - 1] == Byte.newline
        place = end
        return
      }
      let next = afterSpace(place)
      if next > place {
        place = next
        continue
      }
      let start = place
      add(try token(), at: start)
    }
    throw Fault(.unclosed(isVariable ? "an expression" : "a tag"), at: tag)
  }

  private mutating func token() throws(Fault) -> Token.Kind {
    if let number = try number() { return number }
    if let name = try name() { return name }
    if let string = try string() { return string }
    if let symbol = try symbol() { return symbol }
    let character = Text(source, isASCII: false).scalar(at: place)
    throw Fault(.unexpectedCharacter("“\(character)”"), at: place)
  }

  private mutating func name() throws(Fault) -> Token.Kind? {
    let text = Text(source, isASCII: false)
    var end = place
    while end < source.count {
      let properties = text.scalar(at: end)
      guard properties == "_" || properties.properties.isXIDContinue else { break }
      end = text.next(end)
    }
    guard end > place else { return nil }
    let first = text.scalar(at: place)
    guard first == "_" || first.properties.isXIDStart else {
      throw Fault(.syntax(expected: "A name", found: "the character “\(first)”"), at: place)
    }
    defer { place = end }
    return .name(String(decoding: source[place..<end], as: UTF8.self))
  }

  private mutating func symbol() throws(Fault) -> Token.Kind? {
    let doubled: [StaticString] = ["//", "**", "==", "!=", ">=", "<="]
    for symbol in doubled where take(symbol) { return .symbol(symbol.description) }
    let byte = source[place]
    guard "+-/*%~[](){}><=.:|,;".utf8.contains(byte) else { return nil }
    switch byte {
    case Byte.openBrace: closing.append(Byte.closeBrace)
    case UInt8(ascii: "("): closing.append(UInt8(ascii: ")"))
    case UInt8(ascii: "["): closing.append(UInt8(ascii: "]"))
    case Byte.closeBrace, UInt8(ascii: ")"), UInt8(ascii: "]"):
      let found = "“\(Unicode.Scalar(byte))”"
      guard let awaited = closing.popLast() else {
        throw Fault(.syntax(expected: "The end of the tag", found: found), at: place)
      }
      guard awaited == byte else {
        throw Fault(.syntax(expected: "“\(Unicode.Scalar(awaited))”", found: found), at: place)
      }
    default: break
    }
    place += 1
    return .symbol(String(Unicode.Scalar(byte)))
  }
}

enum Byte {
  static let newline = UInt8(ascii: "\n")
  static let carriageReturn = UInt8(ascii: "\r")
  static let space = UInt8(ascii: " ")
  static let minus = UInt8(ascii: "-")
  static let plus = UInt8(ascii: "+")
  static let percent = UInt8(ascii: "%")
  static let hash = UInt8(ascii: "#")
  static let openBrace = UInt8(ascii: "{")
  static let closeBrace = UInt8(ascii: "}")
  static let backslash = UInt8(ascii: "\\")
}
