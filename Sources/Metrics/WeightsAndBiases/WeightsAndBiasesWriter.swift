import Glibc
import JSON
import Tensors

/// What a run is called at Weights & Biases, and where its records wait to be sent.
public struct WeightsAndBiasesOptions: Hashable, Sendable {
  public var project: String
  public var name: String?
  public var entity: String?
  public var group: String?
  public var notes: String?
  public var tags: [String] = []
  /// The folder in which `wandb/` is made.
  public var folder: String

  public init(project: String, folder: String) {
    self.project = project
    self.folder = folder
  }
}

/// Writes a run of Weights & Biases that `wandb sync` sends.
///
/// A run that goes on continues the file of its first process: `wandb sync` of that one folder sends the whole
/// run, and sends it again over what it sent before.
public final class WeightsAndBiasesWriter: MetricsWriter {
  private let file: LogFile
  private let output: LogFile
  private var numbers: NamedNumbers
  private var count = 0
  /// When the run would have begun without the time between its processes, in seconds since 1970.
  private var start: Double
  private var lastTime: Double
  private var lastRow: Row?

  /// What was written of the newest step, and where the file ended before it.
  private struct Row {
    var step: Int
    var numbers: [(name: String, value: JSON)]
    var offset: Int
    var count: Int
  }

  static let place = "wandb"
  private static let fileNames = ["output.log", "requirements.txt"]

  public init(
    _ options: WeightsAndBiasesOptions, names: MetricNames, _ description: RunDescription
  ) throws(FileError) {
    numbers = NamedNumbers(names, description)
    start = description.start
    lastTime = description.start
    var places = try WatchedPlaces(description.folder)
    if description.firstStep > 0, let path = places[Self.place].first,
      let earlier = try EarlierRun(path, upTo: description.firstStep)
    {
      try LogFile.cut(path, to: earlier.end)
      file = try LogFile(appendingTo: path)
      output = try LogFile(appendingTo: Folder.parent(path) + "/files/output.log")
      count = earlier.count
      start = description.start - earlier.seconds
      // What was sent is not the whole run any more.
      try Folder.removeFile(path + ".synced")
      try append(RunRecords.Kind.configuration, RunRecords.configuration(description))
      return
    }
    let identifier = Machine.word(8, of: "abcdefghijklmnopqrstuvwxyz0123456789")
    let name = "offline-run-\(Timestamp(description.start).compact)-\(identifier)"
    let all = Folder.absolute(options.folder) + "/wandb"
    let folder = all + "/" + name
    try Folder.create(folder + "/logs")
    file = try LogFile(appendingTo: "\(folder)/run-\(identifier).wandb")
    output = try LogFile(appendingTo: folder + "/files/output.log")
    try Self.describe(description, in: folder + "/files")
    try file.append(TransactionLog.header)
    try append(RunRecords.Kind.header, RunRecords.header())
    try append(RunRecords.Kind.run, RunRecords.run(identifier, options, description))
    try append(RunRecords.Kind.environment, RunRecords.environment(description))
    try append(RunRecords.Kind.files, RunRecords.files(Self.fileNames))
    try places.keep([file.path], as: Self.place)
    Self.link(all + "/latest-run", to: name)
  }

  public func record(_ step: StepRecord) throws {
    try write(numbers.numbers(of: step), step: step.step, time: step.time)
    try output.append(Array((PlainLines.line(step) + "\n").utf8))
  }

  public func record(_ record: ValidationRecord) throws {
    try write(numbers.numbers(of: record), step: record.step, time: record.time)
    try output.append(Array((PlainLines.line(record) + "\n").utf8))
  }

  public func finish(_ outcome: RunOutcome) throws {
    let code =
      switch outcome {
      case .finished: 0
      case .stopped: 255  // as after Ctrl-C
      case .failed: 1
      }
    let seconds = lastTime - start
    try append(RunRecords.Kind.exit, RunRecords.exit(code: code, seconds: seconds))
  }

  /// Writes a step's row.
  ///
  /// `wandb sync` gives a second row of one step the next step's number, so what comes later of a step takes the
  /// place of its row.
  private func write(
    _ numbers: [(name: String, value: JSON)], step: Int, time: Double
  ) throws(FileError) {
    lastTime = time
    var numbers = numbers
    if let row = lastRow, row.step == step {
      try file.cut(to: row.offset)
      count = row.count
      numbers = row.numbers + numbers
    }
    lastRow = Row(step: step, numbers: numbers, offset: file.size, count: count)
    let own: [(name: String, value: JSON)] = [
      ("_step", .integer(step)), ("_timestamp", .number(time)), ("_runtime", .number(time - start)),
    ]
    let rows = RunRecords.rows(numbers + own, step: step)
    try append(RunRecords.Kind.history, rows.history)
    try append(RunRecords.Kind.summary, rows.summary)
  }

  private func append(_ kind: Int, _ content: ProtobufMessage) throws(FileError) {
    let record = ProtobufMessage { record in
      record.number(1, count + 1)
      record.data(kind, content.bytes)
    }
    try file.append(TransactionLog.framed(record.bytes, at: file.size))
    count += 1
  }

  // MARK: Files beside the records

  private static func describe(
    _ description: RunDescription, in folder: String
  ) throws(FileError) {
    let metadata = JSONObject([
      "os": .string(Machine.system),
      "startedAt": .string(Timestamp(description.start).iso),
      "args": .array(description.arguments.dropFirst().map { .string($0) }),
      "program": .string(description.arguments.first ?? ""),
      "root": .string(description.folder),
      "host": .string(Machine.host),
      "cpu_count": .integer(Machine.processors),
      "cpu_count_logical": .integer(Machine.processors),
      "memory": .object(JSONObject(["total": .string(String(Machine.memory))])),
    ])
    let texts = [
      "wandb-metadata.json": JSON.object(metadata).serialized(.indented(2)) + "\n",
      "requirements.txt": "# no Python package took part in this run\n",
    ]
    for (name, text) in texts.sorted(by: { $0.key < $1.key }) {
      try OutputFile.replace(folder + "/" + name) { file throws(FileError) in
        try file.write(Array(text.utf8), at: 0)
      }
    }
  }

  /// Points a symbolic link at a folder; that it cannot be made where links do not exist harms nothing.
  private static func link(_ path: String, to name: String) {
    unlink(path)
    _ = symlink(name, path)
  }
}

/// What a `.wandb` file of an earlier process tells of the steps that stay.
private struct EarlierRun {
  /// Where the file is to end.
  var end: Int
  /// Its records.
  var count = 0
  /// What the run took.
  var seconds = 0.0

  /// - Returns: `nil` if there is no such file or not even its run can be read.
  init?(_ path: String, upTo step: Int) throws(FileError) {
    guard Folder.isFile(path), var log = try TransactionLog.Reader(path) else { return nil }
    end = log.place
    var hasRun = false
    var isBehind = false
    while !isBehind, let record = try log.next() {
      for case (let field, .data(let content)) in ProtobufFields.all(record[...]) {
        switch field {
        case RunRecords.Kind.run: hasRun = true
        case RunRecords.Kind.exit: isBehind = true
        case RunRecords.Kind.history:
          isBehind = Self.step(of: content) > step
          if !isBehind, let runtime = Self.runtime(of: content) { seconds = runtime }
        default: break
        }
      }
      if !isBehind {
        end = log.place
        count += 1
      }
    }
    guard hasRun else { return nil }
  }

  private static func step(of history: ArraySlice<UInt8>) -> Int {
    let step = ProtobufFields.data(2, in: history).first.flatMap {
      ProtobufFields.number(1, in: $0)
    }
    return Int(truncatingIfNeeded: step ?? 0)
  }

  private static func runtime(of history: ArraySlice<UInt8>) -> Double? {
    for item in ProtobufFields.data(1, in: history) {
      guard
        ProtobufFields.data(2, in: item).first.map({ $0.elementsEqual("_runtime".utf8) }) == true,
        let text = ProtobufFields.data(16, in: item).first
      else { continue }
      return try? JSON(parsing: Array(text), maximumDepth: 2).double
    }
    return nil
  }
}
