import Data
import JSON
import MegatronFormat
import Tensors
import Training

/// `dataset`, `tokenizer`: what is learnt, from rows or from Megatron's indexed files.
extension BridgeReader {
  struct Samples {
    var source: DataSource
    var order: SampleOrder
    /// What the loss is watched on, where the data say it.
    var held: DataSource?
    var tokenizer: String?
  }

  private static let rowKeys = [
    "dataset_root", "dataset_name", "packed_sequence_specs", "dataset_kwargs", "max_train_samples",
    "hf_dataset", "enable_offline_packing", "offline_packing_specs",
  ]
  private static let indexedKeys = [
    "blend", "blend_per_split", "data_path", "data_args_path", "per_split_data_args_path",
    "train_data_path", "valid_data_path", "test_data_path", "mock",
  ]

  func readData(
    length: Int, _ model: ModelSource, _ shape: ModelShape, holdsOut: Bool
  ) throws -> Samples {
    let section = try top.sectionOrEmpty("dataset")
    section.ignore(BridgeKeys.dataset)
    section.allow("seq_length", "sequence_length", "name")
    section.allow(Self.rowKeys)
    section.allow(Self.indexedKeys)
    var rows = DataSettings()
    let tokenizer = try top.sectionOrEmpty("tokenizer")
    try rows.readTokenizerOfBridge(tokenizer)
    if rows.tokenizer == nil, case .weights(let reference, _, _) = model {
      rows.tokenizer = reference
    }
    let target = try section.string("_target_") ?? ""
    var samples: Samples
    if let files = try textFiles(section) {
      samples = try texts(section, files, rows, length: length, holdsOut: holdsOut)
    } else if isOfRows(section, target) {
      samples = try self.rows(section, rows, length: length, holdsOut: holdsOut)
    } else {
      samples = try indexed(section, length: length, shape, target)
      samples.tokenizer = rows.tokenizer
    }
    section.allow(
      "val_proportion", "hf_validation_proportion", "split_val_from_train", "drop_last",
      "do_validation", "dataloader_type", "seed", "split",
      "random_seed", "path_to_cache", "reset_position_ids", "reset_attention_mask", "eod_mask_loss",
      "mid_level_dataset_surplus", "add_extra_token_to_sequence", "full_validation",
      "drop_last_partial_validation_sequence", "multiple_validation_sets")
    try section.finish()
    if case .rows(let rows) = samples.source, rows.files.isEmpty {
      throw section.fault(
        "dataset_root", "No data are named. Give --data FILE, or dataset.dataset_name=squad.")
    }
    return samples
  }

  /// Whether the data are rows: what was said last of the one or the other kind counts.
  private func isOfRows(_ section: ConfigurationSection, _ target: String) -> Bool {
    func rank(_ keys: [String]) -> Int {
      keys.map { section.find($0) == nil ? -1 : section.origin($0).rank }.max() ?? -1
    }
    let (rows, indexed) = (rank(Self.rowKeys), rank(Self.indexedKeys))
    if rows != indexed { return rows > indexed }
    if target.contains("GPTDataset") { return false }
    return rows >= 0 || purpose == .finetune
  }

  // MARK: Rows

  private func rows(
    _ section: ConfigurationSection, _ tokenized: DataSettings, length: Int, holdsOut: Bool
  ) throws -> Samples {
    var rows = tokenized
    let wish = section.find("split")?.node.scalar
    // A recipe for indexed data says shares here.
    if let wish, wish.contains(",") { section.allow("split") }
    try rows.readRows(section, length: length)
    if isPacked { rows.packedSize = length }
    // Packs are as long as samples may be: a recipe's follow a length that a person gives.
    if rows.packedSize != nil, let specs = try section.section("packed_sequence_specs"),
      !specs.isOwn("packed_sequence_size")
    {
      rows.packedSize = length
    }
    var samples = Samples(source: .rows(rows), order: .stored)
    let seed = try section.count("seed", default: 1234)
    switch try section.string("dataloader_type", default: "batch") {
    case "batch", "single": samples.order = .stored
    case "cyclic": samples.order = .torch(seed: UInt64(seed))
    default:
      throw section.fault("dataloader_type", "It must be batch, single or cyclic.")
    }
    let isWanted = try section.flag("do_validation", default: true) && holdsOut
    return try held(section, samples, rows, seed: seed, isWanted: isWanted)
  }

  /// Keeps rows from training to judge by: those of a validation file, or else a share of the training rows.
  private func held(
    _ section: ConfigurationSection, _ samples: Samples, _ rows: DataSettings, seed: Int,
    isWanted: Bool
  ) throws -> Samples {
    let key =
      section.has("hf_validation_proportion") ? "hf_validation_proportion" : "val_proportion"
    let share = try section.number(key, default: 0.05)
    guard (0..<1).contains(share) else {
      throw section.fault(key, "It must be at least 0 and below 1, and is \(share).")
    }
    let splits = try section.flag("split_val_from_train", default: true)
    var samples = samples
    guard isWanted else { return samples }
    var held = rows
    held.drawn = nil
    let folders = rows.files.allSatisfy { Folder.isFolder($0) }
    if folders, rows.split.name == "train",
      (try? DataFiles(rows.files, split: "validation", dataset: rows.dataset)) != nil
    {
      held.split = DataSplit("validation")
      samples.held = .rows(held)
    } else if splits, share > 0 {
      var rest = rows
      rest.held = DataSettings.Held(share: share, seed: UInt64(seed), isMeant: false)
      held.held = DataSettings.Held(share: share, seed: UInt64(seed), isMeant: true)
      samples.source = .rows(rest)
      samples.held = .rows(held)
    }
    return samples
  }

  // MARK: Text to pretrain on

  /// Files of text rows under the key of indexed data: what stands there and is no prefix of two files.
  private func textFiles(
    _ section: ConfigurationSection
  ) throws(ConfigurationError) -> [String]? {
    guard let words = try words(section, "data_path"), !words.isEmpty else { return nil }
    let isIndexed = words.contains { Folder.kind($0 + ".idx") != nil || $0.hasSuffix(".idx") }
    guard !isIndexed, words.allSatisfy({ Folder.kind($0) != nil }) else { return nil }
    return words
  }

  private func texts(
    _ section: ConfigurationSection, _ files: [String], _ tokenized: DataSettings, length: Int,
    holdsOut: Bool
  ) throws -> Samples {
    var rows = tokenized
    rows.files = files
    rows.format = FormatOptions(.bridge, trained: .all, length: nil)
    rows.packedSize = length
    rows.packing = .sequential
    rows.cutsLong = true
    let seed = try section.count("seed", default: 1234)
    let samples = Samples(source: .rows(rows), order: .torch(seed: UInt64(seed)))
    return try held(section, samples, rows, seed: seed, isWanted: holdsOut)
  }

  // MARK: Indexed files

  private func indexed(
    _ section: ConfigurationSection, length: Int, _ shape: ModelShape, _ target: String
  ) throws -> Samples {
    let seed = try section.count("random_seed", default: 1234)
    guard let small = UInt32(exactly: seed) else {
      throw section.fault("random_seed", "It must be below 2^32.")
    }
    let source = try source(section, shape, target)
    var plan = PretrainingPlan(source, length: length, seed: small)
    plan.ends.isMasked = try section.flag("eod_mask_loss", default: false)
    plan.ends.resetsPositions = try section.flag("reset_position_ids", default: false)
    plan.ends.resetsAttention = try section.flag("reset_attention_mask", default: false)
    plan.surplus = try section.number("mid_level_dataset_surplus", default: 0.005)
    plan.hasExtraToken = try section.flag("add_extra_token_to_sequence", default: true)
    plan.dropsLastPartialValidation = try section.flag(
      "drop_last_partial_validation_sequence", default: true)
    if let folder = try section.string("path_to_cache") { plan.cache = IndexCache(folder: folder) }
    let order: BatchOrder.Kind
    switch try section.string("dataloader_type", default: "single") {
    case "single": order = .single
    case "cyclic": order = .cyclic(isSharded: section.node["data_sharding"]?.scalar != "false")
    case "batch":
      order = .batch(globalSize: try top.sectionOrEmpty("train").positive("global_batch_size") ?? 1)
    default: throw section.fault("dataloader_type", "It must be single, cyclic or batch.")
    }
    return Samples(source: .indexed(plan, order: order), order: .stored)
  }

  private func source(
    _ section: ConfigurationSection, _ shape: ModelShape, _ target: String
  ) throws -> PretrainingPlan.Source {
    let isMock = try section.flag("mock") ?? target.hasSuffix("MockGPTDatasetConfig")
    let hasData = Self.indexedKeys.contains { $0 != "mock" && section.find($0) != nil }
    if isMock && !(hasData && target.isEmpty && section.origin("mock").rank < 2) || !hasData {
      return .mock(try mock(shape))
    }
    if let file = try section.string("per_split_data_args_path") {
      return .perSplit(try Blend.perSplit(file: file))
    }
    let named = ["train_data_path", "valid_data_path", "test_data_path"]
    if named.contains(where: { section.find($0) != nil }) {
      return .perSplit(
        try named.map { try words(section, $0).flatMap { $0.isEmpty ? nil : try Blend($0) } })
    }
    if let found = section.find("blend_per_split") {
      guard let items = found.node.items, items.count == 3 else {
        throw found.wrong("It must be a list of three blends: train, valid, test.")
      }
      return .perSplit(
        try items.map { $0.isNull ? nil : try Self.blend($0, found) })
    }
    let shares: SplitShares
    if let text = try section.string("split") {
      shares = try SplitShares(text)
    } else {
      shares = try SplitShares("9999,8,2")
    }
    if let file = try section.string("data_args_path") {
      return .shared(try Blend.arguments(file: file), shares)
    }
    if let found = section.find("blend") {
      return .shared(try Self.blend(found.node, found), shares)
    }
    return .shared(try Blend(try words(section, "data_path") ?? []), shares)
  }

  /// Made-up documents need to know how many words there are.
  private func mock(_ shape: ModelShape) throws -> MockDocuments {
    let tokenizer = try top.sectionOrEmpty("tokenizer")
    guard let size = try tokenizer.positive("vocab_size") ?? shape.vocabulary else {
      throw ConfigurationError(
        .default, key: "tokenizer.vocab_size",
        problem: "Made-up data need the number of tokens of the model, which nothing says.")
    }
    guard size <= 1 << 24 else {
      throw tokenizer.fault("vocab_size", "No vocabulary has \(size) tokens.")
    }
    return MockDocuments(vocabulary: size, end: Int32(size - 1))
  }

  /// `[paths, weights]` as Bridge writes it, or a list of prefixes, or of weights and prefixes by turns.
  private static func blend(
    _ node: ConfigurationNode, _ found: ConfigurationSection.Found
  ) throws -> Blend {
    if let text = node.scalar {
      return try Blend(text.split(separator: " ").map(String.init))
    }
    guard let items = node.items, let first = items.first else {
      throw found.wrong("It must be a list of prefixes, or of weights and prefixes by turns.")
    }
    guard let prefixes = first.items else {
      return try Blend(items.compactMap(\.scalar))
    }
    let weights = items.count > 1 && !items[1].isNull ? items[1].items : nil
    let blend = Blend(
      prefixes: prefixes.compactMap(\.scalar),
      weights: weights?.compactMap { $0.scalar.flatMap(Double.init) })
    guard !blend.prefixes.isEmpty,
      blend.weights?.count ?? blend.prefixes.count == blend.prefixes.count
    else { throw found.wrong("It must have as many weights as prefixes.") }
    return blend
  }

  /// A list, or one text of words.
  private func words(
    _ section: ConfigurationSection, _ key: String
  ) throws(ConfigurationError) -> [String]? {
    guard let words = try section.strings(key) else { return nil }
    return words.count == 1 ? words[0].split(separator: " ").map(String.init) : words
  }
}
