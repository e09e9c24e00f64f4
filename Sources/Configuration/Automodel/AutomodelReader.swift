import Data
import Training

/// Reads an Automodel YAML as it is.
struct AutomodelReader {
  let top: ConfigurationSection
  let purpose: RunPurpose
  var notes: [String] = []

  init(_ top: ConfigurationSection, _ purpose: RunPurpose) {
    self.top = top
    self.purpose = purpose
  }

  mutating func settings() throws -> RunSettings {
    throw ConfigurationError(top.node.origin, problem: "Automodel's files are not read yet.")
  }
}
