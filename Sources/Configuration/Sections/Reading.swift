import JSON

/// What the readers of one configuration's sections have asked for and found, and whom they may ask for more.
package final class Reading {
  package struct Entry: Sendable {
    package var key: String
    package var value: JSON
    package var origin: Origin
  }

  /// The top, for values that name others.
  let root: ConfigurationNode
  /// Whether keys that nobody knows are noted rather than refused.
  let allowsUnknown: Bool
  /// Every key that was read, with its value, in the order of reading.
  private(set) var entries: [Entry] = []
  private var places: [String: Int] = [:]
  /// Keys that have no effect here, and keys that nobody knows, as a person said them.
  private(set) var ineffective: [String] = []
  private(set) var unknown: [String] = []

  init(_ root: ConfigurationNode, allowsUnknown: Bool = false) {
    self.root = root
    self.allowsUnknown = allowsUnknown
  }

  func note(_ key: String, _ value: JSON, _ origin: Origin) {
    let entry = Entry(key: key, value: value, origin: origin)
    if let place = places[key] {
      entries[place] = entry
    } else {
      places[key] = entries.count
      entries.append(entry)
    }
  }

  func noteIneffective(_ key: String) {
    if !ineffective.contains(key) { ineffective.append(key) }
  }

  func noteUnknown(_ key: String) { unknown.append(key) }
}
