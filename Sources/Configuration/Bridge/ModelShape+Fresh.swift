import Architectures
import Blueprint
import Checkpoints
import Data
import Hub
import JSON
import Tensors

/// A fresh model: a published configuration with Megatron's keys laid over it.
extension ModelShape {
  /// The config.json of the model, every wish fulfilled.
  ///
  /// - Throws: `ConfigurationError` where a key cannot change this model: the model that comes out is asked.
  func fresh(length: Int) throws -> JSONObject {
    var configuration = try base()
    if configuration["vocab_size"] == nil, !isWished("vocab_size") {
      configuration["vocab_size"] = .integer(try tokenizerSize())
    }
    for wish in wishes { try apply(wish, to: &configuration) }
    try settleHeads(&configuration)
    settleTokens(&configuration)
    try settlePositions(length, &configuration)
    let blueprint: Blueprint
    do { blueprint = try Registry.blueprint(configuration).blueprint } catch {
      throw ConfigurationError(
        wishes.max { $0.origin.rank < $1.origin.rank }?.origin ?? section.node.origin, key: "model",
        problem: "These sizes make no model: \(error)")
    }
    try check(blueprint)
    return configuration
  }

  /// The published configuration: as it is written here, or that of the model that is named.
  private func base() throws -> JSONObject {
    if let configuration { return configuration }
    guard let name else {
      throw ConfigurationError(
        .default, key: "model.hf_model_id",
        problem:
          "Nothing says what model it is. Give --recipe, or model.hf_model_id=org/name whose config.json is taken."
      )
    }
    let path = try ModelReference(name).folder(.configuration) + "/config.json"
    guard let object = try JSON(parsing: try InputFile(path).readAll()).object else {
      throw section.fault("hf_model_id", "\(path) holds no configuration.")
    }
    return object
  }

  /// The number of tokens that the run's tokenizer makes.
  private func tokenizerSize() throws -> Int {
    guard let tokenizer else {
      throw ConfigurationError(
        .default, key: "tokenizer.tokenizer_model",
        problem:
          "The model's vocabulary is its tokenizer's, and none is named. Give its folder with --tokenizer DIR."
      )
    }
    return try FolderTokenizer(path: TokenizerPlace.find(tokenizer)).tokenizer.vocabularySize
  }

  private func apply(
    _ wish: (key: ModelKey, value: JSON, origin: Origin), to configuration: inout JSONObject
  ) throws(ConfigurationError) {
    let (key, value) = (wish.key, wish.value)
    // The model that comes out is asked.
    if key.published.isEmpty { return }
    guard let name = key.published.first(where: { configuration[$0] != nil }) ?? added(key) else {
      throw ConfigurationError(
        wish.origin, key: "model.\(key.megatron)",
        problem: "The configuration of this model has no such size.")
    }
    if key.megatron == "rotary_base", var rotary = configuration["rope_parameters"]?.object {
      rotary["rope_theta"] = value
      configuration["rope_parameters"] = .object(rotary)
      return
    }
    // Experts are as large as other layers are, where they were so and nobody says otherwise.
    if key.megatron == "ffn_hidden_size", !isWished("moe_ffn_hidden_size"),
      let size = configuration["moe_intermediate_size"], size == configuration[name]
    {
      configuration["moe_intermediate_size"] = value
    }
    configuration[name] = value
    if key.kind == .text, let pattern = value.string {
      configuration["num_hidden_layers"] = .integer(
        pattern.filter { $0.isLetter || $0 == "*" || $0 == "-" }.count)
    }
  }

  /// Keys that a configuration may leave out, at what their default then is.
  private func added(_ key: ModelKey) -> String? {
    [
      "kv_channels", "num_query_groups", "share_embeddings_and_output_weights", "init_method_std",
      "rotary_base", "vocab_size",
    ].contains(key.megatron) ? key.published[0] : nil
  }

  private func isWished(_ key: String) -> Bool { wishes.contains { $0.key.megatron == key } }

  /// Heads follow the width where nobody says otherwise, and there are no more groups than heads.
  private func settleHeads(_ configuration: inout JSONObject) throws {
    let original = try base()
    func size(_ object: JSONObject, _ names: String...) -> Int? {
      names.lazy.compactMap { object[$0]?.integer }.first
    }
    if !isWished("kv_channels"), let size = original["head_dim"]?.integer,
      let width = original["hidden_size"]?.integer,
      let heads = original["num_attention_heads"]?.integer, heads * size == width
    {
      configuration["head_dim"] = nil
    }
    settleRotation(&configuration)
    if !isWished("num_query_groups"),
      let heads = size(configuration, "num_attention_heads", "n_head"),
      let groups = configuration["num_key_value_heads"]?.integer,
      heads % groups != 0 || groups > heads
    {
      configuration["num_key_value_heads"] = .integer(heads)
    }
  }

  /// Lists with a factor for each pair of a head's numbers, where heads are of another size: evenly spaced ones of them.
  private func settleRotation(_ configuration: inout JSONObject) {
    guard var scaling = configuration["rope_scaling"]?.object,
      let width = configuration["hidden_size"]?.integer,
      let heads = configuration["num_attention_heads"]?.integer, heads > 0
    else { return }
    let size = configuration["head_dim"]?.integer ?? width / heads
    let share = configuration["partial_rotary_factor"]?.double ?? 1
    let pairs = Int(Double(size) * share) / 2
    for key in ["long_factor", "short_factor"] {
      guard let factors = scaling[key]?.array, factors.count != pairs, !factors.isEmpty, pairs > 0
      else { continue }
      scaling[key] = .array((0..<pairs).map { factors[$0 * factors.count / pairs] })
    }
    configuration["rope_scaling"] = .object(scaling)
  }

  /// Special tokens that a smaller vocabulary does not have are left out.
  private func settleTokens(_ configuration: inout JSONObject) {
    guard let size = configuration["vocab_size"]?.integer else { return }
    for key in ["bos_token_id", "eos_token_id", "pad_token_id"] {
      let tokens = configuration[key]?.array ?? configuration[key].map { [$0] } ?? []
      // Said, not left out: some classes' own default is a token of their published vocabulary.
      if tokens.contains(where: { ($0.integer ?? 0) >= size }) { configuration[key] = .null }
    }
  }

  private func settlePositions(
    _ length: Int, _ configuration: inout JSONObject
  ) throws(ConfigurationError) {
    guard let positions = configuration["max_position_embeddings"]?.integer, positions < length
    else { return }
    if let scaling = configuration["rope_scaling"], !scaling.isNull {
      throw section.fault(
        "seq_length",
        "The model is made for \(positions) positions, and how it counts them depends on that; \(length) is longer."
      )
    }
    configuration["max_position_embeddings"] = .integer(length)
  }

  // MARK: Checking

  /// Compares what was asked for with the model: a key that did not do what it says is an error, not silence.
  ///
  /// - Parameter isGiven: whether the model is one of weights, which no key can change.
  func check(_ blueprint: Blueprint, isGiven: Bool = false) throws(ConfigurationError) {
    let model = MegatronArguments(blueprint, dtype: .bfloat16).model
    for wish in wishes where wish.origin.isOwn || !isGiven {
      guard let found = model[wish.key.megatron], !found.isNull else { continue }
      let isSame =
        if let wanted = wish.value.double, let found = found.double {
          abs(wanted - found) <= 1e-9 * max(abs(wanted), abs(found))
        } else {
          wish.value == found
        }
      guard !isSame else { continue }
      // Where no layer is dense the size says nothing, and Megatron still wants one.
      if wish.key.megatron == "ffn_hidden_size", found == model["moe_ffn_hidden_size"] { continue }
      throw ConfigurationError(
        wish.origin, key: "model.\(wish.key.megatron)",
        problem: isGiven
          ? "The weights have \(found.serialized()), which training them does not change; "
            + "\(wish.value.serialized()) is another model."
          : "This model cannot have \(wish.value.serialized()); it comes out as \(found.serialized())."
      )
    }
  }
}
