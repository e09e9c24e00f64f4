import Yams

extension YAMLValue {
  /// Reads a YAML text of one document; `file` names it in errors.
  ///
  /// - Throws: `MegatronError.malformedYAML`, also for text that is nested deeper than 256 levels or
  ///   grows beyond a million values when its aliases are followed.
  public init(parsing bytes: [UInt8], file: String) throws(MegatronError) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .malformedYAML(file: file, line: nil, problem: "the text is not UTF-8")
    }
    if let line = YAMLNesting.lineTooDeep(bytes) {
      throw .malformedYAML(
        file: file, line: line, problem: "the text is nested deeper than any configuration")
    }
    let node: Node?
    do { node = try Parser(yaml: text, resolver: .basic).singleRoot() } catch {
      throw Self.error(error, file: file)
    }
    guard let node else {
      self = .null
      return
    }
    var budget = 1_000_000
    self = try Self.value(node, file: file, depth: 0, &budget)
  }

  private static func value(
    _ node: Node, file: String, depth: Int, isKey: Bool = false, _ budget: inout Int
  ) throws(MegatronError) -> YAMLValue {
    budget -= 1
    let line = node.mark?.line
    guard budget > 0, depth < 256 else {
      throw .malformedYAML(
        file: file, line: line, problem: "the text is larger or deeper than any configuration")
    }
    switch node {
    case .scalar(let scalar):
      return Self.scalar(scalar, isKey: isKey)
    case .sequence(let sequence):
      var items: [YAMLValue] = []
      for item in sequence {
        items.append(try value(item, file: file, depth: depth + 1, &budget))
      }
      return wrap(.list(items), sequence.tag, ordinary: "seq")
    case .mapping(let mapping):
      var entries: [YAMLMap.Entry] = []
      for (key, item) in mapping {
        entries.append(
          .init(
            key: try value(key, file: file, depth: depth + 1, isKey: true, &budget),
            value: try value(item, file: file, depth: depth + 1, &budget)))
      }
      if mapping.tag.description == standard + "set" { return .set(entries.map(\.key)) }
      return wrap(.map(YAMLMap(entries)), mapping.tag, ordinary: "map")
    case .alias:
      throw .malformedYAML(file: file, line: line, problem: "an alias was not resolved")
    }
  }

  private static let standard = "tag:yaml.org,2002:"

  private static func wrap(_ value: YAMLValue, _ tag: Tag, ordinary: String) -> YAMLValue {
    let name = tag.description
    return name.isEmpty || name == "!" || name == standard + ordinary ? value : .tagged(name, value)
  }

  private static func scalar(_ scalar: Node.Scalar, isKey: Bool) -> YAMLValue {
    var tag = scalar.tag.description
    // The parser gives every key a tag while it looks for duplicates.
    if isKey, scalar.style == .plain, tag == standard + "str" { tag = "" }
    switch tag {
    case "":
      return scalar.style == .plain ? YAMLScalar.resolve(scalar.string) : .string(scalar.string)
    case "!", standard + "str":
      return .string(scalar.string)
    case standard + "int", standard + "float", standard + "bool", standard + "null":
      let value = YAMLScalar.resolve(scalar.string)
      if tag == standard + "float", let number = value.double { return .number(number) }
      guard value.string == nil else { return .tagged(tag, value) }
      return value
    default:
      return .tagged(tag, .string(scalar.string))
    }
  }

  private static func error(_ error: any Error, file: String) -> MegatronError {
    switch error {
    case YamlError.scanner(_, let problem, let mark, _),
      YamlError.parser(_, let problem, let mark, _),
      YamlError.composer(_, let problem, let mark, _):
      .malformedYAML(file: file, line: mark.line, problem: problem)
    case YamlError.duplicatedKeysInMapping(let duplicates, let context):
      .malformedYAML(
        file: file, line: context.mark.line,
        problem: "the same map has two entries \(duplicates.joined(separator: ", "))")
    default:
      .malformedYAML(file: file, line: nil, problem: "\(error)")
    }
  }
}

/// A bound on how deep a YAML text can be nested, before a recursive parser sees it.
package enum YAMLNesting {
  /// The first line at which more than 256 flow brackets are open, or which begins with more than
  /// 1,024 characters of indentation and block marks; `nil` if there is none.
  package static func lineTooDeep(_ bytes: [UInt8]) -> Int? {
    var line = 1
    var brackets = 0
    var leading = 0
    var isLeading = true
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\n"):
        line += 1
        leading = 0
        isLeading = true
        continue
      case UInt8(ascii: "["), UInt8(ascii: "{"): brackets += 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"): brackets = max(0, brackets - 1)
      case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: ":"):
        if isLeading { leading += 1 }
        if leading > 1024 { return line }
        continue
      default: break
      }
      isLeading = false
      if brackets > 256 { return line }
    }
    return nil
  }
}
