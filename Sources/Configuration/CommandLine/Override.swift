/// A change to a configuration that the command line asks for, with Hydra's meanings.
struct Override {
  enum Sign {
    /// `a.b=v`: the key is there, or could be.
    case set
    /// `+a.b=v`: nothing is there yet.
    case add
    /// `++a.b=v`: whatever is there.
    case force
    /// `~a.b`, `~a.b=v`: what is there (and is `v`) goes.
    case remove
  }

  var sign: Sign
  var path: [String]
  /// `nil` only with `remove`.
  var value: ConfigurationNode?
  var origin: Origin

  var key: String { path.joined(separator: ".") }

  func apply(to root: inout ConfigurationNode) throws(ConfigurationError) {
    let present = root[path[...]]
    switch sign {
    case .remove:
      guard let present, !present.isNull else {
        throw ConfigurationError(
          origin, key: key,
          problem: "There is nothing to take away: no recipe and no file says it.")
      }
      if let value, value.json != present.json {
        throw ConfigurationError(
          origin, key: key,
          problem:
            "It is \(present.json.serialized()), not \(value.json.serialized()), so it stays."
        )
      }
      root.remove(path[...])
    case .add:
      let isSection = value?.members != nil || value?.items != nil
      if let present, !present.isNull, !isSection {
        throw ConfigurationError(
          origin, key: key,
          problem:
            "It is there already (\(present.origin)). Write \(key)=… to change it, or ++\(key)=….")
      }
      put(present, &root)
    case .set, .force: put(present, &root)
    }
  }

  /// A mapping is merged into what is there, everything else takes its place.
  private func put(_ present: ConfigurationNode?, _ root: inout ConfigurationNode) {
    guard let value else { return }
    if var merged = present, merged.members != nil, value.members != nil {
      merged.merge(value)
      root.set(path[...], merged)
    } else {
      root.set(path[...], value)
    }
  }
}
