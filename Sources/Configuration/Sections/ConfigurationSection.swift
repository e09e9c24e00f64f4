import Console
import JSON

/// One section of a configuration, read key by key.
///
/// It remembers which keys were read; `finish` refuses the others, with their place and the nearest key that was.
/// A command reads the sections it knows and leaves the rest; a full configuration is the same thing with a reader
/// for each section, after which `finish` is called at the top as well.
package final class ConfigurationSection {
  /// The keys on the way here: `dataset.packed_sequence_specs`; empty at the top.
  package let path: String
  let node: ConfigurationNode
  let reading: Reading
  private var known: [String] = []

  /// Reads a file, whose top is a mapping.
  package static func load(_ file: String) throws -> ConfigurationSection {
    try ConfigurationSection(top: ConfigurationNode.load(file))
  }

  init(top: ConfigurationNode, allowsUnknown: Bool = false) {
    path = ""
    node = top
    reading = Reading(top, allowsUnknown: allowsUnknown)
  }

  private init(
    _ node: ConfigurationNode, _ path: String, _ reading: Reading
  ) throws(ConfigurationError) {
    guard node.members != nil else {
      throw ConfigurationError(
        node.origin, key: path, problem: "It must be a section of keys.")
    }
    self.path = path
    self.node = node
    self.reading = reading
  }

  func dotted(_ key: String) -> String { path.isEmpty ? key : path + "." + key }

  /// A value and what it is called.
  struct Found {
    let node: ConfigurationNode
    let section: ConfigurationSection
    let key: String

    var origin: Origin { node.origin }

    func wrong(_ problem: String) -> ConfigurationError {
      ConfigurationError(node.origin, key: section.dotted(key), problem: problem)
    }

    /// The text of a single value, its variables filled in, and where that was said.
    func text() throws(ConfigurationError) -> (text: String, origin: Origin) {
      guard let text = node.scalar else { throw wrong("It must be a single value.") }
      var variables = Variables(root: section.reading.root)
      do throws(Variables.Fault) {
        let result = try variables.expanded(text)
        return (result, variables.used.map(Origin.environment) ?? node.origin)
      } catch {
        throw wrong(error.sentence)
      }
    }
  }

  /// A key's value; `nil` if it is absent or null.
  func find(_ key: String) -> Found? {
    if !known.contains(key) { known.append(key) }
    guard let node = node[key], !node.isNull else { return nil }
    let found = Found(node: node, section: self, key: key)
    // A variable may say that there is nothing, too.
    if let text = node.scalar, text.hasPrefix("${"), let (filled, origin) = try? found.text(),
      ConfigurationNode(.scalar(filled, isPlain: true), origin).isNull
    {
      return nil
    }
    return found
  }

  func note(_ key: String, _ value: JSON, _ origin: Origin) {
    reading.note(dotted(key), value, origin)
  }

  /// Takes note of a default, which an addition must not meet.
  func noteDefault(_ key: String, _ value: JSON) { note(key, value, .default) }

  /// Where a key was said, null or not; `.default` if nowhere.
  package func origin(_ key: String) -> Origin { node[key]?.origin ?? .default }

  package func has(_ key: String) -> Bool { node[key] != nil }

  /// Whether a person said something under a key for this run.
  package func isOwn(_ key: String) -> Bool { origin(key).isOwn }

  // MARK: Sections

  package func section(_ key: String) throws(ConfigurationError) -> ConfigurationSection? {
    guard let found = find(key) else { return nil }
    return try ConfigurationSection(found.node, dotted(key), reading)
  }

  /// A section, or an empty one where there is none.
  package func sectionOrEmpty(_ key: String) throws(ConfigurationError) -> ConfigurationSection {
    if let section = try section(key) { return section }
    return try ConfigurationSection(.empty(origin(key)), dotted(key), reading)
  }

  /// The keys of this section and their values, all of them words.
  package func words() throws(ConfigurationError) -> [(key: String, value: String)] {
    var words: [(key: String, value: String)] = []
    for member in node.members ?? [] {
      if let value = try string(member.key) { words.append((member.key, value)) }
    }
    return words
  }

  // MARK: Faults

  /// Says that keys are known, whose values change nothing here.
  package func allow(_ keys: String...) { allow(keys) }

  func allow(_ keys: [String]) {
    for key in keys where !known.contains(key) { known.append(key) }
  }

  /// Says that keys are known that cannot have an effect here, and notes those that a person set.
  ///
  /// Keys that were read before have one.
  func ignore(_ keys: [String]) {
    for key in keys where !known.contains(key) {
      guard let found = find(key), found.origin.isOwn, found.node.json != .bool(false) else {
        continue
      }
      reading.noteIneffective(dotted(key))
    }
  }

  /// An error about a key, at its value, or at the section if the key is absent.
  package func fault(_ key: String, _ problem: String) -> ConfigurationError {
    ConfigurationError(node[key]?.origin ?? node.origin, key: dotted(key), problem: problem)
  }

  /// Throws for the first key that nobody asked for.
  package func finish() throws(ConfigurationError) {
    for stray in node.members ?? [] where !known.contains(stray.key) {
      if reading.allowsUnknown {
        reading.noteUnknown(dotted(stray.key))
        continue
      }
      let near = Spelling.nearest(to: stray.key, among: known)
      throw ConfigurationError(
        stray.node.origin, key: dotted(stray.key),
        problem: "There is no such key."
          + (near.map { " Did you mean \(dotted($0))?" } ?? "")
          + (near == nil && known.count <= 20
            ? " Known are \(known.sorted().joined(separator: ", "))." : ""))
    }
  }
}
