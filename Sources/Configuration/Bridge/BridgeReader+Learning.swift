import Engine
import Kernels
import Training

/// `optimizer`, `scheduler`, `mixed_precision`, `peft`: how a run learns.
extension BridgeReader {
  func readOptimiser(_ settings: inout RunSettings) throws(ConfigurationError) {
    let section = try top.sectionOrEmpty("optimizer")
    section.allow("_target_")
    section.ignore(BridgeKeys.optimizer)
    let name = try section.string("optimizer", default: "adam")
    guard ["adam", "adamw"].contains(name) else {
      throw section.fault("optimizer", "Only adam (AdamW) is done here, not “\(name)”.")
    }
    let wish = try section.number("lr")
    settings.schedule.leastRate = try section.number("min_lr", default: 0)
    let decay = try section.number("weight_decay", default: 0.01)
    settings.schedule.startDecay = decay
    settings.schedule.endDecay = decay
    settings.optimiser.beta1 = try share(section, "adam_beta1", default: 0.9)
    settings.optimiser.beta2 = try share(section, "adam_beta2", default: 0.999)
    settings.optimiser.eps = try section.number("adam_eps", default: 1e-8)
    let clip = try section.number("clip_grad", default: 1)
    settings.trainer.clip = clip > 0 ? clip : nil
    settings.optimiser.precision = try precision(section)
    if try section.flag("decoupled_weight_decay") == false, decay != 0 {
      throw section.fault(
        "decoupled_weight_decay",
        "Weight decay inside the gradient (Adam instead of AdamW) is not done here.")
    }
    for key in ["fp16", "apply_wd_to_qk_layernorm"] where try section.flag(key) == true {
      throw section.fault(key, "This is not done here; leave it out.")
    }
    for key in ["decoupled_lr", "decoupled_min_lr"] where try section.number(key) != nil {
      throw section.fault(key, "Embeddings have no learning rate of their own here; leave it out.")
    }
    if let threshold = section.find("grad_norm_skip_threshold"),
      ![".inf", "inf", "Infinity"].contains(threshold.node.scalar ?? "")
    {
      throw threshold.wrong("Steps are not left out here; leave it out.")
    }
    try section.finish()
    guard let rate = wish, rate > 0 else {
      throw section.fault("lr", "The learning rate is missing, or not above 0.")
    }
    settings.schedule.rate = rate
    guard (0...rate).contains(settings.schedule.leastRate) else {
      throw section.fault("min_lr", "It must be from 0 to the learning rate (\(rate)).")
    }
  }

  private func share(
    _ section: ConfigurationSection, _ key: String, default fallback: Double
  ) throws(ConfigurationError) -> Double {
    let value = try section.number(key, default: fallback)
    guard (0..<1).contains(value) else {
      throw section.fault(key, "It must be at least 0 and below 1, and is \(value).")
    }
    return value
  }

  /// What AdamW keeps: everything in float32, or (with the precision-aware optimizer) everything in bfloat16.
  private func precision(
    _ section: ConfigurationSection
  ) throws(ConfigurationError) -> AdamW.Precision {
    var types: [Numbers] = []
    for key in ["main_params_dtype", "exp_avg_dtype", "exp_avg_sq_dtype"] {
      types.append(try section.type(key) ?? .float32)
    }
    if types.allSatisfy({ $0 == .float32 }) { return .full }
    guard types.allSatisfy({ $0 == .bfloat16 }) else {
      throw section.fault(
        "exp_avg_dtype",
        "main_params_dtype, exp_avg_dtype and exp_avg_sq_dtype must be all float32 or all bfloat16."
      )
    }
    return .half
  }

  // MARK: scheduler

  func readScheduler(_ settings: inout RunSettings) throws(ConfigurationError) {
    let section = try top.sectionOrEmpty("scheduler")
    section.allow("_target_")
    section.ignore(BridgeKeys.scheduler)
    let global = settings.batch.global
    settings.schedule.length = try steps(section, "lr_decay_iters", "lr_decay_samples", global)
    // The peer calls it so on its newer branch.
    if let steps = try section.positive("max_steps") { settings.schedule.length = steps }
    let falling = try steps(section, "lr_wsd_decay_iters", "lr_wsd_decay_samples", global)
    let fall = try section.choice("lr_wsd_decay_style", of: FallWord.self, default: .exponential)
    settings.schedule.decay = try section.decay(
      "lr_decay_style", default: .linear, falling: ("lr_wsd_decay_iters", falling), fall)
    settings.schedule.warmUp = try warmUp(section, global)
    settings.schedule.firstRate = try section.number("lr_warmup_init", default: 0)
    let decay = settings.schedule.startDecay
    settings.schedule.startDecay = try section.number("start_weight_decay", default: decay)
    settings.schedule.endDecay = try section.number("end_weight_decay", default: decay)
    settings.schedule.growth = try section.choice(
      "weight_decay_incr_style", of: GrowthWord.self, default: .constant
    ).growth
    if section.find("no_weight_decay_cond_type") != nil {
      throw section.fault("no_weight_decay_cond_type", "This is not done here; leave it out.")
    }
    try section.finish()
  }

  private func steps(
    _ section: ConfigurationSection, _ key: String, _ samples: String, _ global: Int
  ) throws(ConfigurationError) -> Int? {
    let steps = try section.positive(key)
    guard let number = try section.positive(samples) else { return steps }
    guard steps == nil else { throw section.fault(samples, "Give \(key) or \(samples), not both.") }
    return max(1, number / global)
  }

  private func warmUp(
    _ section: ConfigurationSection, _ global: Int
  ) throws(ConfigurationError) -> ScheduleSettings.Steps {
    let steps = try section.count("lr_warmup_iters", default: 0)
    let samples = try section.count("lr_warmup_samples", default: 0)
    guard let share = try section.number("lr_warmup_fraction") else {
      return .steps(steps > 0 ? steps : samples / global)
    }
    guard (0...1).contains(share) else {
      throw section.fault("lr_warmup_fraction", "It must be from 0 to 1, and is \(share).")
    }
    // A recipe's own steps give way to a share that a person asked for.
    guard
      steps == 0 && samples == 0
        || section.origin("lr_warmup_fraction").rank > section.origin("lr_warmup_iters").rank
    else {
      throw section.fault(
        "lr_warmup_fraction", "Give lr_warmup_fraction or lr_warmup_iters, not both.")
    }
    return .share(share)
  }

  // MARK: mixed_precision

  func readPrecision(_ shape: ModelShape) throws(ConfigurationError) -> Numbers {
    guard let found = top.find("mixed_precision") else { return shape.numbers ?? .bfloat16 }
    if found.node.scalar != nil {
      let name = try top.string("mixed_precision") ?? ""
      switch name.replacing("-", with: "_") {
      case "bf16_mixed", "bf16": return .bfloat16
      case "fp32", "32", "float32": return .float32
      default:
        throw found.wrong(
          "It must be bf16_mixed, or null with model.params_dtype for float32; fp16, fp8 and fp4 "
            + "are not computed here, so “\(name)” is not.")
      }
    }
    guard let section = try top.section("mixed_precision") else { return .bfloat16 }
    section.allow("_target_")
    section.ignore(BridgeKeys.mixedPrecision)
    for key in ["fp8", "fp4"] where section.find(key) != nil {
      throw section.fault(key, "Numbers of 8 or 4 bits are not computed here; leave it out.")
    }
    if try section.flag("fp16") == true {
      throw section.fault("fp16", "float16 is not computed here; bf16 and fp32 are.")
    }
    let type = try section.type("params_dtype")
    let isHalf = try section.flag("bf16") ?? (type == .bfloat16)
    _ = try section.flag("fp32")
    try section.finish()
    return isHalf ? .bfloat16 : .float32
  }

  // MARK: peft

  private enum FirstInputs: String, CaseIterable {
    case xavier, kaiming, normal, uniform

    var start: PlannedPair.FreshInputs? {
      switch self {
      case .xavier: .xavier
      case .kaiming: .kaiming
      case .normal: .normal
      case .uniform: nil
      }
    }
  }

  func readAdapters() throws(ConfigurationError) -> AdapterSettings? {
    guard let section = try top.section("peft") else { return nil }
    let target = try section.string("_target_", default: "megatron.bridge.peft.lora.LoRA")
    var adapters = AdapterSettings()
    switch target.split(separator: ".").last.map({ $0.lowercased() }) {
    case "lora": adapters.kind = .lora
    case "dora": adapters.kind = .dora
    case "canonicallora": adapters.kind = .canonical
    default:
      throw section.fault(
        "_target_", "It must be LoRA, DoRA or CanonicalLoRA of megatron.bridge.peft, not \(target)."
      )
    }
    let isDoRA = adapters.kind == .dora
    adapters.rank = try section.positive("dim", default: 32)
    adapters.alpha = try section.number("alpha", default: isDoRA ? 64 : 32)
    adapters.dropout = try section.number("dropout", default: 0)
    guard (0..<1).contains(adapters.dropout) else {
      throw section.fault("dropout", "It must be at least 0 and below 1.")
    }
    let position = try section.choice(
      "dropout_position", of: DropoutPosition.self, default: .pre)
    adapters.dropsInputs = position == .pre
    let first = try section.choice(
      "lora_A_init_method", of: FirstInputs.self, default: .xavier)
    guard let start = first.start else {
      throw section.fault("lora_A_init_method", "It must be xavier, kaiming or normal.")
    }
    adapters.start = start
    adapters.initial = try section.string("initial_adapter")
    if let other = try section.string("lora_B_init_method"), other != "zero" {
      throw section.fault(
        "lora_B_init_method", "B begins with zeros, so that a run begins where its base ends.")
    }
    adapters.targets =
      try section.strings("target_modules")
      ?? (adapters.kind == .canonical
        ? [
          "linear_q", "linear_k", "linear_v", "linear_proj", "linear_fc1_up", "linear_fc1_gate",
          "linear_fc2",
        ] : ["linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"])
    adapters.excluded = try section.strings("exclude_modules") ?? []
    for key in ["normalize_moe_lora", "experts_shared_outer_loras"]
    where try section.flag(key) == true {
      throw section.fault(key, "This is not done here; leave it out.")
    }
    if try section.flag("share_expert_adapters") == false {
      throw section.fault(
        "share_expert_adapters", "Experts share an adapter here; leave it out.")
    }
    if let type = try section.type("lora_dtype"), type == .float64 {
      throw section.fault("lora_dtype", "Adapters have the type that is computed in.")
    }
    section.ignore(BridgeKeys.peft)
    try section.finish()
    return adapters
  }
}

extension ConfigurationSection {
  /// A type of numbers: `torch.bfloat16`, `bf16`, or a section that names it as `_target_`.
  func type(_ key: String) throws(ConfigurationError) -> Numbers? {
    guard let found = find(key) else { return nil }
    let name: String
    if found.node.members != nil {
      guard let section = try section(key) else { return nil }
      name = try section.string("_target_") ?? ""
      section.allow("_call_", "_args_")
      try section.finish()
    } else {
      name = try string(key) ?? ""
    }
    switch name.split(separator: ".").last.map(String.init) {
    case "bfloat16", "bf16": return .bfloat16
    case "float32", "float", "fp32": return .float32
    default:
      throw found.wrong("It must be torch.float32 or torch.bfloat16, not “\(name)”.")
    }
  }
}
