import Console

/// A configuration that is ready but for weights and data: a model's published configuration, and how it is trained.
package struct Recipe: Sendable {
  package let name: String
  package let summary: String
  /// What fine-tuning trains unless told otherwise.
  let scheme: AdapterScheme
  /// The layers of its text, each laid over the one before.
  let texts: @Sendable (RunPurpose, AdapterScheme, _ isPacked: Bool) -> [String]

  package static let all: [Recipe] = []

  /// - Throws: `ConfigurationError` with the nearest name.
  package static func named(_ name: String) throws(ConfigurationError) -> Recipe {
    if let recipe = all.first(where: { $0.name == name }) { return recipe }
    let names = all.map(\.name)
    throw ConfigurationError(
      .default, key: "recipe",
      problem: "There is no recipe “\(name)”."
        + (Spelling.nearest(to: name, among: names).map { " Did you mean \($0)?" }
          ?? " There are \(names.joined(separator: ", ")).")
    )
  }

  /// The whole text, merged.
  func layer(
    _ purpose: RunPurpose, _ scheme: AdapterScheme, isPacked: Bool
  ) throws(ConfigurationError) -> ConfigurationNode {
    var root = ConfigurationNode.empty(.recipe(name, line: 1))
    for text in texts(purpose, scheme, isPacked) {
      root.merge(
        try ConfigurationNode(parsing: Array(text.utf8)) { line, _ in .recipe(name, line: line) })
    }
    return root
  }
}
