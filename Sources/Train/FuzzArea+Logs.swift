import Console
import Glibc
import Metrics
import Tensors

/// What reads the logs of runs: to go on with them, and to draw them.
extension FuzzArea {
  /// An input as each of a run's files in turn: the run goes on with them, and its report is made.
  static let logs = FuzzArea(name: "logs") { bytes in
    let folder = "\(Environment.temporaryFolder)/isthmus-fuzz-logs-\(getpid())"
    defer { Folder.removeTree(folder) }
    let places =
      #"{"tensorboard": ["t"], "wandb": ["w/run.wandb"], "mlflow": ["m/e/r"], "run": {"name": "r"}}"#
    let files = [
      "training.jsonl", "validation.jsonl", "t", "w/run.wandb", "m/e/meta.yaml", "m/e/r/meta.yaml",
      "m/e/r/metrics/x",
    ]
    for (input, known) in [(bytes, Array(places.utf8)), ([], bytes)] {
      Folder.removeTree(folder)
      for name in files { try write(input, to: folder + "/" + name) }
      try write(known, to: folder + "/watching.json")
      try goOn(in: folder)
    }
  }

  private static func goOn(in folder: String) throws {
    var description = try RunDescription(runIn: folder)
    let run = try RecordedRun(folder: folder, description)
    precondition(!RunReport([run]).html.isEmpty, "the page is empty")
    description.folder = folder
    description.firstStep = 3
    var plan = WatchingPlan(folder: folder)
    plan.makesReport = false
    plan.tensorBoard = folder + "/tb"
    plan.weightsAndBiases = WeightsAndBiasesOptions(project: "p", folder: folder)
    plan.mlflow = MLflowOptions(experiment: "e", place: folder + "/m")
    for writer in try plan.writers(for: description, warn: { _ in }) {
      try writer.record(StepRecord())
      try writer.finish(.finished)
    }
  }

  private static func write(_ bytes: [UInt8], to path: String) throws {
    try Folder.create(Folder.parent(path))
    try Folder.removeFile(path)
    try OutputFile(creating: path).write(bytes, at: 0)
  }
}
