/// What a configuration can get wrong, with the key.
public enum ConfigError: Error, Equatable, Sendable {
  case missing(key: String)
  case wrongType(key: String, expected: String, found: String)
  /// A value no blueprint here can express.
  case unsupported(key: String, value: String, reason: String)
  /// Keys nobody read, which may change the mathematics.
  case unread(keys: [String])
  /// A number that is too small or too large.
  case outOfRange(key: String, expected: String, found: String)
  /// No class name to go by.
  case noArchitecture
  /// A class that no blueprint describes, with the supported names most like it.
  case unknownArchitecture(name: String, nearest: [String])
  /// Sizes that contradict each other.
  case contradiction(String)
}

extension ConfigError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing(let key):
      "config.json lacks \"\(key)\", which this architecture needs; complete the file from the model's own repository."
    case .wrongType(let key, let expected, let found):
      "config.json: \"\(key)\" must be \(expected), found \(found)."
    case .unsupported(let key, let value, let reason):
      "config.json: \"\(key)\" = \(value) is not supported: \(reason)."
    case .unread(let keys):
      "config.json has \(keys.count == 1 ? "a key" : "keys") this architecture does not know and that may change what the model computes: "
        + keys.map { "\"\($0)\"" }.joined(separator: ", ")
        + "; pass --not-strict to convert all the same."
    case .outOfRange(let key, let expected, let found):
      "config.json: \"\(key)\" must be \(expected), found \(found)."
    case .noArchitecture:
      "config.json names no class under \"architectures\", so nothing says which model this is; take the config.json of the model's own repository, or add the class name."
    case .unknownArchitecture(let name, let nearest):
      "the architecture \"\(name)\" is not supported"
        + (nearest.isEmpty ? "" : "; the nearest names are \(nearest.joined(separator: ", "))")
        + ". `convert architectures` lists all that are."
    case .contradiction(let text):
      "config.json contradicts itself: \(text)."
    }
  }
}
