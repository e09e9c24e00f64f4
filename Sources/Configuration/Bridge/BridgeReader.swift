import Data
import Engine
import JSON
import Kernels
import Training

/// Reads a configuration of Megatron-Bridge's shape: the sections of its ConfigContainer.
///
/// Every key is decided: it has its effect, it can have none here and is noted, or it asks for what is not done and is
/// refused. What is none of these is no key.
struct BridgeReader {
  let top: ConfigurationSection
  let purpose: RunPurpose
  /// The words of the command line that no key says: `packed_sequence=true`.
  let isPacked: Bool
  var notes: [String] = []
  private(set) var shape: ModelShape?

  init(_ top: ConfigurationSection, _ purpose: RunPurpose, isPacked: Bool) {
    self.top = top
    self.purpose = purpose
    self.isPacked = isPacked
  }

  mutating func settings() throws -> RunSettings {
    top.allow("_target_", "recipe", "packed_sequence")
    top.allow(Self.sections)
    try top.finish()
    for (name, keys) in BridgeKeys.sections.sorted(by: { $0.key < $1.key }) {
      try ignoreSection(name, keys)
    }
    if let variables = try top.section("env_vars") {
      variables.ignore(variables.node.members?.map(\.key) ?? [])
    }
    let shape = try readModel()
    self.shape = shape
    let length = try readLength()
    let training = try readTrain()
    let checkpoint = try readCheckpoint()
    let source = try source(shape, checkpoint.pretrained, length: length)
    var validation = try readValidation()
    let data = try readData(length: length, source, shape, holdsOut: validation.every != nil)
    validation.data = data.held
    var settings = RunSettings(name: "", model: source, data: data.source)
    settings.tokenizer = data.tokenizer
    settings.numbers = try readPrecision(shape)
    settings.batch = training.batch
    settings.batch.order = data.order
    settings.batch.dropsLast = true
    settings.length = training.length
    settings.validation = validation
    settings.recomputes = shape.recomputes
    settings.trainer = shape.trainer
    settings.saving = checkpoint.saving
    try readOptimiser(&settings)
    try readScheduler(&settings)
    settings.seed = try readSeed()
    settings.adapters = try readAdapters()
    try readLogger(&settings)
    return settings
  }

  private static let sections =
    BridgeKeys.sections.keys.sorted() + [
      "checkpoint", "dataset", "env_vars", "logger", "mixed_precision", "model", "optimizer",
      "peft",
      "rng", "scheduler", "tokenizer", "train", "validation",
    ]

  // MARK: Sections without effect

  private func ignoreSection(_ name: String, _ keys: [String]) throws(ConfigurationError) {
    guard let section = try top.section(name) else { return }
    section.allow("_target_")
    section.ignore(keys)
    try section.finish()
  }

  private func readSeed() throws(ConfigurationError) -> UInt64 {
    let section = try top.sectionOrEmpty("rng")
    section.allow("_target_")
    section.ignore(BridgeKeys.rng)
    let seed = try section.count("seed", default: 1234)
    try section.finish()
    return UInt64(seed)
  }

  // MARK: train

  struct Training {
    var batch = BatchSettings()
    var length = RunLength()
  }

  private func readTrain() throws(ConfigurationError) -> Training {
    let section = try top.sectionOrEmpty("train")
    section.allow("_target_")
    section.ignore(BridgeKeys.train)
    var training = Training()
    training.batch.micro = try section.positive("micro_batch_size", default: 1)
    training.batch.global = try section.positive(
      "global_batch_size", default: training.batch.micro)
    guard training.batch.global % training.batch.micro == 0 else {
      throw section.fault(
        "global_batch_size",
        "It must be a multiple of train.micro_batch_size (\(training.batch.micro)), and is "
          + "\(training.batch.global).")
    }
    training.length.steps = try section.positive("train_iters")
    if let samples = try section.positive("train_samples") {
      guard training.length.steps == nil else {
        throw section.fault("train_samples", "Give train_iters or train_samples, not both.")
      }
      training.length.steps = max(1, samples / training.batch.global)
    }
    training.length.epochs = try section.positive("num_epochs")
    training.length.pauseEvery = try section.positive("exit_interval")
    training.length.minutes = try section.number("exit_duration_in_mins")
    for key in ["rampup_batch_size", "step_batch_size_schedule"] where section.find(key) != nil {
      throw section.fault(key, "Batches that grow are not done here; leave it out.")
    }
    if let skipped = try section.numbers("iterations_to_skip"), !skipped.isEmpty {
      throw section.fault("iterations_to_skip", "Steps are not left out here; leave it out.")
    }
    section.allow("eval_iters", "eval_interval", "skip_train")
    // A misspelt key is also a missing one; its spelling is what the user wants to hear of.
    try section.finish()
    guard training.length.steps != nil || training.length.epochs != nil else {
      throw section.fault(
        "train_iters", "Nothing says how long the run is. Give train_iters (steps) or num_epochs.")
    }
    return training
  }

  // MARK: validation

  /// `validation.*`, and the same keys of `train`, where older versions have them.
  private func readValidation() throws(ConfigurationError) -> ValidationSettings {
    let section = try top.sectionOrEmpty("validation")
    section.allow("_target_")
    section.ignore(BridgeKeys.validation)
    let older = try top.sectionOrEmpty("train")
    for part in [section, older] where part.has("skip_train") {
      if try part.flag("skip_train") == true {
        throw part.fault("skip_train", "Use train evaluate to judge a model without training it.")
      }
    }
    var settings = ValidationSettings()
    // The older key counts only where the newer one says nothing, or less nearly.
    func newer(_ key: String) -> ConfigurationSection {
      older.has(key) && older.origin(key).rank > section.origin(key).rank ? older : section
    }
    let batches = try newer("eval_iters").count("eval_iters", default: 100)
    settings.batches = try section.flag("full_validation", default: false) ? nil : batches
    settings.every = try newer("eval_interval").count("eval_interval")
    if settings.every == 0 || batches == 0 && settings.batches != nil { settings.every = nil }
    try section.finish()
    return settings
  }
}
