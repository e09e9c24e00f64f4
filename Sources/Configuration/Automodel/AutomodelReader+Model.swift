import Checkpoints
import Data
import JSON
import Kernels
import Tensors
import Training

/// `model`, `dataset`, `validation_dataset`, their loaders: what learns, and from what.
extension AutomodelReader {
  struct Model {
    var source: ModelSource
    var numbers = Numbers.bfloat16
  }

  func readModel() throws -> Model {
    guard let section = try top.section("model") else {
      throw top.fault("model", "The configuration names no model.")
    }
    let target = try section.string("_target_") ?? "NeMoAutoModelForCausalLM.from_pretrained"
    let isFresh = target.hasSuffix("from_config")
    let known = [
      "NeMoAutoModelForCausalLM", "AutoModelForCausalLM", "NeMoAutoModelForSequenceClassification",
    ]
    let owner = target.split(separator: ".").dropLast().last.map(String.init) ?? ""
    guard owner == known[0] || owner == known[1] else {
      throw section.fault(
        "_target_", "Only \(known[0]) and \(known[1]) are done here, not \(target).")
    }
    section.ignore(AutomodelKeys.model)
    var name = try section.string("pretrained_model_name_or_path")
    let revision = try section.string("revision")
    var own: JSONObject?
    if let found = section.find("config") {
      (name, own) = try readConfig(section, found, name)
    }
    let numbers = try type(section)
    try section.finish()
    if let own { return Model(source: .fresh(configuration: own), numbers: numbers) }
    guard let name else {
      throw section.fault("pretrained_model_name_or_path", "It is missing.")
    }
    guard
      isFresh || purpose == .pretrain && section.find("load_base_model")?.node.json == .bool(false)
    else {
      return Model(
        source: .weights(name, revision: revision, configuration: nil), numbers: numbers)
    }
    let path =
      try ModelReference(name, revision: revision).folder(.configuration) + "/config.json"
    guard let object = try JSON(parsing: try InputFile(path).readAll()).object else {
      throw section.fault("pretrained_model_name_or_path", "\(path) holds no configuration.")
    }
    return Model(source: .fresh(configuration: object), numbers: numbers)
  }

  /// `config`: a name, a section that names one, or the keys of a config.json themselves.
  private func readConfig(
    _ section: ConfigurationSection, _ found: ConfigurationSection.Found, _ name: String?
  ) throws -> (String?, JSONObject?) {
    guard found.node.members != nil, let config = try section.section("config") else {
      return (try section.string("config"), nil)
    }
    if config.has("architectures"), let object = found.node.json.object {
      return (nil, object)
    }
    let name =
      try config.string("pretrained_model_name_or_path") ?? config.string("name_or_path") ?? name
    config.allow("_target_", "name_or_path")
    config.ignore(
      AutomodelKeys.model + [
        "attn_implementation_new", "_attn_implementation", "kda_unpad_inputs", "kda_use_fused_gate",
        "kda_use_qk_l2norm_in_kernel",
      ])
    try config.finish()
    return (name, nil)
  }

  private func type(_ section: ConfigurationSection) throws(ConfigurationError) -> Numbers {
    let key = section.has("dtype") ? "dtype" : "torch_dtype"
    section.allow("dtype", "torch_dtype")
    guard let name = try section.string(key), name != "auto" else { return .bfloat16 }
    switch name.split(separator: ".").last.map(String.init) {
    case "bf16", "bfloat16": return .bfloat16
    case "fp32", "float32", "float": return .float32
    default:
      throw section.fault(
        key, "It must be bf16 or fp32 (torch.bfloat16, torch.float32), not “\(name)”.")
    }
  }

  // MARK: Data

  struct Samples {
    var source: DataSource
    var order = SampleOrder.stored
    var dropsLast = false
    var held: DataSource?
  }

  mutating func readData(_ model: ModelSource, seed: Seed) throws -> Samples {
    guard let section = try top.section("dataset") else {
      throw top.fault("dataset", "The configuration says nothing of data.")
    }
    let target = try section.string("_target_") ?? Self.dataset(section)
    var samples: Samples
    let loader = try readLoader("dataloader", seed: seed)
    if Self.last(target).hasPrefix("MegatronPretraining") {
      samples = Samples(source: .indexed(try plan(section), order: loader.kind))
      if let held = try top.section("validation_dataset") {
        held.allow(Self.indexedKeys)
        try held.finish()
      }
      _ = try readLoader("validation_dataloader", seed: seed)
      try ignorePacking()
    } else {
      var rows = DataSettings()
      try rows.readAutomodel(top, section, target)
      notes += rows.notes
      rows.notes = []
      samples = Samples(source: .rows(settled(rows, model)), order: loader.order)
      samples.dropsLast = loader.dropsLast
      samples.held = try readHeld(model, seed: seed)
    }
    return samples
  }

  /// A data set that is named by its keys alone.
  private static func dataset(_ section: ConfigurationSection) -> String {
    if section.has("column_mapping") { return "ColumnMappedTextInstructionDataset" }
    if section.has("path_or_dataset_id") { return "ChatDataset" }
    if section.has("paths") { return "MegatronPretraining" }
    if section.has("num_sentences") { return "build_unpacked_dataset" }
    if section.has("vocab_size") { return "MockIterableDataset" }
    return "make_squad_dataset"
  }

  /// The model's own tokenizer, where none is named.
  private func settled(_ rows: DataSettings, _ model: ModelSource) -> DataSettings {
    var rows = rows
    if rows.tokenizer == nil, case .weights(let reference, _, _) = model {
      rows.tokenizer = reference
    }
    return rows
  }

  private mutating func readHeld(_ model: ModelSource, seed: Seed) throws -> DataSource? {
    _ = try readLoader("validation_dataloader", seed: seed)
    let others = (top.node.members ?? []).filter {
      $0.key.hasPrefix("validation_dataset") && $0.key != "validation_dataset"
    }
    for other in others {
      throw ConfigurationError(
        other.node.origin, key: other.key,
        problem: "One set is held out; train evaluate judges on more.")
    }
    guard let section = try top.section("validation_dataset") else { return nil }
    var rows = DataSettings()
    let target = try section.string("_target_") ?? Self.dataset(section)
    try rows.readAutomodel(top, section, target)
    rows.notes = []
    return .rows(settled(rows, model))
  }

  private struct Loader {
    var order = SampleOrder.stored
    var dropsLast = false
    var kind = BatchOrder.Kind.single
  }

  private func readLoader(_ key: String, seed: Seed) throws(ConfigurationError) -> Loader {
    var loader = Loader()
    let section = try top.sectionOrEmpty(key)
    section.allow("_target_")
    section.allow(AutomodelKeys.loader)
    if try section.flag("shuffle", default: true) {
      loader.order = .torch(seed: UInt64(seed.order))
    }
    loader.dropsLast = try section.flag("drop_last", default: false)
    if try section.flag("group_by_length") == true {
      throw section.fault("group_by_length", "Batches by length are not done here; leave it out.")
    }
    switch try section.string("dataloader_type") {
    case nil, "single": loader.kind = .single
    case "cyclic": loader.kind = .cyclic(isSharded: false)
    case let other?:
      throw section.fault("dataloader_type", "It must be single or cyclic, not “\(other)”.")
    }
    try section.finish()
    return loader
  }

  // MARK: Megatron's indexed files

  private static let indexedKeys = [
    "_target_", "paths", "seq_length", "create_attention_mask", "seed", "split",
    "index_mapping_dir", "num_dataset_builder_threads", "num_train_samples", "num_val_samples",
    "num_test_samples", "trainer_limit_val_batches", "trainer_limit_test_batches",
    "mmap_bin_files", "splits_to_build", "object_storage_config", "tokenizer",
  ]

  private func plan(_ section: ConfigurationSection) throws -> PretrainingPlan {
    let words = try section.strings("paths") ?? []
    guard !words.isEmpty else { throw section.fault("paths", "It is missing.") }
    let blend = try Blend(
      words.count == 1 ? words[0].split(separator: " ").map(String.init) : words)
    let shares = try SplitShares(try section.string("split", default: "900,50,50"))
    let seed = try section.count("seed", default: 1234)
    var plan = PretrainingPlan(
      .shared(blend, shares), length: try section.positive("seq_length", default: 2048),
      seed: UInt32(truncatingIfNeeded: seed))
    if let folder = try section.string("index_mapping_dir") {
      plan.cache = IndexCache(folder: folder)
    }
    section.allow(Self.indexedKeys)
    try section.finish()
    return plan
  }

  private func ignorePacking() throws(ConfigurationError) {
    guard let section = try top.section("packed_sequence") else { return }
    if let size = try section.count("packed_sequence_size"), size > 0 {
      throw section.fault("packed_sequence_size", "Megatron's files have no samples to pack.")
    }
    section.allow("split_across_pack", "max_packs", "num_proc", "packing_strategy", "_target_")
    try section.finish()
  }
}
