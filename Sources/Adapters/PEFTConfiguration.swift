import JSON
import Tensors

/// What an adapter_config.json of PEFT says, as far as it decides what the adapter computes.
///
/// Every key that could change that is read, or refused where it is set.
struct PEFTConfiguration {
  /// Which modules have an adapter.
  enum Targets {
    case names([String])
    case pattern(PEFTPattern, text: String)
    /// All linear layers, or what the family's own list in PEFT says.
    case unstated
  }

  let file: String
  let rank: Int
  let alpha: Double
  /// Whether the factor is alpha / √rank.
  let isRankStabilised: Bool
  let isDoRA: Bool
  let targets: Targets
  /// Tensors that are adapted by their own names, by the last components of these.
  let parameters: [String]
  /// Modules that were trained as a whole.
  let savedModules: [String]
  /// Whether what was trained of the embedding holds for a tied output layer too.
  let keepsTies: Bool
  /// The release of PEFT that wrote it.
  let version: [Int]?
  let notes: [String]
  private let ranks: [(pattern: PEFTPattern, value: Double)]
  private let alphas: [(pattern: PEFTPattern, value: Double)]

  /// Reads a folder's adapter_config.json.
  ///
  /// - Throws: `AdapterError.malformed`, `.unsupported`, `.rankZero`.
  init(folder: String) throws {
    var reader = try AdapterConfiguration(folder: folder)
    try Self.requirePlainLoRA(&reader)
    file = reader.file
    let rank = try reader.integer("r", missing: "the rank must be known")
    guard rank > 0 else { throw AdapterError.rankZero(source: reader.file, tensor: "r") }
    guard rank <= Self.rankLimit else { throw reader.fault("r", "no adapter has that rank") }
    self.rank = rank
    alpha = try reader.number(
      "lora_alpha", missing: "the factor of the adapter is lora_alpha / r, so it must be known")
    isRankStabilised = try reader.flag("use_rslora")
    isDoRA = try reader.flag("use_dora")
    ranks = try Self.patterns("rank_pattern", &reader)
    alphas = try Self.patterns("alpha_pattern", &reader)
    guard ranks.allSatisfy({ Self.isRank($0.value) }) else {
      throw reader.fault("rank_pattern", "it holds a number that is no rank")
    }
    (targets, notes) = try Self.targets(&reader)
    parameters = try reader.texts("target_parameters") ?? []
    savedModules = try reader.texts("modules_to_save") ?? []
    keepsTies = try reader.flag("ensure_weight_tying")
    version = try reader.text("peft_version").map(Self.numbers)
    try reader.requireNothingElse()
  }

  /// Far above any rank in use, and far below where sizes overflow.
  static let rankLimit = 1 << 20

  private static func isRank(_ value: Double) -> Bool {
    value >= 1 && value <= Double(rankLimit) && value == value.rounded()
  }

  // MARK: - Factors

  /// The rank that is configured for a module or a parameter, by its path.
  func rank(of path: String) -> Int {
    ranks.first { $0.pattern.matches(path) }.map { Int($0.value) } ?? rank
  }

  /// The factor on B · A.
  func scale(of path: String) -> Double {
    let alpha = alphas.first { $0.pattern.matches(path) }?.value ?? alpha
    let rank = Double(rank(of: path))
    return alpha / (isRankStabilised ? rank.squareRoot() : rank)
  }

  /// Whether tensors of experts have the layout that PEFT has had since 0.19.1; `nil` if it says nothing.
  var hasNewExpertLayout: Bool? {
    version.map { !$0.lexicographicallyPrecedes([0, 19, 1]) }
  }

  // MARK: - Targets

  /// The targets' names that stand for none of these modules.
  func idleTargets(_ modules: [String], saved: [String]) -> [String] {
    let every = modules + saved
    var idle: [String] = []
    switch targets {
    case .unstated: break
    case .names(let names):
      idle = names.filter { name in !every.contains { Self.ends($0, with: name) } }
    case .pattern(let pattern, let text):
      if !every.isEmpty, !every.contains(where: pattern.matches) { idle = [text] }
    }
    return idle
  }

  /// Whether the configuration gives a module an adapter.
  func isTarget(_ module: String) -> Bool {
    switch targets {
    case .unstated: true
    case .names(let names): names.contains { Self.ends(module, with: $0) }
    case .pattern(let pattern, _): pattern.matches(module)
    }
  }

  /// Whether a parameter, by its full path, has an adapter of its own.
  func isTargetParameter(_ path: String) -> Bool {
    parameters.contains { Self.ends(path, with: $0) }
  }

  static func ends(_ path: String, with ending: String) -> Bool {
    path == ending || path.hasSuffix(".\(ending)")
  }

  // MARK: - Reading

  private static func patterns(
    _ key: String, _ reader: inout AdapterConfiguration
  ) throws -> [(pattern: PEFTPattern, value: Double)] {
    try reader.object(key)?.members.map { name, value in
      guard let pattern = PEFTPattern(name, takesEnding: true) else {
        throw reader.fault(key, "\"\(name)\" is no regular expression that is understood")
      }
      guard let number = value.double, number.isFinite else {
        throw reader.fault(key, "\"\(name)\" has no number")
      }
      return (pattern, number)
    } ?? []
  }

  private static func targets(
    _ reader: inout AdapterConfiguration
  ) throws -> (Targets, [String]) {
    // Which of these modules are left out shows in the tensors.
    reader.ignore("exclude_modules", "layers_to_transform", "layers_pattern")
    switch reader.value("target_modules") {
    case nil, .null?: return (.unstated, [])
    case .string("all-linear")?: return (.unstated, [])
    case .string(let text)?:
      guard let pattern = PEFTPattern(text, takesEnding: false) else {
        return (
          .unstated,
          ["target_modules is a regular expression that is not understood; the tensors decide."]
        )
      }
      return (.pattern(pattern, text: text), [])
    case .array(let items)?:
      return (
        .names(
          try items.map { item in
            guard let name = item.string else {
              throw reader.fault("target_modules", "it holds something that is no name")
            }
            return name
          }), []
      )
    default: throw reader.fault("target_modules", "it is neither a list of names nor a pattern")
    }
  }

  private static func numbers(_ version: String) -> [Int] {
    version.split(separator: ".").prefix(3).map { Int($0.prefix { $0.isNumber }) ?? 0 }
  }

  // MARK: - What is not understood

  /// How base weights were changed before training began, so that the adapter belongs to those.
  private static let changingStarts = ["pissa", "olora", "corda", "loftq", "lora_ga"]

  private static func requirePlainLoRA(_ reader: inout AdapterConfiguration) throws {
    let kind = try reader.text("peft_type")
    guard let kind else {
      throw reader.fault(
        "peft_type", "it is missing; is this the configuration that PEFT's save_pretrained wrote?")
    }
    guard kind == "LORA" else {
      throw AdapterError.unsupported(
        file: reader.file,
        what: "peft_type is \(kind), and only LORA is understood; merge it with PEFT's "
          + "merge_and_unload")
    }
    reader.ignore(
      "auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode",
      "lora_dropout", "fan_in_fan_out", "megatron_config", "megatron_core", "runtime_config",
      "loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size",
      // What they add is in the tensors.
      "bias", "lora_bias")
    if let start = reader.value("init_lora_weights")?.string?.lowercased(),
      let found = changingStarts.first(where: { start.hasPrefix($0) })
    {
      throw AdapterError.unsupported(
        file: reader.file,
        what: "init_lora_weights is \(found), which changes the base's weights before training; "
          + "save the adapter with path_initial_model_for_weight_conversion to make it one of the"
          + " plain base")
    }
    let refused = [
      "layer_replication": "it repeats layers, so the merged model would have others than the base",
      "trainable_token_indices": "it trains single rows of the embedding, which is not carried",
      "alora_invocation_tokens": "it works only behind some tokens, which no merged weight does",
      "use_qalora": "it adapts groups of a quantised layer's inputs",
      "use_bdlora": "its factors are block-diagonal", "arrow_config": "it chooses among adapters",
      "kasa_config": "it changes the base's weights", "velora_config": "it is a variant of LoRA",
      "monteclora_config": "it is a variant of LoRA",
    ]
    for (key, reason) in refused.sorted(by: { $0.key < $1.key }) where reader.isSet(key) {
      throw AdapterError.unsupported(
        file: reader.file,
        what: "\(key) is set: \(reason); merge it with PEFT's merge_and_unload where that can")
    }
  }
}
