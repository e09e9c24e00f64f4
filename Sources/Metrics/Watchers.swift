import Tensors

/// Everything that is to be told of a run, and where.
public struct WatchingPlan: Sendable {
  /// The folder of training.jsonl, validation.jsonl and the report.
  public var folder: String
  public var names = MetricNames.megatron(.standard)
  /// The folder of TensorBoard's event files.
  public var tensorBoard: String?
  /// Steps between two that TensorBoard is told of.
  public var tensorBoardEvery = 1
  public var weightsAndBiases: WeightsAndBiasesOptions?
  public var mlflow: MLflowOptions?
  /// Whether report.html and the pictures of the losses are made at the end.
  public var makesReport = true

  public init(folder: String) { self.folder = folder }

  /// Makes the writers, each of them kept from harming the run.
  ///
  /// - Parameter warn: takes a sentence where one of them gives up.
  /// - Throws: where a place cannot be written to at all, which is better known before the first step.
  public func writers(
    for description: RunDescription, warn: @escaping (String) -> Void
  ) throws -> [any MetricsWriter] {
    func careful(_ name: String, _ writer: any MetricsWriter) -> any MetricsWriter {
      CarefulWriter(writer, name: name, warn: warn)
    }
    var writers = [
      careful(
        "The log \(JSONLinesWriter.trainingName)",
        try JSONLinesWriter(folder: folder, description))
    ]
    if let tensorBoard {
      let metrics: MegatronMetrics =
        if case .megatron(let metrics) = names { metrics } else { .standard }
      writers.append(
        careful(
          "TensorBoard's event file",
          try TensorBoardWriter(
            folder: tensorBoard, every: tensorBoardEvery, metrics: metrics, description)))
    }
    if let weightsAndBiases {
      writers.append(
        careful(
          "The run for Weights & Biases",
          try WeightsAndBiasesWriter(weightsAndBiases, names: names, description)))
    }
    if let mlflow {
      writers.append(
        careful("The run for MLflow", try MLflowWriter(mlflow, names: names, description)))
    }
    if makesReport {
      writers.append(careful("The report", try ReportWriter(folder: folder, description)))
    }
    return writers
  }
}

extension WatchingPlan {
  /// How the records are opened with the programs they are for: a name, and a command.
  public func openings(for description: RunDescription) -> [(name: String, words: [String])] {
    let places = try? WatchedPlaces(description.folder)
    var openings: [(name: String, words: [String])] = []
    if let tensorBoard {
      openings.append(("TensorBoard", ["tensorboard", "--logdir", tensorBoard]))
    }
    if weightsAndBiases != nil, let file = places?[WeightsAndBiasesWriter.place].first {
      openings.append(("W&B", ["wandb", "sync", Folder.parent(file)]))
    }
    if mlflow != nil, let run = places?[MLflowWriter.place].first {
      let store = Folder.parent(Folder.parent(run))
      openings.append(
        (
          "MLflow",
          ["env", "MLFLOW_ALLOW_FILE_STORE=true", "mlflow", "ui", "--backend-store-uri", store]
        ))
    }
    return openings
  }
}
