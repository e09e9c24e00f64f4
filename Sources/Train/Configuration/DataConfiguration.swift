import Data

/// What a run's configuration says of its data: which files, which tokenizer, how rows become samples and packs.
struct DataConfiguration {
  /// The files, folders or patterns; empty if nothing names them.
  var files: [String] = []
  /// The entry of a dataset_info.json.
  var dataset: String?
  var split = DataSplit("train")
  var tokenizer: String?
  /// How a bare tiktoken file's text is cut into words.
  var pattern: String?
  /// A template, or the path of one, in place of the tokenizer's.
  var chatTemplate: String?
  /// Whether conversations go through a chat template even where rows say who is masked.
  var usesTemplate = false
  var format = FormatOptions(.automodel)
  var columns: ColumnMap?
  /// How many samples are taken at most.
  var limit: Int?
  /// How many samples Megatron-Bridge's mapping draws (`max_train_samples`), more than there are if need be.
  var drawn: Int?
  /// The tokens of a pack; `nil` for no packing.
  var packedSize: Int?
  var packing = PackingMethod.sequential
  /// Whether samples longer than a pack are left out instead of refused.
  var dropsLong = false
  /// Made-up data in place of files.
  var mock: Mock?
  /// What was read and has no effect here.
  var notes: [String] = []

  enum Mock {
    case uniform(vocabulary: Int, length: Int, count: Int)
    case sentences(
      count: Int, mean: Double, deviation: Double, vocabulary: Int, longest: Int, seed: Int)
  }

  /// Reads the sections about data of a configuration of Automodel or of Megatron-Bridge.
  init(_ top: ConfigurationSection) throws {
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

  init() {}

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
