import JSON

/// Values of one type; each is noted with where it was said.
extension ConfigurationSection {
  package func string(_ key: String) throws(ConfigurationError) -> String? {
    guard let found = find(key) else {
      noteDefault(key, .null)
      return nil
    }
    let (text, origin) = try found.text()
    note(key, .string(text), origin)
    return text
  }

  package func integer(_ key: String) throws(ConfigurationError) -> Int? {
    guard let found = find(key) else {
      noteDefault(key, .null)
      return nil
    }
    let (text, origin) = try found.text()
    guard let number = Self.whole(text) else {
      throw found.wrong("It must be a whole number, not “\(text)”.")
    }
    note(key, .integer(number), origin)
    return number
  }

  /// Digits with underscores between them, or a float without a fraction (`1e6`).
  private static func whole(_ text: String) -> Int? {
    let digits = text.replacing("_", with: "")
    if let number = Int(digits) { return number }
    guard digits.utf8.allSatisfy({ "+-.0123456789eE".utf8.contains($0) }),
      let number = Double(digits)
    else { return nil }
    return Int(exactly: number)
  }

  /// A whole number that is not negative.
  package func count(_ key: String) throws(ConfigurationError) -> Int? {
    guard let number = try integer(key) else { return nil }
    guard number >= 0 else { throw fault(key, "It must not be negative, and is \(number).") }
    return number
  }

  /// A whole number of at least 1.
  package func positive(_ key: String) throws(ConfigurationError) -> Int? {
    guard let number = try integer(key) else { return nil }
    guard (1...(1 << 40)).contains(number) else {
      throw fault(key, "It must be at least 1, and is \(number).")
    }
    return number
  }

  package func number(_ key: String) throws(ConfigurationError) -> Double? {
    guard let found = find(key) else {
      noteDefault(key, .null)
      return nil
    }
    let (text, origin) = try found.text()
    guard text.utf8.allSatisfy({ "+-.0123456789eE_".utf8.contains($0) }),
      let number = Double(text.replacing("_", with: "")), number.isFinite
    else { throw found.wrong("It must be a number, not “\(text)”.") }
    note(key, .number(number), origin)
    return number
  }

  package func flag(_ key: String) throws(ConfigurationError) -> Bool? {
    guard let found = find(key) else {
      noteDefault(key, .null)
      return nil
    }
    let (text, origin) = try found.text()
    let value: Bool
    switch text.lowercased() {
    case "true", "yes", "on", "1": value = true
    case "false", "no", "off", "0": value = false
    default: throw found.wrong("It must be true or false, not “\(text)”.")
    }
    note(key, .bool(value), origin)
    return value
  }

  /// One of several words.
  package func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, of type: Choice.Type
  ) throws(ConfigurationError) -> Choice? where Choice.RawValue == String {
    guard let text = try string(key) else { return nil }
    guard let choice = Choice(rawValue: text) else {
      let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw fault(key, "It must be one of \(all), not “\(text)”.")
    }
    return choice
  }

  /// A word, or a list of words.
  package func strings(_ key: String) throws(ConfigurationError) -> [String]? {
    guard let found = find(key) else {
      noteDefault(key, .null)
      return nil
    }
    guard let list = found.node.items else { return try string(key).map { [$0] } }
    var texts: [String] = []
    var origin = found.origin
    for item in list {
      let (text, said) = try Found(node: item, section: self, key: key).text()
      texts.append(text)
      origin = said
    }
    note(key, .array(texts.map(JSON.string)), list.isEmpty ? found.origin : origin)
    return texts
  }

  /// A list of numbers.
  package func numbers(_ key: String) throws(ConfigurationError) -> [Double]? {
    guard let found = find(key) else {
      noteDefault(key, .null)
      return nil
    }
    guard let list = found.node.items else { throw found.wrong("It must be a list of numbers.") }
    var numbers: [Double] = []
    for item in list {
      let (text, _) = try Found(node: item, section: self, key: key).text()
      guard let number = Double(text), number.isFinite else {
        throw found.wrong("It must be a list of numbers; “\(text)” is none.")
      }
      numbers.append(number)
    }
    note(key, .array(numbers.map(JSON.number)), found.origin)
    return numbers
  }

  // MARK: With defaults

  package func integer(_ key: String, default fallback: Int) throws(ConfigurationError) -> Int {
    try integer(key) ?? settled(key, fallback, .integer(fallback))
  }

  package func positive(_ key: String, default fallback: Int) throws(ConfigurationError) -> Int {
    try positive(key) ?? settled(key, fallback, .integer(fallback))
  }

  package func count(_ key: String, default fallback: Int) throws(ConfigurationError) -> Int {
    try count(key) ?? settled(key, fallback, .integer(fallback))
  }

  package func number(_ key: String, default fallback: Double) throws(ConfigurationError) -> Double
  {
    try number(key) ?? settled(key, fallback, .number(fallback))
  }

  package func flag(_ key: String, default fallback: Bool) throws(ConfigurationError) -> Bool {
    try flag(key) ?? settled(key, fallback, .bool(fallback))
  }

  package func string(_ key: String, default fallback: String) throws(ConfigurationError) -> String
  {
    try string(key) ?? settled(key, fallback, .string(fallback))
  }

  /// The default of a key that is not set; with `+` nothing may be there before.
  private func settled<Value>(_ key: String, _ value: Value, _ json: JSON) -> Value {
    noteDefault(key, json)
    return value
  }
}
