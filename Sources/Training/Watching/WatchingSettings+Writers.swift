import Metrics
import Tensors

extension WatchingSettings {
  /// Where a run's records go, with what its settings leave open filled in.
  ///
  /// - Parameter folder: the run folder.
  public func plan(in folder: String) -> WatchingPlan {
    var plan = WatchingPlan(folder: self.folder ?? folder)
    plan.names = names
    plan.tensorBoard = tensorBoard
    plan.tensorBoardEvery = tensorBoardEvery
    plan.makesReport = makesReport
    plan.weightsAndBiases = weightsAndBiases.map { settings in
      var options = WeightsAndBiasesOptions(
        project: settings.project, folder: settings.folder ?? folder)
      options.name = settings.name
      options.entity = settings.entity
      options.group = settings.group
      options.tags = settings.tags
      return options
    }
    plan.mlflow = mlflow.map { settings in
      var options = MLflowOptions(
        experiment: settings.experiment, place: settings.place ?? folder + "/mlruns")
      options.name = settings.name
      options.tags = settings.tags
      return options
    }
    return plan
  }

  /// Makes everything that writes a run down; add them to `TrainingRun.writers` before it starts.
  ///
  /// - Parameters:
  ///   - description: the run's, as complete as `TrainingRun.description`.
  ///   - warn: takes a sentence where a writer gives up during the run.
  /// - Throws: where a place cannot be written to at all.
  public func writers(
    for description: RunDescription, warn: @escaping (String) -> Void
  ) throws -> [any MetricsWriter] {
    try plan(in: description.folder).writers(for: description, warn: warn)
  }
}
