import Checkpoints
import Data
import Engine
import JSON
import Kernels
import Tensors
import Training

/// Reads a YAML of NeMo Automodel (0.7) as it is, with Automodel's defaults.
///
/// Every key is decided, as in `BridgeReader`. Sections name Python's classes as `_target_`; what they stand for here is
/// told from the last word of the name.
struct AutomodelReader {
  let top: ConfigurationSection
  let purpose: RunPurpose
  var notes: [String] = []

  init(_ top: ConfigurationSection, _ purpose: RunPurpose) {
    self.top = top
    self.purpose = purpose
  }

  mutating func settings() throws -> RunSettings {
    try readRecipe()
    let model = try readModel()
    let steps = try readSteps()
    let seed = try readSeed()
    let data = try readData(model.source, seed: seed)
    var settings = RunSettings(name: "", model: model.source, data: data.source)
    settings.numbers = model.numbers
    settings.seed = UInt64(seed.model)
    settings.batch = steps.batch
    settings.batch.order = data.order
    settings.batch.dropsLast = data.dropsLast
    settings.length = steps.length
    settings.validation = steps.validation
    settings.validation.data = data.held
    settings.recomputes = try readDistribution()
    settings.trainer.averaging = .tokens
    settings.trainer.clip = try readClip()
    try readOptimiser(&settings)
    try readScheduler(&settings)
    settings.adapters = try readAdapters()
    settings.saving = try readCheckpoint(steps.saving)
    settings.watching = try readWatching(settings.saving)
    settings.name = settings.watching.weightsAndBiases?.name ?? settings.watching.mlflow?.name ?? ""
    try readRest()
    try top.finish()
    return settings
  }

  // MARK: recipe

  /// `recipe`: a class by its bare name, its full path, or as a section's `_target_`.
  private func readRecipe() throws(ConfigurationError) {
    guard let found = top.find("recipe") else { return }
    let name: String
    if let section = found.node.members == nil ? nil : try top.section("recipe") {
      name = try section.string("_target_") ?? ""
      try section.finish()
    } else {
      name = try top.string("recipe") ?? ""
    }
    let known = ["TrainFinetuneRecipeForNextTokenPrediction", "TrainNextTokenPredictionRecipe"]
    guard known.contains(Self.last(name)) else {
      throw found.wrong(
        "Of Automodel's recipes only \(known[0]) is done here (training on the next token), not \(name)."
      )
    }
  }

  /// The last word of a dotted name; of `path.py:name` what stands behind the colon.
  static func last(_ name: String) -> String {
    name.split(whereSeparator: { $0 == "." || $0 == ":" }).last.map(String.init) ?? name
  }

  // MARK: step_scheduler

  struct Steps {
    var batch = BatchSettings()
    var length = RunLength()
    var validation = ValidationSettings()
    var saving = SavingSettings()
  }

  private func readSteps() throws(ConfigurationError) -> Steps {
    let section = try top.sectionOrEmpty("step_scheduler")
    section.allow("_target_")
    var steps = Steps()
    steps.batch.micro = try section.positive("local_batch_size", default: 1)
    steps.batch.global = try section.positive("global_batch_size", default: 32)
    guard steps.batch.global % steps.batch.micro == 0 else {
      throw section.fault(
        "global_batch_size",
        "It must be a multiple of local_batch_size (\(steps.batch.micro)), and is \(steps.batch.global)."
      )
    }
    steps.length.epochs = try section.positive("num_epochs", default: 10)
    steps.length.steps = try section.positive("max_steps")
    steps.saving.every = try section.positive("ckpt_every_steps", default: 100)
    steps.saving.atEpochs = try section.flag("save_checkpoint_every_epoch", default: true)
    steps.validation.every = try section.positive("val_every_steps")
    steps.validation.whenSaving = try section.flag("validate_on_checkpoint", default: true)
    section.ignore([
      "gc_every_steps", "log_remote_every_steps", "loss_average_window_steps", "preemption_signal",
    ])
    for key in ["start_step", "start_epoch"] {
      if let number = try section.count(key), number > 0 {
        throw section.fault(
          key, "A run goes on from a checkpoint; name it with checkpoint.restore_from.")
      }
    }
    try section.finish()
    return steps
  }

  // MARK: seed, rng

  struct Seed {
    /// Of fresh weights.
    var model: Int
    /// Of the order of samples.
    var order: Int
  }

  /// Automodel 0.7 shuffles by the seed at the top, 42 by default, whatever `rng` says; earlier ones drew by `rng`.
  private func readSeed() throws(ConfigurationError) -> Seed {
    let top = try top.count("seed")
    var seed = Seed(model: top ?? 42, order: top ?? 42)
    if let section = try self.top.section("rng") {
      section.allow("_target_", "ranked")
      if let own = try section.count("seed"), top == nil { seed.model = own }
      try section.finish()
    }
    return seed
  }

  // MARK: distributed, compile, clip_grad_norm, loss_fn

  /// What can say nothing to one process but whether activations are kept.
  private func readDistribution() throws(ConfigurationError) -> Bool {
    var recomputes = false
    if let section = try top.section("distributed") {
      let wish = try section.string("activation_checkpointing") ?? "false"
      recomputes = !["false", "none", "no"].contains(wish.lowercased())
      section.allow("_target_")
      section.ignore(AutomodelKeys.distributed)
      try section.finish()
    }
    for (name, keys) in AutomodelKeys.sections.sorted(by: { $0.key < $1.key }) {
      guard let section = try top.section(name) else { continue }
      section.allow("_target_", "enabled")
      section.ignore(keys)
      try section.finish()
    }
    return recomputes
  }

  private func readClip() throws(ConfigurationError) -> Double? {
    let section = try top.sectionOrEmpty("clip_grad_norm")
    let clip = try section.number("max_norm", default: 1)
    section.allow("_target_")
    section.ignore(["backend", "foreach", "norm_type", "error_if_nonfinite"])
    try section.finish()
    return clip > 0 ? clip : nil
  }

  /// Losses that are the cross entropy of what is labelled, however they are computed; and all that is not done.
  private func readRest() throws(ConfigurationError) {
    if let section = try top.section("loss_fn") {
      let name = Self.last(try section.string("_target_") ?? "MaskedCrossEntropy")
      guard
        AutomodelKeys.losses.contains(name.hasSuffix("Config") ? String(name.dropLast(6)) : name)
      else {
        throw section.fault(
          "_target_", "Only the cross entropy of the next token is learnt here, not \(name).")
      }
      section.ignore([
        "chunk_len", "compile", "fp32_upcast", "impl", "logit_softcapping", "tp_group",
      ])
      if let index = try section.integer("ignore_index"), index != -100 {
        throw section.fault("ignore_index", "Labels that are left out are -100.")
      }
      if let reduction = try section.string("reduction"), !["sum", "mean"].contains(reduction) {
        throw section.fault("reduction", "It must be sum or mean.")
      }
      try section.finish()
    }
    for (name, reason) in AutomodelKeys.refused {
      guard let found = top.find(name) else { continue }
      let isOff = found.node["enabled"]?.json == .bool(false) || found.node.json == .bool(false)
      if !isOff { throw found.wrong(reason + " Take the section away.") }
    }
    top.ignore(AutomodelKeys.ignoredSections)
    // Parts that anchors take from, and what is commented out by its name.
    for member in top.node.members ?? [] where member.key.hasPrefix("_") { top.allow(member.key) }
  }
}
