extension YAMLValue {
  /// The text that PyYAML's `safe_dump` gives the value: block style, keys sorted, lists not
  /// indented under their key, non-ASCII text escaped.
  public func dumped() -> String {
    var emitter = YAMLEmitter()
    return emitter.document(self)
  }
}

/// PyYAML's emitter for the one style that `safe_dump` uses by default.
private struct YAMLEmitter {
  private var out = ""
  private var column = 0
  /// Whether the last thing written was white space, and whether it was indentation only.
  private var afterSpace = true
  private var afterIndentation = true
  private var indent: Int?
  /// Text is folded at the first space beyond this column.
  static let width = 80

  private enum Place { case root, item, value, simpleKey, key }

  mutating func document(_ value: YAMLValue) -> String {
    node(value, .root)
    if column > 0 { lineBreak() }
    switch value {
    case .list, .map, .set, .tagged: break
    case .string(let text) where !isPlain(text, simpleKey: false): break
    // A plain scalar alone does not say where it ends.
    default: out += "...\n"
    }
    return out
  }

  // MARK: Nodes

  private mutating func node(_ value: YAMLValue, _ place: Place) {
    switch value {
    case .list(let items): list(items, place)
    case .map(let map): self.map(map.entries, place)
    case .set(let members):
      indicator("!!set", spaceBefore: true)
      self.map(members.map { .init(key: $0, value: .null) }, place)
    case .tagged(let tag, let inner):
      indicator(Self.shorthand(tag), spaceBefore: true)
      if case .string(let text) = inner {
        quotedUnlessPlain(text, simpleKey: place == .simpleKey, tagged: true)
      } else {
        node(inner, place)
      }
    case .string(let text):
      quotedUnlessPlain(text, simpleKey: place == .simpleKey, tagged: false)
    default: plain(Self.scalarText(value), split: place != .simpleKey)
    }
  }

  private mutating func list(_ items: [YAMLValue], _ place: Place) {
    if items.isEmpty { return indicator("[]", spaceBefore: true) }
    let outer = indent
    // Under a key, a list stays at the key's own column.
    let stays = (place == .value || place == .key) && !afterIndentation
    indent = indent.map { stays ? $0 : $0 + 2 } ?? 0
    for item in items {
      newLine()
      indicator("-", spaceBefore: true, keepsIndentation: true)
      node(item, .item)
    }
    indent = outer
  }

  private mutating func map(_ entries: [YAMLMap.Entry], _ place: Place) {
    if entries.isEmpty { return indicator("{}", spaceBefore: true) }
    let outer = indent
    indent = indent.map { $0 + 2 } ?? 0
    for entry in Self.sorted(entries) {
      newLine()
      if isSimple(entry.key) {
        node(entry.key, .simpleKey)
        indicator(":", spaceBefore: false)
      } else {
        indicator("?", spaceBefore: true, keepsIndentation: true)
        node(entry.key, .key)
        newLine()
        indicator(":", spaceBefore: true, keepsIndentation: true)
      }
      node(entry.value, .value)
    }
    indent = outer
  }

  /// PyYAML sorts by key where all keys can be compared, and else leaves the order.
  private static func sorted(_ entries: [YAMLMap.Entry]) -> [YAMLMap.Entry] {
    if entries.allSatisfy({ $0.key.string != nil }) {
      return entries.sorted {
        ($0.key.string ?? "").unicodeScalars.lexicographicallyPrecedes(
          ($1.key.string ?? "").unicodeScalars)
      }
    }
    if entries.allSatisfy({ $0.key.double != nil }) {
      return entries.sorted { ($0.key.double ?? 0) < ($1.key.double ?? 0) }
    }
    return entries
  }

  /// Whether a key can stand before its colon on one line.
  private func isSimple(_ key: YAMLValue) -> Bool {
    switch key {
    case .string(let text):
      !text.isEmpty && text.unicodeScalars.count < 128
        && !text.unicodeScalars.contains(where: \.isLineBreak)
    case .list(let items): items.isEmpty
    case .map(let map): map.entries.isEmpty
    case .set, .tagged: false
    default: true
    }
  }

  /// The text of a scalar that is no string.
  private static func scalarText(_ value: YAMLValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): "\(value)"
    case .number(let value): floatText(value)
    case .plain(let text): text
    default: ""
    }
  }

  /// Python's repr, with a point before every exponent as YAML 1.1 wants it.
  private static func floatText(_ value: Double) -> String {
    if value.isNaN { return ".nan" }
    if value.isInfinite { return value < 0 ? "-.inf" : ".inf" }
    let text = "\(value)"
    guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
    return text[..<exponent] + ".0" + text[exponent...]
  }

  private static func shorthand(_ tag: String) -> String {
    let standard = "tag:yaml.org,2002:"
    if tag.hasPrefix(standard) { return "!!" + tag.dropFirst(standard.count) }
    return tag.hasPrefix("!") ? tag : "!<\(tag)>"
  }

  // MARK: Text

  private mutating func quotedUnlessPlain(_ text: String, simpleKey: Bool, tagged: Bool) {
    let outer = indent
    indent = indent.map { $0 + 2 } ?? 2
    defer { indent = outer }
    let analysis = YAMLTextAnalysis(text)
    if !tagged, isPlain(text, simpleKey: simpleKey) {
      plain(text, split: !simpleKey)
    } else if analysis.allowsSingleQuotes, !(simpleKey && analysis.hasLineBreaks) {
      singleQuoted(text, split: !simpleKey)
    } else {
      doubleQuoted(text, split: !simpleKey)
    }
  }

  private func isPlain(_ text: String, simpleKey: Bool) -> Bool {
    guard case .string = YAMLScalar.resolve(text) else { return false }
    return YAMLTextAnalysis(text).allowsPlain
  }

  private mutating func plain(_ text: String, split: Bool) {
    if text.isEmpty { return }
    if !afterSpace { write(" ") }
    afterSpace = false
    afterIndentation = false
    writeFolding(text, split: split, keepsEdges: false)
  }

  private mutating func singleQuoted(_ text: String, split: Bool) {
    indicator("'", spaceBefore: true)
    writeFolding(text, split: split, keepsEdges: true)
    indicator("'", spaceBefore: false)
  }

  /// Writes words and the spaces and line breaks between them; a single space beyond the width
  /// becomes a line's end, a line break an empty line.
  private mutating func writeFolding(_ text: String, split: Bool, keepsEdges: Bool) {
    let characters = Array(text.unicodeScalars)
    var position = 0
    while position < characters.count {
      let start = position
      if characters[position] == " " {
        while position < characters.count, characters[position] == " " { position += 1 }
        let inner = !keepsEdges || (start != 0 && position != characters.count)
        if position - start == 1, column > Self.width, split, inner {
          newLine()
          afterSpace = false
          afterIndentation = false
        } else {
          write(String(repeating: " ", count: position - start))
        }
      } else if characters[position].isLineBreak {
        while position < characters.count, characters[position].isLineBreak { position += 1 }
        if characters[start] == "\n" { lineBreak() }
        for character in characters[start..<position] {
          lineBreak(character == "\n" ? "\n" : String(character))
        }
        newLine()
      } else if keepsEdges, characters[position] == "'" {
        write("''")
        position += 1
      } else {
        while position < characters.count, characters[position] != " ",
          !characters[position].isLineBreak, !(keepsEdges && characters[position] == "'")
        {
          position += 1
        }
        write(Self.text(characters[start..<position]))
      }
    }
  }

  private mutating func doubleQuoted(_ text: String, split: Bool) {
    indicator("\"", spaceBefore: true)
    let characters = Array(text.unicodeScalars)
    var start = 0
    var end = 0
    while end <= characters.count {
      let character = end < characters.count ? characters[end] : nil
      if character.map(\.needsEscape) ?? true {
        if start < end {
          write(Self.text(characters[start..<end]))
          start = end
        }
        if let character {
          write(character.yamlEscape)
          start = end + 1
        }
      }
      if end > 0, end < characters.count - 1, character == " " || start >= end,
        column + (end - start) > Self.width, split
      {
        write((start < end ? Self.text(characters[start..<end]) : "") + "\\")
        if start < end { start = end }
        newLine()
        afterSpace = false
        afterIndentation = false
        if characters[start] == " " { write("\\") }
      }
      end += 1
    }
    indicator("\"", spaceBefore: false)
  }

  private static func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return String(text)
  }

  // MARK: Characters

  private mutating func write(_ text: String) {
    out += text
    column += text.unicodeScalars.count
  }

  private mutating func indicator(
    _ text: String, spaceBefore: Bool, keepsIndentation: Bool = false
  ) {
    write(afterSpace || !spaceBefore ? text : " " + text)
    afterSpace = false
    afterIndentation = afterIndentation && keepsIndentation
  }

  /// Goes to the column of the current indentation, on a new line if need be.
  private mutating func newLine() {
    let target = indent ?? 0
    if !afterIndentation || column > target || (column == target && !afterSpace) { lineBreak() }
    if column < target {
      afterSpace = true
      write(String(repeating: " ", count: target - column))
    }
  }

  private mutating func lineBreak(_ text: String = "\n") {
    out += text
    column = 0
    afterSpace = true
    afterIndentation = true
  }
}
