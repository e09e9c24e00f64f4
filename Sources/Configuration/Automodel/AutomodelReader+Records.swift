import JSON
import Training

/// `checkpoint`, `wandb`, `mlflow`: what is kept of a run, and who is told.
extension AutomodelReader {
  func readCheckpoint(
    _ steps: SavingSettings
  ) throws(ConfigurationError) -> SavingSettings {
    var saving = steps
    let section = try top.sectionOrEmpty("checkpoint")
    section.allow("_target_")
    section.ignore(AutomodelKeys.checkpoint)
    let folder = try section.string("checkpoint_dir", default: "checkpoints/")
    saving.folder = try section.flag("enabled", default: true) ? folder : nil
    saving.keeps = try section.positive("max_recent_checkpoints")
    switch try section.string("save_consolidated", default: "final").lowercased() {
    case "false", "none": saving.huggingFace = .never
    case "final": saving.huggingFace = .atEnd
    case "true", "every": saving.huggingFace = .always
    case let other:
      throw section.fault("save_consolidated", "It must be false, final or every, not “\(other)”.")
    }
    if let place = try section.string("restore_from"), place.uppercased() != "LATEST" {
      saving.load =
        place.contains("/") ? place : folder + (folder.hasSuffix("/") ? "" : "/") + place
    }
    try section.finish()
    return saving
  }

  func readWatching(
    _ saving: SavingSettings
  ) throws(ConfigurationError) -> WatchingSettings {
    var watching = WatchingSettings()
    watching.names = .automodel
    if saving.folder == nil {
      watching.folder =
        try top.sectionOrEmpty("checkpoint").string("checkpoint_dir") ?? "checkpoints/"
    }
    if let section = try top.section("wandb") {
      let isOn = try section.flag(section.has("enable") ? "enable" : "enabled", default: true)
      section.allow("enable", "enabled")
      var run = WatchingSettings.WeightsAndBiases(
        project: try section.string("project", default: "automodel"))
      let name = try section.string("name")
      run.name = name == "" ? nil : name
      run.entity = try section.string("entity")
      run.group = try section.string("group")
      run.tags = try section.strings("tags") ?? []
      run.folder = try section.string(section.has("dir") ? "dir" : "save_dir")
      section.allow("dir", "save_dir", "_target_")
      let mode = try section.string("mode")
      section.ignore(["notes", "resume", "settings", "id", "job_type", "extra"])
      try section.finish()
      if isOn, mode != "disabled" { watching.weightsAndBiases = run }
    }
    if let section = try top.section("mlflow") {
      var mlflow = WatchingSettings.MLflow(
        experiment: try section.string("experiment_name", default: "automodel-experiment"))
      let name = try section.string("run_name")
      mlflow.name = name == "" ? nil : name
      mlflow.place = try BridgeReader.folder(
        try section.string("tracking_uri"), section, "tracking_uri")
      for (key, value) in try section.section("tags")?.words() ?? [] { mlflow.tags[key] = value }
      section.allow("_target_")
      section.ignore(["artifact_location", "resume", "description", "flatten_depth"])
      try section.finish()
      watching.mlflow = mlflow
    }
    return watching
  }
}
