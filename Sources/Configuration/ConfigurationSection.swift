import Console
import Data
import Glibc
import MegatronFormat
import Tensors
import Yams

/// One mapping of a configuration file, read key by key.
///
/// It remembers which keys were read; `finish` refuses the others, with their place and the nearest key that was.
/// A command reads the sections it knows and leaves the rest; a full configuration is the same thing with a reader
/// for each section, after which `finish` is called at the top as well.
package final class ConfigurationSection {
  package let file: String
  /// The keys on the way here: `dataset.packed_sequence_specs`; empty at the top.
  package let path: String
  private let place: Place
  private let entries: [(key: String, node: Node)]
  private var known: [String] = []

  /// Reads a file, whose top is a mapping.
  ///
  /// - Throws: `ConfigurationError`, also for a file beyond a megabyte or nested deeper than any configuration.
  package static func load(_ file: String) throws -> ConfigurationSection {
    let input = try InputFile(file)
    func wrong(_ line: Int, _ column: Int, _ problem: String) -> ConfigurationError {
      ConfigurationError(
        place: Place(file: file, line: line, column: column), key: "", problem: problem)
    }
    guard input.size <= 1 << 20 else {
      throw wrong(1, 1, "The file has \(input.size) bytes; a configuration has at most a megabyte.")
    }
    let bytes = try input.readAll()
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw wrong(1, 1, "The file is not UTF-8.")
    }
    if let line = YAMLNesting.lineTooDeep(bytes) {
      throw wrong(line, 1, "The text is nested deeper than any configuration.")
    }
    let node: Node?
    do { node = try Parser(yaml: text).singleRoot() } catch let error as YamlError {
      throw ConfigurationError(error, file)
    }
    guard let node else { throw wrong(1, 1, "The file is empty.") }
    return try ConfigurationSection(node, file: file, path: "")
  }

  private init(_ node: Node, file: String, path: String) throws(ConfigurationError) {
    self.file = file
    self.path = path
    place = Self.place(node, file)
    guard let mapping = node.mapping else {
      throw ConfigurationError(
        place: place, key: path,
        problem: path.isEmpty ? "The file holds no sections." : "It must be a section of keys.")
    }
    var entries: [(key: String, node: Node)] = []
    for (key, value) in mapping {
      guard let name = key.scalar?.string else {
        throw ConfigurationError(
          place: Self.place(key, file), key: path, problem: "A key must be a word.")
      }
      entries.append((name, value))
    }
    self.entries = entries
  }

  private static func place(_ node: Node, _ file: String) -> Place {
    Place(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
  }

  private func dotted(_ key: String) -> String { path.isEmpty ? key : path + "." + key }

  /// Everything about one key.
  private struct Found {
    let node: Node
    let section: ConfigurationSection
    let key: String

    func wrong(_ problem: String) -> ConfigurationError {
      ConfigurationError(
        place: ConfigurationSection.place(node, section.file), key: section.dotted(key),
        problem: problem)
    }

    /// The plain text of a scalar.
    func scalar() throws(ConfigurationError) -> Node.Scalar {
      guard let scalar = node.scalar else { throw wrong("It must be a single value.") }
      return scalar
    }

    func text() throws(ConfigurationError) -> String {
      let text = try scalar().string
      do throws(VariableFault) { return try ConfigurationSection.expanded(text) } catch {
        throw wrong(error.sentence)
      }
    }
  }

  /// A key's value; `nil` if it is absent or null.
  private func find(_ key: String) -> Found? {
    if !known.contains(key) { known.append(key) }
    guard let node = entries.first(where: { $0.key == key })?.node else { return nil }
    if let scalar = node.scalar, scalar.style == .plain || scalar.style == .any,
      ["", "~", "null", "Null", "NULL", "none", "None"].contains(scalar.string)
    {
      return nil
    }
    return Found(node: node, section: self, key: key)
  }

  // MARK: Values

  package func section(_ key: String) throws(ConfigurationError) -> ConfigurationSection? {
    guard let found = find(key) else { return nil }
    return try ConfigurationSection(found.node, file: file, path: dotted(key))
  }

  package func string(_ key: String) throws(ConfigurationError) -> String? { try find(key)?.text() }

  package func integer(_ key: String) throws(ConfigurationError) -> Int? {
    guard let found = find(key) else { return nil }
    let text = try found.text().replacing("_", with: "")
    guard let number = Int(text) else {
      throw found.wrong("It must be a whole number, not “\(text)”.")
    }
    return number
  }

  /// A whole number that is not negative.
  package func count(_ key: String) throws(ConfigurationError) -> Int? {
    guard let number = try integer(key) else { return nil }
    guard number >= 0, let found = find(key) else {
      throw fault(key, "It must not be negative, and is \(number).")
    }
    _ = found
    return number
  }

  package func number(_ key: String) throws(ConfigurationError) -> Double? {
    guard let found = find(key) else { return nil }
    let text = try found.text()
    guard let number = Double(text), number.isFinite else {
      throw found.wrong("It must be a number, not “\(text)”.")
    }
    return number
  }

  package func flag(_ key: String) throws(ConfigurationError) -> Bool? {
    guard let found = find(key) else { return nil }
    let text = try found.text()
    switch text.lowercased() {
    case "true", "yes", "on": return true
    case "false", "no", "off": return false
    default: throw found.wrong("It must be true or false, not “\(text)”.")
    }
  }

  /// One of several words.
  package func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, of type: Choice.Type
  ) throws(ConfigurationError) -> Choice? where Choice.RawValue == String {
    guard let found = find(key) else { return nil }
    let text = try found.text()
    guard let choice = Choice(rawValue: text) else {
      let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw found.wrong("It must be one of \(all), not “\(text)”.")
    }
    return choice
  }

  /// A word, or a list of words.
  package func strings(_ key: String) throws(ConfigurationError) -> [String]? {
    guard let found = find(key) else { return nil }
    guard let list = found.node.sequence else { return [try found.text()] }
    var texts: [String] = []
    for item in list {
      texts.append(try Found(node: item, section: self, key: key).text())
    }
    return texts
  }

  /// The keys of this section and their values, all of them words.
  package func words() throws(ConfigurationError) -> [(key: String, value: String)] {
    var words: [(key: String, value: String)] = []
    for entry in entries {
      if let value = try string(entry.key) { words.append((entry.key, value)) }
    }
    return words
  }

  package func has(_ key: String) -> Bool { entries.contains { $0.key == key } }

  // MARK: Faults

  /// Says that keys are known, whose values change nothing here.
  package func allow(_ keys: String...) {
    for key in keys { _ = find(key) }
  }

  /// An error about a key, at its value, or at the section if the key is absent.
  package func fault(_ key: String, _ problem: String) -> ConfigurationError {
    find(key)?.wrong(problem)
      ?? ConfigurationError(place: place, key: dotted(key), problem: problem)
  }

  /// Throws for the first key that nobody asked for.
  package func finish() throws(ConfigurationError) {
    guard let stray = entries.first(where: { !known.contains($0.key) }) else { return }
    let near = Spelling.nearest(to: stray.key, among: known)
    throw ConfigurationError(
      place: Self.place(stray.node, file), key: dotted(stray.key),
      problem: "There is no such key."
        + (near.map { " Did you mean \(dotted($0))?" }
          ?? " Known are \(known.sorted().joined(separator: ", ")).")
    )
  }

  // MARK: Variables

  private struct VariableFault: Error {
    var sentence: String
  }

  /// The text with `${NAME}`, `${NAME,default}` and `${oc.env:NAME,default}` replaced from the environment.
  private static func expanded(_ text: String) throws(VariableFault) -> String {
    guard text.contains("${") else { return text }
    var result = ""
    var rest = text[...]
    while let open = rest.firstRange(of: "${") {
      result += rest[..<open.lowerBound]
      guard let close = rest[open.upperBound...].firstIndex(of: "}") else {
        throw VariableFault(sentence: "“\(text)” has a ${ without its }.")
      }
      var name = rest[open.upperBound..<close]
      if name.hasPrefix("oc.env:") { name = name.dropFirst(7) }
      let parts = name.split(separator: ",", maxSplits: 1).map(String.init)
      guard let variable = parts.first else {
        throw VariableFault(sentence: "“\(text)” names no variable.")
      }
      if let value = getenv(variable) {
        result += String(cString: value)
      } else if parts.count == 2 {
        result += parts[1].trimmingPrefix(" ")
      } else {
        throw VariableFault(
          sentence:
            "The environment has no variable \(variable). Set it, or write ${\(variable),default}.")
      }
      rest = rest[rest.index(after: close)...]
    }
    return result + rest
  }
}

/// What is wrong with a configuration, and where.
package struct ConfigurationError: Error, CustomStringConvertible {
  package var place: Place
  /// The dotted key; empty for the file as a whole.
  package var key: String
  package var problem: String

  package init(place: Place, key: String, problem: String) {
    self.place = place
    self.key = key
    self.problem = problem
  }

  /// What the YAML parser says.
  init(_ error: YamlError, _ file: String) {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      self.init(
        place: Place(file: file, line: mark.line, column: mark.column), key: "",
        problem: "This is not YAML: \(problem).")
    case .duplicatedKeysInMapping(let keys, let context):
      self.init(
        place: Place(file: file, line: context.mark.line, column: context.mark.column), key: "",
        problem: "A key stands twice in one section: \(keys.joined(separator: ", ")).")
    default:
      self.init(place: Place(file: file, line: 1), key: "", problem: "This is not YAML: \(error).")
    }
  }

  package var description: String { "\(place): " + (key.isEmpty ? problem : "\(key): \(problem)") }
}
