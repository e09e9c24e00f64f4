import Console

/// A word of the command line, and which it is, counted from 1.
package struct CommandWord: Sendable {
  package var text: String
  package var number: Int

  package init(_ text: String, number: Int) {
    self.text = text
    self.number = number
  }
}

/// The words of a command line that are about its configuration, told apart.
struct CommandWords {
  /// A word with dashes whose keys depend on the shape of the configuration.
  struct Wish {
    var flag: Flag
    var value: ConfigurationNode
  }

  enum Change {
    case override(Override)
    case wish(Wish)
  }

  /// In the order given: later ones count more.
  private(set) var changes: [Change] = []
  private(set) var configurationFile: String?
  private(set) var recipe: String?
  private(set) var adapters: (value: String, origin: Origin)?
  private(set) var mode: (value: String, origin: Origin)?
  private(set) var dataset: (value: String, origin: Origin)?
  /// Flags without effect.
  private(set) var inert: [String] = []

  init(_ words: [CommandWord]) throws(ConfigurationError) {
    var rest = words[...]
    while let word = rest.popFirst() {
      if word.text.hasPrefix("-"), word.text.count > 1 {
        try readFlag(word, &rest)
      } else {
        try readOverride(word)
      }
    }
  }

  private static func origin(_ word: CommandWord) -> Origin {
    .commandLine(word: word.number, text: word.text)
  }

  private static func value(
    _ text: String, _ key: String, _ origin: Origin
  ) throws(ConfigurationError) -> ConfigurationNode {
    do throws(OverrideValue.Fault) { return try OverrideValue.parse(text, origin) } catch {
      throw ConfigurationError(origin, key: key, problem: error.sentence)
    }
  }

  // MARK: key=value

  private mutating func readOverride(_ word: CommandWord) throws(ConfigurationError) {
    let origin = Self.origin(word)
    var text = word.text[...]
    var sign = Override.Sign.set
    if text.hasPrefix("++") {
      sign = .force
      text = text.dropFirst(2)
    } else if text.hasPrefix("+") {
      sign = .add
      text = text.dropFirst()
    } else if text.hasPrefix("~") {
      sign = .remove
      text = text.dropFirst()
    }
    let mark = text.firstIndex(of: "=")
    let key = String(text[..<(mark ?? text.endIndex)])
    guard mark != nil || sign == .remove else {
      throw ConfigurationError(
        origin,
        problem: "It is neither a configuration that can be found nor key=value.")
    }
    let path = try Self.path(key, origin)
    let value = try mark.map { mark throws(ConfigurationError) in
      try Self.value(String(text[text.index(after: mark)...]), key, origin)
    }
    if path.count == 1, try readAlias(path[0], value, origin) { return }
    changes.append(.override(Override(sign: sign, path: path, value: value, origin: origin)))
  }

  private static func path(
    _ key: String, _ origin: Origin
  ) throws(ConfigurationError) -> [String] {
    let path = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let isPlain = path.allSatisfy { name in
      !name.isEmpty
        && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-/".contains($0)) }
    }
    guard isPlain, path.count <= 16 else {
      throw ConfigurationError(
        origin, problem: "“\(key)” is no key: keys are words with points between them.")
    }
    return path
  }

  /// Keys without a section that recipes of NeMo and the pages about them know.
  private mutating func readAlias(
    _ key: String, _ value: ConfigurationNode?, _ origin: Origin
  ) throws(ConfigurationError) -> Bool {
    switch key {
    case "peft_scheme": adapters = (value?.scalar ?? "none", origin)
    // Automodel's recipes are classes of Python's, and a key of its files.
    case "recipe":
      guard let name = value?.scalar, !name.contains("."), !name.contains("Recipe") else {
        return false
      }
      recipe = name
    case "wandb_project", "wandb_entity", "wandb_exp_name", "wandb_save_dir":
      changes.append(
        .override(Override(sign: .set, path: ["logger", key], value: value, origin: origin)))
    default: return false
    }
    return true
  }

  // MARK: --key value

  private mutating func readFlag(
    _ word: CommandWord, _ rest: inout ArraySlice<CommandWord>
  ) throws(ConfigurationError) {
    let origin = Self.origin(word)
    let mark = word.text.firstIndex(of: "=")
    let name = String(word.text[..<(mark ?? word.text.endIndex)])
    var given = mark.map { String(word.text[word.text.index(after: $0)...]) }
    let flag = Flag.named(name)
    if given == nil, flag?.isSwitch != true, let following = rest.first,
      !following.text.hasPrefix("--")
    {
      given = following.text
      rest.removeFirst()
    }
    guard let flag else {
      guard name.hasPrefix("--"), name.contains(".") || Self.isSection(name) else {
        let near = Spelling.nearest(to: name, among: Flag.all.flatMap(\.names))
        throw ConfigurationError(
          origin,
          problem: "There is no option \(name)." + (near.map { " Did you mean \($0)?" } ?? ""))
      }
      let key = String(name.dropFirst(2))
      // As Automodel has it: an option alone is true.
      let value = try Self.value(given ?? "true", key, origin)
      changes.append(
        .override(
          Override(sign: .set, path: try Self.path(key, origin), value: value, origin: origin)))
      return
    }
    guard let text = given ?? (flag.isSwitch || flag.isInert ? "true" : nil) else {
      throw ConfigurationError(origin, problem: "\(name) needs a value.")
    }
    try take(flag, name, text, origin)
  }

  /// Whether `--name` is a key at the top of a configuration.
  private static func isSection(_ name: String) -> Bool {
    ["seed", "mixed_precision", "clip_grad_norm", "recipe"].contains(name.dropFirst(2))
  }

  private mutating func take(
    _ flag: Flag, _ name: String, _ text: String, _ origin: Origin
  ) throws(ConfigurationError) {
    switch flag.special {
    case .configurationFile:
      guard configurationFile == nil else {
        throw ConfigurationError(origin, problem: "There are two configurations; one is read.")
      }
      configurationFile = text
    case .recipe: recipe = text
    case .adapters: adapters = (text, origin)
    case .mode: mode = (text, origin)
    case .dataset: dataset = (flag.isSwitch ? "mock" : text, origin)
    case nil:
      if flag.isInert {
        inert.append(name)
      } else {
        changes.append(.wish(Wish(flag: flag, value: try Self.value(text, name, origin))))
      }
    }
  }
}
