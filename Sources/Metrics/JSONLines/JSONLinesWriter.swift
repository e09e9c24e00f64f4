import JSON
import Tensors

/// Writes `training.jsonl`, `validation.jsonl` and `validation_<name>.jsonl` with the members that NeMo
/// Automodel's recipes write.
///
/// Numbers have as many digits as give back the same double, so that two runs can be compared bit for bit.
public final class JSONLinesWriter: MetricsWriter {
  private let folder: String
  private let training: LogFile
  private var validation: [String: LogFile] = [:]

  /// What the file of the steps is called.
  public static let trainingName = "training.jsonl"

  /// Opens the files, and forgets what they tell of steps beyond the first of `description`.
  ///
  /// A fresh run in a folder that has such files keeps them under names that begin with `previous_`.
  public init(folder: String, _ description: RunDescription) throws(FileError) {
    try Folder.create(folder)
    for name in try Folder.names(in: folder) where Self.isOurs(name) {
      let path = folder + "/" + name
      if description.firstStep == 0, (Folder.size(path) ?? 0) > 0 {
        try Folder.publish(path, as: folder + "/previous_" + name)
      } else {
        try FileLines.forget(in: path) { line in
          Self.step(of: line).map { $0 > description.firstStep } ?? false
        }
      }
    }
    self.folder = folder
    training = try LogFile(appendingTo: folder + "/" + Self.trainingName)
  }

  private static func isOurs(_ name: String) -> Bool {
    name == trainingName || name == "validation.jsonl"
      || name.hasPrefix("validation_") && name.hasSuffix(".jsonl")
  }

  /// The step that a line tells of; `nil` for a line that is none of these.
  static func step(of line: ArraySlice<UInt8>) -> Int? {
    guard let value = try? JSON(parsing: Array(line), maximumDepth: 8, allowingNonFinite: true)
    else { return nil }
    return value.object?["step"]?.integer
  }

  public func record(_ step: StepRecord) throws {
    try training.append(Self.line(Self.members(of: step)))
  }

  public func record(_ record: ValidationRecord) throws {
    let name = Self.fileName(record.name)
    let file = try validation[name] ?? LogFile(appendingTo: folder + "/" + name)
    validation[name] = file
    let members = Self.members(of: record)
    try file.append(Self.line(members))
  }

  public func finish(_ outcome: RunOutcome) {}

  /// The file of a validation set.
  static func fileName(_ set: String?) -> String {
    guard let set, set != "default" else { return "validation.jsonl" }
    // A name is no path.
    return "validation_\(String(set.map { $0 == "/" ? "_" : $0 })).jsonl"
  }

  private static func line(_ members: JSONObject) -> [UInt8] {
    JSON.object(members).serializedBytes(.python) + [UInt8(ascii: "\n")]
  }

  static func members(of step: StepRecord) -> JSONObject {
    JSONObject([
      "step": .integer(step.step),
      "epoch": .integer(step.epoch),
      "timestamp": .string(Timestamp(step.time).iso),
      "loss": .number(step.loss),
      "grad_norm": .number(step.gradientNorm),
      "lr": .number(step.rate),
      "mem": .number(gibibytes(step.memory)),
      "tps": .number(step.tokensPerSecond),
      "tps_per_gpu": .number(step.tokensPerSecond),
      "num_tokens_per_step": .integer(step.tokens),
      "num_label_tokens": .integer(step.labels),
    ])
  }

  static func members(of record: ValidationRecord) -> JSONObject {
    JSONObject([
      "step": .integer(record.step),
      "epoch": .integer(record.epoch),
      "timestamp": .string(Timestamp(record.time).iso),
      "val_loss": .number(record.loss),
      "lr": .number(record.rate),
      "num_label_tokens": .integer(record.labels),
      "mem": .number(gibibytes(record.memory)),
    ])
  }

  private static func gibibytes(_ bytes: Int) -> Double { Double(bytes) / Double(1 << 30) }
}
