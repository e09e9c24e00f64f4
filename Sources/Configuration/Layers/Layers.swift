import Data

/// The layers of a configuration, laid over each other: recipe, file, command line.
struct Layers {
  /// Whose keys a configuration has.
  enum Dialect {
    case bridge, automodel
  }

  private(set) var root: ConfigurationNode
  private(set) var dialect = Dialect.bridge
  private(set) var purpose: RunPurpose
  private(set) var recipe: Recipe?
  private(set) var words: CommandWords
  /// Whether the command line asks for packs, whatever the data's section says.
  private(set) var isPacked = false
  private(set) var hasFile = false

  init(
    purpose: RunPurpose, file: String?, recipe: String?, peft: String?, words: [CommandWord]
  ) throws {
    self.words = try CommandWords(words)
    self.purpose = purpose
    root = .empty(.default)
    var adapters = peft.map { ($0, Origin.commandLine(word: 0, text: "--peft \($0)")) }
    adapters = adapters ?? self.words.adapters.map { ($0.value, $0.origin) }
    if let mode = self.words.mode { adapters = try take(mode, adapters) }
    var own = ConfigurationNode.empty(.default)
    hasFile = file != nil || self.words.configurationFile != nil
    if let path = file ?? self.words.configurationFile { own = try ConfigurationNode.load(path) }
    let wantsPacks = try packed(own)
    if let name = recipe ?? self.words.recipe ?? Self.recipe(in: own) {
      let recipe = try Recipe.named(name)
      self.recipe = recipe
      root = try recipe.layer(
        self.purpose, try AdapterScheme(adapters), isPacked: wantsPacks)
    } else {
      isPacked = wantsPacks ?? false
    }
    dialect = Self.dialect(of: own, self.words)
    if self.recipe != nil, dialect == .automodel {
      throw ConfigurationError(
        own.origin,
        problem: "The file has Automodel's keys, which a recipe has not; give one of the two.")
    }
    let isBare = self.recipe == nil && !hasFile && self.purpose == .finetune && dialect == .bridge
    if isBare {
      root = try Self.plain(isWhole: try AdapterScheme(adapters).map { $0 == .none } ?? true)
    }
    root.merge(own)
    try apply(adapters)
    try applyWords()
    if isBare { settlePlain() }
    if try AdapterScheme(adapters) == AdapterScheme.none { root["peft"] = nil }
  }

  /// `--mode`: pretrain, sft, lora, dora.
  private mutating func take(
    _ mode: (value: String, origin: Origin), _ adapters: (String, Origin)?
  ) throws(ConfigurationError) -> (String, Origin)? {
    switch mode.value {
    case "pretrain": purpose = .pretrain
    case "sft", "finetune":
      purpose = .finetune
      return adapters ?? ("none", mode.origin)
    case "lora", "dora":
      purpose = .finetune
      return adapters ?? (mode.value, mode.origin)
    default:
      throw ConfigurationError(mode.origin, problem: "--mode must be pretrain, sft, lora or dora.")
    }
    return adapters
  }

  /// `packed_sequence: true` at the top, of a file or a word.
  private func packed(_ file: ConfigurationNode) throws(ConfigurationError) -> Bool? {
    var found = file["packed_sequence"].flatMap { $0.scalar == nil ? nil : $0 }
    for case .override(let change) in words.changes where change.path == ["packed_sequence"] {
      found = change.value
    }
    guard let found, !found.isNull else { return nil }
    guard let value = found.json.bool else {
      throw ConfigurationError(
        found.origin, key: "packed_sequence", problem: "It must be true or false.")
    }
    return value
  }

  /// A recipe of ours that a file names.
  private static func recipe(in file: ConfigurationNode) -> String? {
    guard let name = file["recipe"]?.scalar, !name.contains("Recipe"), !name.contains(".") else {
      return nil
    }
    return name
  }

  // MARK: Without recipe and file

  /// What fine-tuning on own data is, where nothing else is said: once through them.
  private static func plain(isWhole: Bool) throws(ConfigurationError) -> ConfigurationNode {
    let text = """
      train: {num_epochs: 1, global_batch_size: 8}
      optimizer: {lr: \(isWhole ? "1.0e-5" : "1.0e-4")}
      scheduler: {lr_decay_style: cosine, lr_warmup_fraction: 0.05}
      logger: {log_interval: 1}
      """
    return try ConfigurationNode(parsing: Array(text.utf8)) { _, _ in .default }
  }

  /// Takes away what stands for a key that is said.
  private mutating func settlePlain() {
    func isSaid(_ section: String, _ keys: String...) -> Bool {
      keys.contains { root[section]?[$0]?.origin.isOwn == true }
    }
    func drop(_ section: String, _ key: String) {
      if !isSaid(section, key) { root.remove([section, key][...]) }
    }
    if isSaid("train", "train_iters", "train_samples") { drop("train", "num_epochs") }
    if isSaid("train", "micro_batch_size") { drop("train", "global_batch_size") }
    if isSaid("scheduler", "lr_warmup_iters", "lr_warmup_samples") {
      drop("scheduler", "lr_warmup_fraction")
    }
  }

  // MARK: Whose keys

  private static let ofAutomodel: Set<String> = [
    "step_scheduler", "lr_scheduler", "dist_env", "distributed", "dataloader", "loss_fn",
    "clip_grad_norm", "packed_sequence_config", "validation_dataset", "validation_dataloader", "ci",
  ]
  private static let ofBridge: Set<String> = [
    "train", "scheduler", "ddp", "logger", "mixed_precision", "validation", "dist", "comm_overlap",
  ]

  private static func dialect(of file: ConfigurationNode, _ words: CommandWords) -> Dialect {
    if let target = file["_target_"]?.scalar, target.hasPrefix("megatron.") { return .bridge }
    var keys = Set((file.members ?? []).map(\.key))
    if keys.isEmpty {
      for case .override(let change) in words.changes { keys.insert(change.path[0]) }
    }
    if !keys.isDisjoint(with: ofBridge) { return .bridge }
    if !keys.isDisjoint(with: ofAutomodel) { return .automodel }
    if file["model"]?["pretrained_model_name_or_path"] != nil { return .automodel }
    if let recipe = file["recipe"],
      recipe.members != nil || recipe.scalar?.contains("Recipe") == true
    {
      return .automodel
    }
    return .bridge
  }

  // MARK: Adapters

  /// What `--peft` makes of what recipe and file say.
  private mutating func apply(_ wish: (String, Origin)?) throws(ConfigurationError) {
    guard let wish, let scheme = try AdapterScheme(wish),
      recipe == nil || root["peft"] != nil || scheme != .none
    else { return }
    switch (dialect, scheme) {
    case (_, .none): root["peft"] = nil
    case (.bridge, .lora), (.bridge, .dora):
      var section = root["peft"].flatMap { $0.isNull ? nil : $0 } ?? .empty(wish.1)
      if let target = scheme.target, section["_target_"]?.scalar != target {
        section["_target_"] = .text(target, wish.1)
      }
      root["peft"] = section
    case (.automodel, .lora), (.automodel, .dora):
      var section = root["peft"].flatMap { $0.isNull ? nil : $0 } ?? .empty(wish.1)
      if section["target_modules"] == nil, section["match_all_linear"] == nil {
        section["match_all_linear"] = ConfigurationNode(.scalar("true", isPlain: true), wish.1)
      }
      section["use_dora"] = ConfigurationNode(
        .scalar(scheme == .dora ? "true" : "false", isPlain: true), wish.1)
      root["peft"] = section
    }
  }

  // MARK: Words

  private mutating func applyWords() throws(ConfigurationError) {
    if let dataset = words.dataset { apply(dataset: dataset.value, dataset.origin) }
    for change in words.changes {
      switch change {
      case .override(let override):
        if override.path == ["packed_sequence"] { continue }
        try override.apply(to: &root)
      case .wish(let wish): try apply(wish)
      }
    }
  }

  private mutating func apply(_ wish: CommandWords.Wish) throws(ConfigurationError) {
    let origin = wish.value.origin
    var keys = dialect == .bridge ? wish.flag.bridge : wish.flag.automodel
    if dialect == .bridge, purpose == .pretrain {
      // What a fresh model is like, and what it is fed with.
      switch wish.flag.names[0] {
      case "--model" where !(origin.precise.contains("pretrained")): keys = ["model.hf_model_id"]
      case "--data": keys = ["dataset.data_path"]
      default: break
      }
    }
    if dialect == .automodel, wish.flag.names[0] == "--data" { keys = automodelDataKeys }
    guard !keys.isEmpty else {
      throw ConfigurationError(
        origin, problem: "\(wish.flag.names[0]) has no meaning for a configuration of Automodel's.")
    }
    for key in keys {
      root.set(key.split(separator: ".").map(String.init)[...], wish.value)
    }
  }

  /// Where a data set of Automodel has its files.
  private var automodelDataKeys: [String] {
    for key in ["path_or_dataset_id", "path_or_dataset", "dataset_name", "paths"]
    where root["dataset"]?[key] != nil { return ["dataset.\(key)"] }
    let target = root["dataset"]?["_target_"]?.scalar ?? ""
    return [target.contains("squad") ? "dataset.dataset_name" : "dataset.path_or_dataset_id"]
  }

  private mutating func apply(dataset: String, _ origin: Origin) {
    let value = ConfigurationNode.text(dataset, origin)
    switch (dialect, dataset) {
    case (.bridge, "mock"):
      root.set(["dataset", "mock"][...], ConfigurationNode(.scalar("true", isPlain: true), origin))
    case (.bridge, "squad"): root.set(["dataset", "dataset_name"][...], value)
    case (.bridge, _): root.set(["dataset", "dataset_root"][...], value)
    case (.automodel, _):
      for key in automodelDataKeys {
        root.set(key.split(separator: ".").map(String.init)[...], value)
      }
    }
  }
}

/// Which adapters are trained, as the command line says it.
package enum AdapterScheme: String, CaseIterable, Sendable {
  case none, lora, dora

  init?(_ wish: (String, Origin)?) throws(ConfigurationError) {
    guard let wish else { return nil }
    guard let scheme = AdapterScheme(rawValue: wish.0.lowercased()) else {
      throw ConfigurationError(
        wish.1, problem: "The adapters must be none, lora or dora, not “\(wish.0)”.")
    }
    self = scheme
  }
}
