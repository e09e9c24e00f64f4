import Engine
import Training

/// `optimizer`, `lr_scheduler`, `peft`: how a run learns.
extension AutomodelReader {
  func readOptimiser(_ settings: inout RunSettings) throws(ConfigurationError) {
    let section = try top.sectionOrEmpty("optimizer")
    let target = try section.string("_target_", default: "torch.optim.AdamW")
    let name = Self.last(target).lowercased()
    let isTorch = target.hasPrefix("torch.optim.")
    // Automodel's own classes begin with other numbers than PyTorch's.
    let decays = name.contains("adamw") || !isTorch
    let rate = try section.number("lr", default: isTorch ? 1e-3 : 1e-4)
    let decay = try section.number("weight_decay", default: decays ? 0.01 : 0)
    switch name {
    case "adamw", "adamwconfig", "flashadamw", "flashadamwconfig": break
    case "fusedadam", "fusedadamconfig", "fused_adam":
      guard try section.flag("adam_w_mode", default: true) || decay == 0 else {
        throw section.fault("adam_w_mode", "Weight decay inside the gradient is not done here.")
      }
      for key in ["exp_avg_dtype", "exp_avg_sq_dtype", "master_weight_dtype"] {
        if let type = try section.type(key), type != .float32 {
          throw section.fault(key, "The optimiser keeps float32 here; leave it out.")
        }
      }
    case "adam", "adamconfig":
      guard decay == 0 else {
        throw section.fault(
          "weight_decay",
          "Adam adds it to the gradient, which is not done here. Set it to 0, or take torch.optim.AdamW."
        )
      }
    default:
      throw section.fault(
        "_target_",
        "Adam and AdamW are done here (torch.optim.Adam, torch.optim.AdamW), not \(target).")
    }
    section.allow("adam_w_mode", "exp_avg_dtype", "exp_avg_sq_dtype", "master_weight_dtype")
    guard rate > 0 else { throw section.fault("lr", "It must be above 0.") }
    if try section.flag("amsgrad") == true {
      throw section.fault("amsgrad", "This is not done here; leave it out.")
    }
    if section.find("param_group_overrides")?.node.items?.isEmpty == false {
      throw section.fault("param_group_overrides", "All parameters learn alike here; leave it out.")
    }
    section.allow("param_group_overrides")
    section.ignore(AutomodelKeys.optimiser)
    let betas = try section.numbers("betas") ?? [0.9, 0.999]
    guard betas.count == 2, betas.allSatisfy({ (0..<1).contains($0) }) else {
      throw section.fault("betas", "It must be two numbers from 0 to 1.")
    }
    settings.optimiser.beta1 = betas[0]
    settings.optimiser.beta2 = betas[1]
    settings.optimiser.eps = try section.number("eps", default: 1e-8)
    settings.optimiser.decaysVectors = true
    try section.finish()
    settings.schedule.decay = .constant
    settings.schedule.rate = rate
    settings.schedule.startDecay = decay
    settings.schedule.endDecay = decay
  }

  /// `lr_scheduler`; without one the rate stays what it is.
  func readScheduler(_ settings: inout RunSettings) throws(ConfigurationError) {
    guard let section = try top.section("lr_scheduler") else { return }
    section.allow("_target_")
    let rate = try section.number("max_lr") ?? settings.schedule.rate
    settings.schedule.firstRate = try section.number(
      "init_lr", default: 0.1 * settings.schedule.rate)
    settings.schedule.leastRate = try section.number(
      "min_lr", default: 0.01 * settings.schedule.rate)
    settings.schedule.rate = rate
    guard rate >= settings.schedule.leastRate else {
      throw section.fault("min_lr", "It must not be above the learning rate (\(rate)).")
    }
    settings.schedule.warmUp =
      try section.count("lr_warmup_steps").map(ScheduleSettings.Steps.steps) ?? .tenth
    settings.schedule.length = try section.positive("lr_decay_steps")
    let falling = try section.positive("wsd_decay_steps")
    let fall = try section.choice("lr_wsd_decay_style", of: FallWord.self, default: .exponential)
    settings.schedule.decay = try section.decay(
      "lr_decay_style", default: .cosine, falling: ("wsd_decay_steps", falling), fall)
    settings.schedule.startDecay =
      try section.number("start_wd") ?? settings.schedule.startDecay
    settings.schedule.endDecay = try section.number("end_wd") ?? settings.schedule.endDecay
    settings.schedule.growth = try section.choice(
      "wd_incr_style", of: GrowthWord.self, default: .constant
    ).growth
    if try section.positive("wd_incr_steps") != nil {
      throw section.fault(
        "wd_incr_steps", "Weight decay grows over the whole run here; leave it out.")
    }
    section.ignore(["override_opt_param_scheduler", "use_checkpoint_opt_param_scheduler"])
    try section.finish()
  }

  // MARK: peft

  func readAdapters() throws(ConfigurationError) -> AdapterSettings? {
    guard let section = try top.section("peft") else { return nil }
    section.allow("_target_")
    var adapters = AdapterSettings()
    adapters.kind = .parts
    adapters.initial = try section.string("initial_adapter")
    adapters.rank = try section.positive("dim", default: 8)
    adapters.alpha = try section.number("alpha", default: 32)
    adapters.targets = try section.strings("target_modules") ?? []
    adapters.excluded = try section.strings("exclude_modules") ?? []
    adapters.matchesAll = try section.flag("match_all_linear", default: false)
    if adapters.targets == ["*"] { adapters.matchesAll = true }
    adapters.hasMagnitude = try section.flag("use_dora", default: false)
    adapters.dropout = try section.number("dropout", default: 0)
    guard (0..<1).contains(adapters.dropout) else {
      throw section.fault("dropout", "It must be at least 0 and below 1.")
    }
    let position = try section.choice(
      "dropout_position", of: DropoutPosition.self, default: .post)
    adapters.dropsInputs = position == .pre
    section.allow("lora_A_init_method")
    let key = section.has("lora_A_init_method") ? "lora_A_init_method" : "lora_A_init"
    switch try section.string(key, default: "xavier") {
    case "xavier": adapters.start = .xavier
    case "uniform", "kaiming": adapters.start = .kaiming
    case let other: throw section.fault(key, "It must be xavier or uniform, not “\(other)”.")
    }
    if try section.flag("moe_rank_scaling") == true {
      throw section.fault("moe_rank_scaling", "Experts' adapters have the rank of the others here.")
    }
    guard adapters.matchesAll || !adapters.targets.isEmpty || !adapters.excluded.isEmpty else {
      throw section.fault(
        "target_modules",
        "Nothing says what is adapted. Give target_modules, or match_all_linear: true.")
    }
    section.ignore([
      "expert_weight_format", "lora_dtype", "use_memory_efficient_lora", "use_triton", "peft_fn",
    ])
    try section.finish()
    return adapters
  }
}
