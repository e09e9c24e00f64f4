import Data

/// Where a value of a configuration was said.
package enum Origin: Hashable, Sendable {
  /// Nowhere: it is what the key has unless told otherwise.
  case `default`
  case recipe(String)
  case file(Place)
  /// In a word of the command line, counted from 1.
  case commandLine(word: Int, text: String)
  /// In a variable of the environment, which the text at another place names.
  case environment(String)
}

extension Origin: CustomStringConvertible {
  package var description: String {
    switch self {
    case .default: "default"
    case .recipe(let name): "recipe \(name)"
    case .file(let place): "\(place.file):\(place.line)"
    case .commandLine: "command line"
    case .environment(let name): "environment (\(name))"
    }
  }

  /// Where exactly, as an error says it.
  var precise: String {
    switch self {
    case .default: "the configuration"
    case .recipe(let name): "recipe \(name)"
    case .file(let place): "\(place)"
    case .commandLine(let word, let text): "on the command line, word \(word) (\(text))"
    case .environment(let name): "the environment's \(name)"
    }
  }

  /// Whether a person said it for this run, rather than a recipe or nobody.
  package var isOwn: Bool {
    switch self {
    case .default, .recipe: false
    case .file, .commandLine, .environment: true
    }
  }

  /// How much it counts against others: the command line most.
  var rank: Int {
    switch self {
    case .default: 0
    case .recipe: 1
    case .file: 2
    case .environment: 3
    case .commandLine: 4
    }
  }
}

/// What is wrong with a configuration, and where.
package struct ConfigurationError: Error, CustomStringConvertible {
  package var origin: Origin
  /// The dotted key; empty for the file as a whole.
  package var key: String
  package var problem: String

  package init(_ origin: Origin, key: String = "", problem: String) {
    self.origin = origin
    self.key = key
    self.problem = problem
  }

  package var description: String {
    "\(origin.precise): " + (key.isEmpty ? problem : "\(key): \(problem)")
  }
}
