import Blueprint
import Engine
import MegatronFormat
import Tensors

/// The state of a run that Megatron keeps in `common.pt`: the settings of the optimiser and of its schedule, and
/// where both stand.
///
/// It serves Megatron's distributed optimiser, that of 16-bit models and that of float32 ones, which look for the
/// same things in different places of it.
struct TrainingState {
  let progress: RunProgress
  let settings: RunSettings
  let optimiser: AdamW
  let schedule: Schedule
  /// Which groups there are: of parameters that weight decay pulls at, and of others.
  let groups: [Bool]
  let isFloat32: Bool

  init(_ progress: RunProgress, _ settings: RunSettings, _ trainer: Trainer, groups: [Bool]) {
    self.progress = progress
    self.settings = settings
    self.groups = groups
    optimiser = trainer.optimiser
    schedule = trainer.schedule
    isFloat32 = trainer.model.numbers == .float32
  }

  /// The bytes of `common.pt`.
  ///
  /// - Throws: `MegatronError.torchFile`, never in practice.
  func encoded() throws(MegatronError) -> [UInt8] {
    var fields: [(PickleValue, PickleValue)] = [
      (.string("checkpoint_version"), .float(3)),
      (.string("iteration"), .integer(progress.step)),
    ]
    if settings.saving.keepsOptimiser {
      fields.append((.string("optimizer"), try optimizer()))
      fields.append((.string("opt_param_scheduler"), scheduler))
    }
    fields.append((.string("content_metadata"), contentMetadata))
    let step = (0..<4).map {
      UInt8(truncatingIfNeeded: Float(optimiser.updates).bitPattern >> (8 * UInt32($0)))
    }
    return TorchZip.archive(
      of: .dictionary(PickleDictionary(fields.map { (key: $0.0, value: $0.1) })), name: "common",
      tensors: settings.saving.keepsOptimiser ? [step] : [])
  }

  private static func dictionary(_ items: [(String, PickleValue)]) -> PickleValue {
    .dictionary(PickleDictionary(items.map { (key: .string($0.0), value: $0.1) }))
  }

  private var contentMetadata: PickleValue {
    Self.dictionary([
      ("distrib_optim_sharding_type", .string("fully_reshardable")),
      ("distrib_optim_fully_reshardable_mem_efficient", .bool(false)),
      ("singleton_local_shards", .bool(false)), ("chained_optim_avoid_prefix", .bool(true)),
    ])
  }

  private func optimizer() throws(MegatronError) -> PickleValue {
    let step: PickleValue
    do throws(TorchFileError) {
      step = try .tensor(key: "0", dtype: .float32, shape: [])
    } catch { throw .torchFile(error) }
    let state = Self.dictionary([("common_step", step)])
    let groups = PickleValue.list(PickleList(groups.map(group)))
    var items: [(String, PickleValue)] = [
      ("optimizer", Self.dictionary([("state", state), ("param_groups", groups)])),
      ("param_state_sharding_type", .string("fully_reshardable")),
    ]
    if isFloat32 { items += [("state", state), ("param_groups", groups)] }
    return Self.dictionary(items)
  }

  /// One group of parameters, with the settings that PyTorch's AdamW and Transformer Engine's look for.
  private func group(_ decays: Bool) -> PickleValue {
    let updates = optimiser.updates
    let decay = schedule.weightDecay(at: updates)
    return Self.dictionary([
      ("is_expert_parallel", .bool(false)), ("default_config", .bool(true)),
      ("wd_mult", .float(decays ? 1 : 0)), ("lr_mult", .float(1)),
      ("is_decoupled_lr", .bool(false)), ("max_lr", .float(schedule.rate)),
      ("min_lr", .float(schedule.leastRate)), ("lr", .float(schedule.rate(at: updates))),
      ("bias_correction", .bool(true)),
      ("betas", .tuple([.float(optimiser.settings.beta1), .float(optimiser.settings.beta2)])),
      ("eps", .float(optimiser.settings.eps)), ("weight_decay", .float(decays ? decay : 0)),
      ("amsgrad", .bool(false)), ("maximize", .bool(false)), ("foreach", .none),
      ("capturable", .bool(false)), ("differentiable", .bool(false)), ("fused", .none),
      ("decoupled_weight_decay", .bool(true)), ("step", .integer(updates)),
    ])
  }

  /// Megatron counts the schedule in samples.
  private var scheduler: PickleValue {
    let batch = settings.batch.global
    return Self.dictionary([
      ("max_lr", .float(schedule.rate)), ("lr_warmup_steps", .integer(schedule.warmUp * batch)),
      ("num_steps", .integer(optimiser.updates * batch)),
      ("lr_decay_style", .string(schedule.decay.megatronName)),
      ("lr_decay_steps", .integer(schedule.length * batch)),
      ("min_lr", .float(schedule.leastRate)), ("start_wd", .float(schedule.startDecay)),
      ("end_wd", .float(schedule.endDecay)),
      ("wd_incr_style", .string(schedule.growth.megatronName)),
      ("wd_incr_steps", .integer(schedule.growthLength * batch)),
    ])
  }
}

extension Schedule.Decay {
  /// As Megatron's `lr_decay_style` has it.
  var megatronName: String {
    switch self {
    case .constant: "constant"
    case .linear: "linear"
    case .cosine: "cosine"
    case .inverseSquareRoot: "inverse-square-root"
    case .stable: "WSD"
    }
  }
}

extension Schedule.Fall {
  /// As Megatron's `lr_wsd_decay_style` has it.
  var megatronName: String {
    switch self {
    case .linear: "linear"
    case .cosine: "cosine"
    case .exponential: "exponential"
    case .squareRoot: "minus_sqrt"
    }
  }
}

extension Schedule.Growth {
  /// As Megatron's `weight_decay_incr_style` has it.
  var megatronName: String {
    switch self {
    case .constant: "constant"
    case .linear: "linear"
    case .cosine: "cosine"
    }
  }
}
