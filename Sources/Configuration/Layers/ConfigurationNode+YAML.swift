import Data
import MegatronFormat
import Tensors
import Yams

extension ConfigurationNode {
  /// Reads a file, whose top is a mapping.
  ///
  /// - Throws: `ConfigurationError`, also for a file beyond a megabyte or nested deeper than any configuration.
  package static func load(_ file: String) throws -> ConfigurationNode {
    let input = try InputFile(file)
    guard input.size <= 1 << 20 else {
      throw ConfigurationError(
        .file(Place(file: file, line: 1)),
        problem: "The file has \(input.size) bytes; a configuration has at most a megabyte.")
    }
    return try ConfigurationNode(parsing: try input.readAll()) { line, column in
      .file(Place(file: file, line: line, column: column))
    }
  }

  /// Reads a text, whose top is a mapping.
  ///
  /// - Parameter origin: what a line and a column of it are called.
  init(parsing bytes: [UInt8], _ origin: (Int, Int) -> Origin) throws(ConfigurationError) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ConfigurationError(origin(1, 1), problem: "The file is not UTF-8.")
    }
    if let line = YAMLNesting.lineTooDeep(bytes) {
      throw ConfigurationError(
        origin(line, 1), problem: "The text is nested deeper than any configuration.")
    }
    let node: Node?
    do { node = try Parser(yaml: text).singleRoot() } catch let error as YamlError {
      throw ConfigurationError(error, origin)
    } catch {
      throw ConfigurationError(origin(1, 1), problem: "This is not YAML: \(error).")
    }
    guard let node else { throw ConfigurationError(origin(1, 1), problem: "The file is empty.") }
    var left = 1 << 17
    try self.init(node, origin, &left)
    guard members != nil else {
      throw ConfigurationError(self.origin, problem: "The file holds no sections.")
    }
  }

  /// - Parameter left: how many nodes there may be yet, which bounds what aliases of aliases make.
  private init(
    _ node: Node, _ origin: (Int, Int) -> Origin, _ left: inout Int
  ) throws(ConfigurationError) {
    let place = origin(node.mark?.line ?? 1, node.mark?.column ?? 1)
    left -= 1
    guard left > 0 else {
      throw ConfigurationError(place, problem: "There is more here than any configuration says.")
    }
    switch node {
    case .scalar(let scalar):
      let isPlain = scalar.style == .plain || scalar.style == .any
      self.init(.scalar(scalar.string, isPlain: isPlain), place)
    case .sequence(let sequence):
      var items: [ConfigurationNode] = []
      for item in sequence { items.append(try ConfigurationNode(item, origin, &left)) }
      self.init(.list(items), place)
    case .mapping(let mapping):
      guard mapping.count <= 4096 else {
        throw ConfigurationError(place, problem: "A section has at most 4,096 keys.")
      }
      var members: [Member] = []
      var below: ConfigurationNode?
      for (key, value) in mapping {
        guard let name = key.scalar?.string else {
          throw ConfigurationError(
            origin(key.mark?.line ?? 1, key.mark?.column ?? 1), problem: "A key must be a word.")
        }
        let inner = try ConfigurationNode(value, origin, &left)
        if name == "<<", inner.members != nil {
          below = inner
        } else {
          members.append(Member(key: name, node: inner))
        }
      }
      self.init(.map(members), place)
      // A merge key: what it names lies below what is said here.
      if var below {
        below.merge(self)
        content = below.content
      }
    default:
      throw ConfigurationError(place, problem: "An alias names what is not there.")
    }
  }
}

extension ConfigurationError {
  /// What the YAML parser says.
  fileprivate init(_ error: YamlError, _ origin: (Int, Int) -> Origin) {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      self.init(origin(mark.line, mark.column), problem: "This is not YAML: \(problem).")
    case .duplicatedKeysInMapping(let keys, let context):
      self.init(
        origin(context.mark.line, context.mark.column),
        problem: "A key stands twice in one section: \(keys.joined(separator: ", ")).")
    default: self.init(origin(1, 1), problem: "This is not YAML: \(error).")
    }
  }
}
