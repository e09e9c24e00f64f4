import Console
import Data
import JSON

/// A configuration that is ready but for weights and data: a model's published configuration, and how it is trained.
///
/// It is text, in the shape of Megatron-Bridge's files: what `train recipes show` prints and `copy` writes is what a run
/// begins with, and can be its file.
package struct Recipe: Sendable {
  package let name: String
  package let summary: String
  /// What fine-tuning trains unless told otherwise.
  package let scheme: AdapterScheme
  /// Whether samples are packed unless told otherwise.
  let isPacked: Bool
  /// Which of the two it is for.
  package let purposes: [RunPurpose]
  /// What must be said besides to look at a recipe that leaves a size to what a run names.
  package let unknownSizes: [String]
  /// The layers of its text, each laid over the one before.
  let texts: @Sendable (Variant) -> [String]

  /// Which of a recipe's texts is meant.
  struct Variant {
    var purpose: RunPurpose
    var scheme: AdapterScheme
    var isPacked: Bool
  }

  init(
    _ name: String, _ summary: String, scheme: AdapterScheme = .lora, isPacked: Bool = false,
    purposes: [RunPurpose] = RunPurpose.allCases, unknownSizes: [String] = [],
    texts: @escaping @Sendable (Variant) -> [String]
  ) {
    self.name = name
    self.summary = summary
    self.scheme = scheme
    self.isPacked = isPacked
    self.purposes = purposes
    self.unknownSizes = unknownSizes
    self.texts = texts
  }

  package static let all: [Recipe] = nemo + [nemotronNano, story]

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
  ///
  /// - Parameters:
  ///   - scheme: `nil` for its own.
  ///   - isPacked: `nil` for its own.
  func layer(
    _ purpose: RunPurpose, _ scheme: AdapterScheme? = nil, isPacked: Bool? = nil
  ) throws(ConfigurationError) -> ConfigurationNode {
    guard purposes.contains(purpose) else {
      throw ConfigurationError(
        .default, key: "recipe", problem: "The recipe \(name) is not for \(purpose.rawValue).")
    }
    let variant = Variant(
      purpose: purpose, scheme: purpose == .finetune ? scheme ?? self.scheme : .none,
      isPacked: isPacked ?? self.isPacked)
    var root = ConfigurationNode.empty(.recipe(name))
    for text in texts(variant) {
      root.merge(try ConfigurationNode(parsing: Array(text.utf8)) { _, _ in .recipe(name) })
    }
    root.set(["checkpoint", "save"][...], .text(folder(variant), .recipe(name)))
    return root
  }

  private func folder(_ variant: Variant) -> String {
    let scheme = variant.scheme == .none ? "" : "-" + variant.scheme.rawValue
    return "runs/\(name)-\(variant.purpose.rawValue)\(scheme)"
  }

  /// The text as a file.
  package func text(
    _ purpose: RunPurpose, _ scheme: AdapterScheme? = nil, isPacked: Bool? = nil
  ) throws(ConfigurationError) -> String {
    let root = try layer(purpose, scheme, isPacked: isPacked)
    let scheme = root["peft"] == nil ? "" : " --peft \((scheme ?? self.scheme).rawValue)"
    return """
      # \(name), \(purpose.rawValue)\(scheme): \(summary).
      # train \(purpose.rawValue) THIS.yaml [key=value …]

      """ + root.yaml
  }
}
