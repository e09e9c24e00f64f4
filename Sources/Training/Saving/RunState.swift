import Data
import Engine
import JSON
import Tensors

/// What a checkpoint keeps of a run that Megatron has no place for: `run_state.json` beside its files.
struct RunState: Equatable {
  var progress = RunProgress()
  /// The optimiser's count of updates.
  var updates = 0
  /// The type that was computed in, and whether the optimiser kept less than float32.
  var numbers = ""
  var isHalf = false
  var holdsAdapters = false
  /// The validation loss at this checkpoint.
  var loss: Double?
  /// How many threads computed: sums are taken in an order that depends on it.
  var threads = 0
  /// The effective configuration, for people.
  var configuration: [RunProgress.Fact] = []

  static let name = "run_state.json"

  func encoded() -> [UInt8] {
    var object = JSONObject([
      "version": .integer(1), "step": .integer(progress.step), "updates": .integer(updates),
      "epoch": .integer(progress.position.epoch),
      "samples_of_epoch": .integer(progress.position.index), "samples": .integer(progress.samples),
      "tokens": .integer(progress.tokens),
      "validation_samples": .integer(progress.validationSamples),
      "floating_point_operations": .number(progress.operations),
      "seconds": .number(progress.seconds), "validation_loss": loss.map(JSON.number) ?? .null,
    ])
    if let best = progress.best {
      object["best"] = .object(["step": .integer(best.step), "loss": .number(best.loss)])
    }
    object["numbers"] = .string(numbers)
    object["half_optimizer"] = .bool(isHalf)
    object["adapters"] = .bool(holdsAdapters)
    object["threads"] = .integer(threads)
    object["identity"] = Self.object(progress.identity)
    object["extra"] = .object(progress.extra)
    object["configuration"] = Self.object(configuration)
    return JSON.object(object).serializedBytes(.indented(2)) + [UInt8(ascii: "\n")]
  }

  private static func object(_ facts: [RunProgress.Fact]) -> JSON {
    var object = JSONObject()
    for fact in facts { object[fact.name] = fact.value }
    return .object(object)
  }

  private static func facts(_ json: JSON?) -> [RunProgress.Fact] {
    (json?.object?.members ?? []).map { .init($0.key, $0.value) }
  }

  /// Reads the file of an iteration; `nil` if there is none.
  ///
  /// - Throws: `SavingError.malformed`, `FileError`.
  static func read(_ folder: String) throws -> RunState? {
    let path = "\(folder)/\(name)"
    guard Folder.isFile(path) else { return nil }
    let bytes = try InputFile(path).readAll()
    let json: JSON
    do throws(JSONError) {
      json = try JSON(parsing: bytes, allowingNonFinite: true)
    } catch { throw SavingError.malformed(file: path, reason: "\(error)") }
    guard let object = json.object else {
      throw SavingError.malformed(file: path, reason: "it should hold one JSON object.")
    }
    return try RunState(object, path)
  }

  private init(_ object: JSONObject, _ path: String) throws(SavingError) {
    func number(_ key: String) throws(SavingError) -> Int {
      guard let value = object[key]?.integer, value >= 0 else {
        throw .malformed(file: path, reason: "\(key) should be a number from 0 on.")
      }
      return value
    }
    guard try number("version") == 1 else {
      throw .malformed(file: path, reason: "it is of a later version of this program.")
    }
    progress.step = try number("step")
    updates = try number("updates")
    progress.position = DataPosition(
      epoch: try number("epoch"), index: try number("samples_of_epoch"))
    progress.samples = try number("samples")
    progress.tokens = try number("tokens")
    progress.validationSamples = try number("validation_samples")
    progress.operations = object["floating_point_operations"]?.double ?? 0
    progress.seconds = object["seconds"]?.double ?? 0
    loss = object["validation_loss"]?.double
    if let best = object["best"]?.object, let step = best["step"]?.integer,
      let loss = best["loss"]?.double
    {
      progress.best = .init(step: step, loss: loss)
    }
    numbers = object["numbers"]?.string ?? ""
    isHalf = object["half_optimizer"]?.bool ?? false
    holdsAdapters = object["adapters"]?.bool ?? false
    threads = object["threads"]?.integer ?? 0
    progress.identity = Self.facts(object["identity"])
    progress.extra = object["extra"]?.object ?? JSONObject()
    configuration = Self.facts(object["configuration"])
  }

  init() {}
}
