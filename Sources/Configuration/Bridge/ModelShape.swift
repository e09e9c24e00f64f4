import Architectures
import Blueprint
import Checkpoints
import Engine
import JSON
import Kernels
import Tensors
import Training

/// What the section `model` says: a published configuration, Megatron's keys that change it, and how it is run.
struct ModelShape {
  /// The Hugging Face model it is, or is like.
  var name: String?
  /// Its config.json.
  var configuration: JSONObject?
  /// What Megatron's keys ask for, in the order of the table.
  var wishes: [(key: ModelKey, value: JSON, origin: Origin)] = []
  var length: (value: Int, origin: Origin)?
  var numbers: Numbers?
  var recomputes = false
  var trainer = Trainer.Settings()
  /// The error of a key at its place.
  let section: ConfigurationSection
  /// The tokenizer that the run names.
  var tokenizer: String?

  /// The number of tokens, as far as it is said.
  var vocabulary: Int? {
    wishes.first { $0.key.megatron == "vocab_size" }?.value.integer
      ?? configuration?["vocab_size"]?.integer
  }
}

extension BridgeReader {
  func readModel() throws -> ModelShape {
    let section = try top.sectionOrEmpty("model")
    section.allow("_target_")
    var shape = ModelShape(section: section)
    shape.tokenizer = try top.sectionOrEmpty("tokenizer").string("tokenizer_model")
    shape.name = try section.string("hf_model_id")
    if let inner = section.find("config") {
      guard let object = inner.node.json.object else {
        throw inner.wrong("It must be the keys of a config.json.")
      }
      shape.configuration = object
    }
    for key in ModelKey.all {
      if let value = try value(of: key, section) {
        shape.wishes.append((key, value, section.origin(key.megatron)))
      }
    }
    if let length = try section.positive("seq_length") {
      shape.length = (length, section.origin("seq_length"))
    }
    try readRunning(section, &shape)
    section.ignore(ModelKey.ignored)
    section.ignore(MegatronArguments.keys)
    try section.finish()
    return shape
  }

  private func value(
    of key: ModelKey, _ section: ConfigurationSection
  ) throws(ConfigurationError) -> JSON? {
    guard section.find(key.megatron) != nil else {
      section.allow(key.megatron)
      return nil
    }
    switch key.kind {
    case .integer: return try section.positive(key.megatron).map(JSON.integer)
    case .number: return try section.number(key.megatron).map(JSON.number)
    case .flag: return try section.flag(key.megatron).map(JSON.bool)
    case .text: return try section.string(key.megatron).map(JSON.string)
    }
  }

  /// What of the model's section says how it is run.
  private func readRunning(
    _ section: ConfigurationSection, _ shape: inout ModelShape
  ) throws(ConfigurationError) {
    // Means of micro-batches, unless told otherwise.
    shape.trainer.averaging =
      try section.flag("calculate_per_token_loss", default: false) ? .tokens : .batches
    switch try section.string("recompute_granularity") {
    case "full": shape.recomputes = true
    case "selective", nil: break
    case let other?:
      throw section.fault("recompute_granularity", "It must be full or selective, not “\(other)”.")
    }
    for key in ["hidden_dropout", "attention_dropout"] {
      if let share = try section.number(key), share > 0 {
        throw section.fault(key, "Dropout inside the model is not done here; set it to 0.")
      }
    }
    let balance = try section.number("moe_aux_loss_coeff", default: 0)
    let kinds = try section.strings("moe_router_load_balancing_type") ?? ["aux_loss"]
    guard kinds.allSatisfy({ ["aux_loss", "seq_aux_loss", "none"].contains($0) }) else {
      throw section.fault(
        "moe_router_load_balancing_type", "It must be aux_loss, seq_aux_loss or none here.")
    }
    if kinds != ["none"] { shape.trainer.routers.balance = balance }
    shape.trainer.routers.level = try section.number("moe_z_loss_coeff") ?? 0
    if try section.flag("bf16") == true { shape.numbers = .bfloat16 }
    if let type = try section.type("params_dtype") { shape.numbers = shape.numbers ?? type }
    for key in ["fp16", "fp16_lm_cross_entropy"] where try section.flag(key) == true {
      throw section.fault(key, "float16 is not computed here; leave it out.")
    }
    for key in ["fp8", "fp4"] where section.find(key) != nil {
      throw section.fault(key, "Numbers of 8 or 4 bits are not computed here; leave it out.")
    }
  }

  /// How many tokens a sample has: the model's and the data's keys are one.
  func readLength() throws(ConfigurationError) -> Int {
    let model = try top.sectionOrEmpty("model")
    let data = try top.sectionOrEmpty("dataset")
    var said: [(length: Int, key: String, origin: Origin)] = []
    for (section, key) in [
      (model, "seq_length"), (data, "seq_length"), (data, "sequence_length"),
    ] {
      guard section.find(key) != nil, let length = try section.positive(key) else { continue }
      said.append((length, section.dotted(key), section.origin(key)))
    }
    // Of two in one file the data's says how long samples are; the model's may be all its positions.
    guard
      let last = said.enumerated().max(by: {
        ($0.element.origin.rank, $0.offset) < ($1.element.origin.rank, $1.offset)
      })?.element
    else { return 2048 }
    for other in said
    where other.origin.rank == Origin.commandLine(word: 0, text: "").rank
      && other.length != last.length && last.origin.rank == other.origin.rank
    {
      throw ConfigurationError(
        other.origin, key: other.key,
        problem: "It is \(other.length), but \(last.key) is \(last.length); they must be one.")
    }
    for other in said {
      model.reading.note(other.key, .integer(last.length), last.origin)
    }
    guard last.length <= 1 << 24 else {
      throw ConfigurationError(
        last.origin, key: last.key, problem: "No sample has \(last.length) tokens.")
    }
    return last.length
  }

  /// What the run begins with.
  func source(
    _ shape: ModelShape, _ pretrained: String?, length: Int
  ) throws -> ModelSource {
    if let pretrained {
      let name = shape.section.isOwn("hf_model_id") ? shape.name : nil
      return .weights(pretrained, revision: nil, configuration: name)
    }
    guard purpose == .pretrain else { throw missing(shape) }
    return .fresh(configuration: try shape.fresh(length: length))
  }

  /// Says how a checkpoint is made.
  private func missing(_ shape: ModelShape) -> ConfigurationError {
    let name = shape.name ?? "org/name"
    let folder = name.split(separator: "/").last.map { "./" + $0.lowercased() } ?? "./model"
    return ConfigurationError(
      .default, key: "checkpoint.pretrained_checkpoint",
      problem:
        "Fine-tuning needs weights to begin with, and none are named. Give a Hugging Face model with "
        + "--model \(name), or import one first: convert import --hf-model \(name) --megatron-path \(folder), "
        + "then checkpoint.pretrained_checkpoint=\(folder).")
  }
}
