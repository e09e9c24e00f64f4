import Glibc
import JSON
import Tensors

/// Writes TensorBoard event files with Megatron's metrics, and the configuration as a text.
///
/// Each process of a run writes a file of its own. TensorBoard's own way to forget the steps of a process that
/// was killed goes by step for all metrics at once, which would take those over samples whole; so the earlier
/// files of the run are cut instead.
public final class TensorBoardWriter: MetricsWriter {
  private let file: LogFile
  private let every: Int
  private var naming: MegatronNaming
  private var samples = 0

  private static let place = "tensorboard"

  /// - Parameters:
  ///   - folder: what `tensorboard --logdir` is given, or a folder in it.
  ///   - every: steps between two that are told of (`tensorboard_log_interval`).
  public init(
    folder: String, every: Int = 1, metrics: MegatronMetrics = .standard,
    _ description: RunDescription
  ) throws(FileError) {
    var places = try WatchedPlaces(description.folder)
    var earlier: [String] = []
    for path in places[Self.place] where try EventFile.isOurs(path) {
      try Self.forget(path, after: description.firstStep)
      earlier.append(path)
    }
    file = try LogFile(appendingTo: Self.freshPath(in: folder, description))
    self.every = max(1, every)
    naming = MegatronNaming(metrics, description)
    let time = description.start
    try file.append(EventFile.framed(EventFile.opening(time: time)))
    if description.firstStep == 0 {
      let text = EventFile.text("configuration", Self.table(description), time: time)
      try file.append(EventFile.framed(text))
    }
    let kept = description.firstStep == 0 ? [] : earlier
    try places.keep(kept + [file.path], as: Self.place)
  }

  /// Takes the steps beyond `step` out of a file that an earlier process of the run wrote.
  ///
  /// Of a run that begins again the file gets a name that TensorBoard does not look at.
  private static func forget(_ path: String, after step: Int) throws(FileError) {
    if step == 0 {
      let name = Folder.name(path).replacing("tfevents", with: "previous")
      return try Folder.publish(path, as: Folder.parent(path) + "/" + name)
    }
    if let end = try EventFile.end(of: path, upTo: step) { try LogFile.cut(path, to: end) }
  }

  private static func freshPath(in folder: String, _ description: RunDescription) -> String {
    let seconds = String(Int(max(0, min(description.start, 9_999_999_999))))
    let time = String(repeating: "0", count: max(0, 10 - seconds.count)) + seconds
    let name = "events.out.tfevents.\(time).\(Machine.host).\(getpid())"
    var number = 0
    while Folder.exists("\(folder)/\(name).\(number)") { number += 1 }
    return "\(folder)/\(name).\(number)"
  }

  public func record(_ step: StepRecord) throws {
    let metrics = naming.metrics(of: step)
    samples = step.allSamples
    guard step.step % every == 0 else { return }
    try write(metrics, step: step.step, time: step.time)
  }

  public func record(_ record: ValidationRecord) throws {
    try write(naming.metrics(of: record), step: record.step, time: record.time)
  }

  public func finish(_ outcome: RunOutcome) {}

  private func write(_ metrics: [Metric], step: Int, time: Double) throws {
    let bySteps = metrics.map { ($0.name, $0.value) }
    var events = EventFile.framed(EventFile.scalars(bySteps, step: step, time: time))
    // A validation before the first update of a process does not know the samples.
    if samples > 0 {
      let bySamples = metrics.filter(\.isOverSamples).map {
        ($0.name + EventFile.overSamples, $0.value)
      }
      events += EventFile.framed(EventFile.scalars(bySamples, step: samples, time: time))
    }
    try file.append(events)
  }

  /// The configuration as a Markdown table.
  private static func table(_ description: RunDescription) -> String {
    let rows = description.configuration.map { entry in
      "| \(entry.key) | \(cell(entry.value)) | \(description.origins[entry.key] ?? "") |"
    }
    return (["| key | value | from |", "| --- | --- | --- |"] + rows).joined(separator: "\n")
  }

  private static func cell(_ value: JSON) -> String {
    let text = value.string ?? value.serialized(.python)
    return text.replacing("|", with: "\\|").replacing("\n", with: " ")
  }
}
