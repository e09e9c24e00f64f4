import Data
import JSON
import Training

/// The sections of Megatron-Bridge's files: `dataset` and `tokenizer`.
extension DataSettings {
  mutating func readBridge(_ top: ConfigurationSection, _ section: ConfigurationSection) throws {
    if section.has("blend") || section.has("blend_per_split") || section.has("random_seed") {
      throw section.fault(
        "blend",
        "This is a data set of Megatron's .bin and .idx files, whose tokens have no rows to preview."
      )
    }
    guard let length = try section.positive("seq_length") ?? section.positive("sequence_length")
    else { throw section.fault("seq_length", "It is missing.") }
    section.ignore(BridgeKeys.dataset)
    section.allow(
      "_target_", "val_proportion", "split_val_from_train", "do_validation", "dataloader_type",
      "seed")
    try readRows(section, length: length)
    try section.finish()
    if let tokenizer = try top.section("tokenizer") { try readTokenizerOfBridge(tokenizer) }
  }

  /// What a data set of rows says of itself; who calls reads the rest, and finishes.
  mutating func readRows(
    _ section: ConfigurationSection, length: Int
  ) throws(ConfigurationError) {
    format = FormatOptions(.bridge)
    packing = .firstFitShuffle
    format.length = length
    if let split = try Self.split(section, "split") { self.split = split }
    var name = try section.string("dataset_name")
    if let source = try section.section("hf_dataset") {
      let path = try source.string("path_or_dataset")
      let short = try source.string("dataset_name")
      name = name ?? path ?? short
      source.allow("_target_")
      source.ignore(["adapter_kwargs", "load_kwargs", "schema_adapter", "split", "subset"])
      try source.finish()
    }
    if let roots = try section.strings("dataset_root") {
      files = roots
    } else if let name {
      files = [name]
    }
    drawn = try section.positive("max_train_samples")
    if let drawn, drawn > 100_000_000 {
      throw section.fault("max_train_samples", "It must be from 1 to 100,000,000, and is \(drawn).")
    }
    if let arguments = try section.section("dataset_kwargs") { try readArguments(arguments) }
    if let packing = try section.section("packed_sequence_specs") { try readSpecs(packing) }
    // What newer versions call it.
    let packs = try section.flag("enable_offline_packing") ?? true
    if let packing = try section.section("offline_packing_specs"), packs { try readSpecs(packing) }
  }

  /// `dataset_kwargs`: what GPTSFTDataset is told.
  private mutating func readArguments(
    _ section: ConfigurationSection
  ) throws(ConfigurationError) {
    usesTemplate = try section.flag("use_hf_tokenizer_chat_template") ?? false
    if try section.flag("answer_only_loss") == false { format.trained = .all }
    format.bridge.promptTemplate = try section.string("prompt_template")
    format.bridge.label = try section.string("label_key")
    format.bridge.addsBegin = try section.flag("add_bos") ?? false
    format.bridge.addsEnd = try section.flag("add_eos") ?? true
    format.bridge.addsSeparator = try section.flag("add_sep") ?? false
    if let separator = try section.count("sep_id") {
      guard let small = Int32(exactly: separator) else {
        throw section.fault("sep_id", "No vocabulary has a token \(separator).")
      }
      format.bridge.separator = small
    }
    if let fields = try section.string("truncation_field") {
      format.bridge.truncationFields = fields.split(separator: ",").map(String.init)
    }
    if let method = try section.choice("truncation_method", of: FormatOptions.Truncation.self) {
      format.bridge.truncation = method
    }
    section.allow(
      "chat", "tool_schemas", "pad_to_max_length", "pad_seq_length_to_mult", "memmap_workers",
      "hf_dataset", "global_sample_mapping", "get_attention_mask_from_fusion", "index_mapping_dir",
      "max_num_samples", "min_seq_length", "ceil_to_power_2", "output_original_text",
      "return_cu_seqlen", "seed", "is_test")
    for key in ["virtual_tokens", "tokens_to_generate"] {
      if let number = try section.count(key), number > 0 {
        throw section.fault(key, "This is not done here; leave it out.")
      }
    }
    try section.finish()
  }

  private mutating func readSpecs(_ section: ConfigurationSection) throws(ConfigurationError) {
    if let size = try section.integer("packed_sequence_size"), size > 0 { packedSize = size }
    section.allow(
      "_target_", "tokenizer_model_name", "packed_train_data_path", "packed_val_data_path",
      "packed_metadata_path", "pad_cu_seqlens", "pad_seq_to_mult", "max_single_sequence_length",
      "num_tokenizer_workers")
    try section.finish()
  }

  mutating func readTokenizerOfBridge(
    _ section: ConfigurationSection
  ) throws(ConfigurationError) {
    tokenizer = try section.string("tokenizer_model")
    chatTemplate = try section.string("chat_template")
    pattern = try section.string("tiktoken_pattern")
    section.allow("_target_", "vocab_size", "tokenizer_type")
    section.ignore(BridgeKeys.tokenizer)
    try section.finish()
  }
}
