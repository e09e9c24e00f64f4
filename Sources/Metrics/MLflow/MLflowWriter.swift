import JSON
import Tensors

/// Where a run is kept for MLflow, and what it is called there.
public struct MLflowOptions: Hashable, Sendable {
  public var experiment: String
  public var name: String?
  /// A folder's path, with or without `file://`.
  public var place: String
  public var tags: [String: String] = [:]

  public init(experiment: String, place: String) {
    self.experiment = experiment
    self.place = place
  }
}

/// Writes a run into MLflow's file store: its parameters, tags and the history of every metric.
///
/// A run that goes on stays one run.
public final class MLflowWriter: MetricsWriter {
  private let folder: String
  private var numbers: NamedNumbers
  private var files: [String: LogFile] = [:]
  private var lastTime: Double

  static let place = "mlflow"
  /// MLflow's own bounds.
  private static let longestName = 250
  private static let longestValue = 6000

  public init(
    _ options: MLflowOptions, names: MetricNames, _ description: RunDescription
  ) throws {
    numbers = NamedNumbers(names, description)
    lastTime = description.start
    let store = try FileStore(options.place)
    var places = try WatchedPlaces(description.folder)
    if description.firstStep > 0, let run = places[Self.place].first,
      Folder.isFile(run + "/meta.yaml"), Folder.isFolder(run + "/metrics")
    {
      folder = run
      try Self.forget(in: run, after: description.firstStep)
      try FileStore.mark(run, .running, end: nil)
    } else {
      let experiment = try store.experiment(options.experiment, time: description.start)
      let name = options.name ?? description.name
      folder = try store.makeRun(in: experiment, name: name, time: description.start)
      try describe(options, name, description)
      try places.keep([folder], as: Self.place)
    }
  }

  private static func forget(in run: String, after step: Int) throws(FileError) {
    for name in try Folder.names(in: run + "/metrics") {
      try FileLines.forget(in: run + "/metrics/" + name) { line in
        let words = line.split(separator: UInt8(ascii: " "))
        guard words.count >= 3, let number = Int(String(decoding: words[2], as: UTF8.self)) else {
          return false
        }
        return number > step
      }
    }
  }

  private func describe(
    _ options: MLflowOptions, _ name: String, _ description: RunDescription
  ) throws(FileError) {
    var tags = options.tags
    tags["mlflow.runName"] = name
    tags["mlflow.source.type"] = "LOCAL"
    tags["mlflow.source.name"] = description.arguments.first ?? "isthmus"
    tags["mlflow.user"] = Machine.user ?? "unknown"
    for (key, value) in tags.sorted(by: { $0.key < $1.key }) {
      try write(value, to: "tags/" + Self.fileName(key))
    }
    for (key, value) in description.configuration {
      try write(
        String(Self.text(value).prefix(Self.longestValue)), to: "params/" + Self.fileName(key))
    }
  }

  private func write(_ text: String, to name: String) throws(FileError) {
    let path = folder + "/" + name
    try Folder.removeFile(path)
    try OutputFile(creating: path).write(Array(text.utf8), at: 0)
  }

  public func record(_ step: StepRecord) throws {
    try write(numbers.numbers(of: step), step: step.step, time: step.time)
  }

  public func record(_ record: ValidationRecord) throws {
    try write(numbers.numbers(of: record), step: record.step, time: record.time)
  }

  public func finish(_ outcome: RunOutcome) throws {
    let status: FileStore.Status =
      switch outcome {
      case .finished: .finished
      case .stopped: .killed
      case .failed: .failed
      }
    try FileStore.mark(folder, status, end: lastTime)
  }

  private func write(
    _ numbers: [(name: String, value: JSON)], step: Int, time: Double
  ) throws {
    lastTime = time
    let moment = Timestamp(time).milliseconds
    for (name, value) in numbers {
      guard let number = value.double else { continue }
      let name = Self.fileName(name)
      let file = try files[name] ?? LogFile(appendingTo: folder + "/metrics/" + name)
      files[name] = file
      try file.append(Array("\(moment) \(Self.text(number)) \(step)\n".utf8))
    }
  }

  /// A value as Python's `str` spells it, which is what MLflow keeps.
  private static func text(_ value: JSON) -> String {
    switch value {
    case .null: "None"
    case .bool(let value): value ? "True" : "False"
    case .string(let text): text
    default: value.serialized(.python)
    }
  }

  /// A number as Python's `float` reads it back.
  private static func text(_ number: Double) -> String {
    if number.isNaN { return "nan" }
    if number.isInfinite { return number < 0 ? "-inf" : "inf" }
    return JSON.number(number).serialized()
  }

  /// A name of those characters that MLflow allows, without slashes, as Megatron-Bridge has it too.
  private static func fileName(_ name: String) -> String {
    let allowed = name.unicodeScalars.map { scalar -> Character in
      let isPlain =
        scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
      return isPlain || "-_. :".unicodeScalars.contains(scalar) ? Character(scalar) : "_"
    }
    let text = String(String(allowed).prefix(longestName))
    return text.isEmpty || text.hasPrefix(".") ? "_" + text : text
  }
}
