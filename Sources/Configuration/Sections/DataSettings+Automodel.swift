import Data
import Training

/// The sections of Automodel's YAML files: `dataset`, `packed_sequence`, `model`, `tokenizer`.
extension DataSettings {
  mutating func readAutomodel(
    _ top: ConfigurationSection, _ section: ConfigurationSection, _ target: String
  ) throws {
    format = FormatOptions(.automodel)
    switch target.split(separator: ".").last ?? "" {
    case "make_squad_dataset", "SquadConfig": try readSquad(section)
    case "ChatDataset", "ChatDatasetConfig": try readChat(section)
    case "ColumnMappedTextInstructionDataset", "ColumnMappedTextInstructionDatasetConfig",
      "ColumnMappedTextInstructionIterableDataset",
      "ColumnMappedTextInstructionIterableDatasetConfig":
      try readColumns(section)
    case "MockIterableDataset", "MockIterableDatasetConfig": try readUniform(section)
    case "build_unpacked_dataset", "MockUnpackedDatasetConfig": try readSentences(section)
    default:
      throw section.fault(
        "_target_",
        "The data set \(target) is not known here. Known are make_squad_dataset, ChatDataset, "
          + "ColumnMappedTextInstructionDataset, MockIterableDataset and build_unpacked_dataset.")
    }
    if let inner = try section.section("tokenizer") { try readTokenizer(inner) }
    try section.finish()
    try readPacking(top)
    if let own = try top.section("tokenizer") { try readTokenizer(own) }
    if tokenizer == nil, let model = try top.section("model") {
      tokenizer = try model.string("pretrained_model_name_or_path")
    }
  }

  private mutating func readTokenizer(
    _ section: ConfigurationSection
  ) throws(ConfigurationError) {
    tokenizer = try section.string("pretrained_model_name_or_path")
    section.allow("_target_", "add_bos_token", "add_eos_token", "trust_remote_code", "use_fast")
    try section.finish()
  }

  private mutating func readPacking(_ top: ConfigurationSection) throws(ConfigurationError) {
    guard let packing = try top.section("packed_sequence") else { return }
    if let size = try packing.count("packed_sequence_size"), size > 0 { packedSize = size }
    dropsLong = try packing.flag("drop_long_samples") ?? false
    packing.allow(
      "packing_strategy", "max_packs", "num_proc", "pad_to_multiple_of", "prepacked",
      "split_across_pack", "_target_")
    try packing.finish()
  }

  /// What the data sets of rows have in common.
  private mutating func readCommon(_ section: ConfigurationSection) throws(ConfigurationError) {
    if let split = try Self.split(section, "split") { self.split = split }
    if let length = try section.count("seq_length") {
      guard length > 0 else { throw section.fault("seq_length", "It must be at least 1.") }
      format.length = length
    }
    // Filling up is the loader's work, and changes nothing that is learnt.
    section.allow("padding", "name")
    if let wish = try section.string("truncation") {
      switch wish.lowercased() {
      case "true", "longest_first", "only_first": format.automodel.truncates = true
      case "false", "do_not_truncate": format.automodel.truncates = false
      default:
        throw section.fault(
          "truncation", "It must be true, false, longest_first or do_not_truncate, not “\(wish)”.")
      }
    }
  }

  private mutating func readSquad(_ section: ConfigurationSection) throws(ConfigurationError) {
    try readCommon(section)
    files = [try section.string("dataset_name") ?? "squad"]
    limit = try section.count("limit_dataset_samples")
    chatTemplate = try section.string("chat_template")
    section.allow("fp8")
    if split.from != nil || split.to != nil { limit = nil }
  }

  private mutating func readChat(_ section: ConfigurationSection) throws(ConfigurationError) {
    try readCommon(section)
    guard let paths = try section.strings("path_or_dataset_id") else {
      throw section.fault("path_or_dataset_id", "It is missing.")
    }
    files = paths
    usesTemplate = true
    chatTemplate = try section.string("chat_template")
    format.automodel.masksReasoning = try section.flag("mask_reasoning_content") ?? false
    format.automodel.masksGenerationPrompt = try section.flag("mask_generation_prompt") ?? false
    if try section.flag("mask_history") == true { format.trained = .last }
    section.allow("start_of_turn_token", "shuffle_seed")
    for key in ["unshifted", "skip_invalid_samples"] where try section.flag(key) == true {
      throw section.fault(key, "This is not done here; leave it out.")
    }
    if try section.string("shuffle_seed") != nil {
      notes.append(
        "dataset.shuffle_seed only shuffles data sets of the hub, and has no effect on files")
    }
  }

  private mutating func readColumns(_ section: ConfigurationSection) throws(ConfigurationError) {
    try readCommon(section)
    guard let paths = try section.strings("path_or_dataset_id") else {
      throw section.fault("path_or_dataset_id", "It is missing.")
    }
    files = paths
    limit = try section.count("limit_dataset_samples")
    if try section.flag("answer_only_loss_mask") == false { format.trained = .all }
    format.automodel.usesTemplate = try section.flag("use_hf_chat_template") ?? false
    section.allow("repeat_on_exhaustion", "max_consecutive_invalid", "streaming")
    guard let mapping = try section.section("column_mapping") else {
      throw section.fault("column_mapping", "It is missing.")
    }
    var names: [ColumnMap.Pair] = []
    for known in ["context", "question", "answer"] {
      if let own = try mapping.string(known) { names.append(.init(known: known, own: own)) }
    }
    try mapping.finish()
    guard names.contains(where: { $0.known == "answer" }), names.count > 1 else {
      throw section.fault("column_mapping", "It must map answer, and context or question.")
    }
    columns = ColumnMap(names: names)
  }

  private mutating func readUniform(_ section: ConfigurationSection) throws(ConfigurationError) {
    mock = .uniform(
      vocabulary: try positive(section, "vocab_size", 1024),
      length: try positive(section, "seq_len", 1024),
      count: min(try positive(section, "num_samples", 1_000_000), 10_000))
    section.allow("batch_size", "exclude_token_ids")
    notes.append("dataset: tokens are made up; at most 10,000 samples of them are")
  }

  private mutating func readSentences(_ section: ConfigurationSection) throws(ConfigurationError) {
    mock = .sentences(
      count: try positive(section, "num_sentences", 10),
      mean: try section.number("mean_len") ?? 20, deviation: try section.number("std_len") ?? 6,
      vocabulary: max(3, try positive(section, "vocab_size", 100)),
      longest: try positive(section, "max_sentence_len", 64), seed: try section.count("seed") ?? 0)
    notes.append("dataset: sentences are made up")
  }

  private func positive(
    _ section: ConfigurationSection, _ key: String, _ otherwise: Int
  ) throws(ConfigurationError) -> Int {
    guard let number = try section.integer(key) else { return otherwise }
    guard (1...10_000_000).contains(number) else {
      throw section.fault(key, "It must be from 1 to 10,000,000, and is \(number).")
    }
    return number
  }
}
