import Data
import Training

extension DataSettings {
  /// Reads the sections about data of a configuration of Automodel or of Megatron-Bridge.
  package init(_ top: ConfigurationSection) throws {
    self.init()
    guard let section = try top.section("dataset") else {
      throw top.fault("dataset", "The configuration says nothing of data.")
    }
    let target = try section.string("_target_") ?? ""
    // Bridge's run_config.yaml has targets too, of its own.
    let isAutomodel = !target.isEmpty && !target.hasPrefix("megatron.")
    if isAutomodel {
      try readAutomodel(top, section, target)
    } else {
      try readBridge(top, section)
    }
  }

  /// A split as `datasets` writes it.
  static func split(
    _ section: ConfigurationSection, _ key: String
  ) throws(ConfigurationError) -> DataSplit? {
    guard let text = try section.string(key) else { return nil }
    guard let split = DataSplit(parsing: text) else {
      throw section.fault(
        key, "A split is written as train, train[:512] or train[10%:20%], not “\(text)”.")
    }
    return split
  }
}
