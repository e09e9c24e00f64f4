import Tensors

/// The page and the pictures that show how one run went, or several beside each other.
public struct RunReport {
  private let runs: [RecordedRun]
  private let outcome: RunOutcome?

  public init(_ runs: [RecordedRun], outcome: RunOutcome? = nil) {
    self.runs = runs
    self.outcome = outcome
  }

  /// The page.
  public var html: String {
    ReportPage(runs: runs, outcome: outcome, time: Timestamp.now.seconds).html
  }

  /// Writes `report.html`, `loss.svg` and `loss.png`, each in place of what had its name.
  ///
  /// - Returns: the paths of what was written; without a single loss there is only the page.
  @discardableResult
  public func write(to folder: String) throws(FileError) -> [String] {
    try Folder.create(folder)
    var files = [("report.html", Array(html.utf8))]
    if let loss = ReportCharts(runs: runs).loss {
      files.append(("loss.svg", Array(loss.picture().utf8)))
      files.append(("loss.png", loss.png()))
    }
    for (name, bytes) in files {
      try OutputFile.replace(folder + "/" + name) { file throws(FileError) in
        try file.write(bytes, at: 0)
      }
    }
    return files.map { folder + "/" + $0.0 }
  }
}

/// Makes the report when the run ends, from what its files tell of all its processes.
public final class ReportWriter: MetricsWriter {
  private let folder: String
  private var description: RunDescription

  /// - Parameter folder: where `training.jsonl` lies and the report goes.
  public init(folder: String, _ description: RunDescription) throws {
    self.folder = folder
    self.description = description
    var places = try WatchedPlaces(description.folder)
    try places.keep(description)
    // The report tells when the run began, which may be processes ago.
    self.description.start = places.description?.start ?? description.start
  }

  public func record(_ step: StepRecord) {}

  public func record(_ validation: ValidationRecord) {}

  public func finish(_ outcome: RunOutcome) throws {
    let run = try RecordedRun(folder: folder, description)
    try RunReport([run], outcome: outcome).write(to: folder)
  }
}

extension RunDescription {
  /// What the run in a folder is, as its last process left it; its name alone where nothing is known.
  public init(runIn folder: String) throws {
    let places = try WatchedPlaces(folder)
    self =
      places.description
      ?? RunDescription(name: Folder.name(Folder.absolute(folder)), folder: folder)
  }
}
