import Metrics
import Tensors
import Training

/// `checkpoint`, `logger`: what is kept of a run, and who is told.
extension BridgeReader {
  struct Checkpoint {
    var saving = SavingSettings()
    /// What a run begins with.
    var pretrained: String?
  }

  func readCheckpoint() throws(ConfigurationError) -> Checkpoint {
    let section = try top.sectionOrEmpty("checkpoint")
    section.allow("_target_")
    section.ignore(BridgeKeys.checkpoint)
    var result = Checkpoint()
    result.pretrained = try section.string("pretrained_checkpoint")
    result.saving.folder = try section.string("save")
    if let every = try section.integer("save_interval"), every > 0 { result.saving.every = every }
    if let newest = try section.integer("most_recent_k"), newest > 0 {
      result.saving.keeps = newest
    }
    result.saving.keepsOptimiser = try section.flag("save_optim", default: true)
    result.saving.keepsRandomness = try section.flag("save_rng", default: true)
    result.saving.loadsOptimiser = try section.flag("load_optim", default: true)
    result.saving.loadsRandomness = try section.flag("load_rng", default: true)
    result.saving.startsCounting = try section.flag("finetune", default: false)
    if try section.flag("also_save_hf_checkpoint", default: false) {
      result.saving.huggingFace = .always
    }
    let format = try section.string("ckpt_format", default: "torch_dist")
    guard format == "torch_dist" else {
      throw section.fault(
        "ckpt_format",
        "A run is saved as torch_dist; convert reshard --format \(format) makes the other of it.")
    }
    try readLoad(section, &result.saving)
    try section.finish()
    return result
  }

  /// Where the run goes on: `load` and `ckpt_step`.
  ///
  /// That a run loads what it saves is how going on is said; a folder that is not there yet is no fault then.
  private func readLoad(
    _ section: ConfigurationSection, _ saving: inout SavingSettings
  ) throws(ConfigurationError) {
    let step = try section.count("ckpt_step")
    guard let load = try section.string("load") else {
      guard step == nil else {
        throw section.fault(
          "ckpt_step", "It names an iteration of checkpoint.load, which is not given.")
      }
      return
    }
    if let step {
      let digits = String(step)
      let number = String(repeating: "0", count: max(0, 7 - digits.count)) + digits
      saving.load = load + "/iter_" + number
    } else if let folder = saving.folder, Folder.absolute(folder) == Folder.absolute(load) {
      saving.goesOn = true
    } else {
      saving.load = load
    }
  }

  func readLogger(_ settings: inout RunSettings) throws(ConfigurationError) {
    let section = try top.sectionOrEmpty("logger")
    section.allow("_target_")
    var watching = WatchingSettings()
    watching.every = try section.positive("log_interval", default: 100)
    watching.tensorBoard = try section.string("tensorboard_dir")
    watching.tensorBoardEvery = try section.positive("tensorboard_log_interval", default: 1)
    watching.names = .megatron(try Self.metrics(section))
    let project = try section.string("wandb_project")
    let name = try section.string("wandb_exp_name")
    let entity = try section.string("wandb_entity")
    let folder = try section.string("wandb_save_dir")
    if let project {
      var run = WatchingSettings.WeightsAndBiases(project: project)
      run.name = name
      run.entity = entity
      run.folder = folder
      watching.weightsAndBiases = run
    }
    let experiment = try section.string("mlflow_experiment")
    let run = try section.string("mlflow_run_name")
    let place = try section.string("mlflow_tracking_uri")
    let tags = try section.section("mlflow_tags")?.words() ?? []
    if let experiment {
      var mlflow = WatchingSettings.MLflow(experiment: experiment)
      mlflow.name = run
      mlflow.place = try Self.folder(place, section, "mlflow_tracking_uri")
      for (key, value) in tags { mlflow.tags[key] = value }
      watching.mlflow = mlflow
    }
    var metrics: MegatronMetrics = []
    for (key, metric, isOn) in Self.metrics where try section.flag(key) ?? isOn {
      metrics.insert(metric)
    }
    watching.names = .megatron(metrics)
    section.ignore(BridgeKeys.logger)
    settings.watching = watching
    settings.name = name ?? run ?? settings.name
    try section.finish()
  }

  /// Which metrics are told beyond those that always are.
  private static func metrics(
    _ section: ConfigurationSection
  ) throws(ConfigurationError) -> MegatronMetrics {
    let switches: [(key: String, metric: MegatronMetrics)] = [
      ("log_loss_scale_to_tensorboard", .lossScale),
      ("log_validation_ppl_to_tensorboard", .perplexity),
      ("log_memory_to_tensorboard", .memory),
      ("log_throughput_to_tensorboard", .throughput),
      ("log_runtime_to_tensorboard", .runtime),
      ("log_world_size_to_tensorboard", .worldSize),
      ("log_timers_to_tensorboard", .timers),
    ]
    var metrics: MegatronMetrics = []
    for (key, metric) in switches {
      let isStandard = MegatronMetrics.standard.contains(metric)
      if try section.flag(key, default: isStandard) { metrics.insert(metric) }
    }
    return metrics
  }

  /// The switches for what is told beyond what always is, and how they stand.
  private static let metrics: [(key: String, metric: MegatronMetrics, isOn: Bool)] = [
    ("log_loss_scale_to_tensorboard", .lossScale, true),
    ("log_validation_ppl_to_tensorboard", .perplexity, false),
    ("log_memory_to_tensorboard", .memory, false),
    ("log_throughput_to_tensorboard", .throughput, false),
    ("log_runtime_to_tensorboard", .runtime, false),
    ("log_world_size_to_tensorboard", .worldSize, false),
    ("log_timers_to_tensorboard", .timers, false),
  ]

  /// A folder of MLflow; servers are not spoken to.
  static func folder(
    _ place: String?, _ section: ConfigurationSection, _ key: String
  ) throws(ConfigurationError) -> String? {
    guard let place, place.contains("://"), !place.hasPrefix("file://") else { return place }
    throw section.fault(
      key, "Records go into a folder (mlruns, file:///…), not to a server; mlflow can take them up."
    )
  }
}
