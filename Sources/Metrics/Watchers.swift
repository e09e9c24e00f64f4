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
    return writers
  }
}
