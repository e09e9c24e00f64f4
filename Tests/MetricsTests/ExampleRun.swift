import Foundation
import JSON
import Support
import Tensors

@testable import Metrics

/// The run that fixtures/watching/generate.py has other programs write down.
struct ExampleRun {
  var description: RunDescription
  var steps: [StepRecord]
  var validations: [ValidationRecord]

  init(in folder: URL) throws {
    let run = try Self.json("records.json")
    description = RunDescription(name: run["name"]?.string ?? "", folder: folder.path)
    description.start = run["start"]?.double ?? 0
    description.configuration = (run["configuration"]?.array ?? []).compactMap { entry in
      guard let pair = entry.array, let key = pair.first?.string else { return nil }
      return (key, pair[1])
    }
    steps = (run["steps"]?.array ?? []).compactMap(\.object).map(Self.step)
    validations = (run["validations"]?.array ?? []).compactMap(\.object).map(Self.validation)
  }

  static func file(_ name: String) -> URL { Support.fixtures.appending(path: "watching/\(name)") }

  static func bytes(_ url: URL) throws -> [UInt8] { Array(try Data(contentsOf: url)) }

  static func json(_ name: String) throws -> JSONObject {
    let value = try JSON(parsing: bytes(file(name)), allowingNonFinite: true)
    return value.object ?? JSONObject()
  }

  private static func step(_ object: JSONObject) -> StepRecord {
    var step = StepRecord()
    step.step = object["step"]?.integer ?? 0
    step.epoch = object["epoch"]?.integer ?? 0
    step.loss = object["loss"]?.double ?? 0
    step.gradientNorm = object["gradientNorm"]?.double ?? 0
    step.rate = object["rate"]?.double ?? 0
    step.tokens = object["tokens"]?.integer ?? 0
    step.labels = object["labels"]?.integer ?? 0
    step.samples = object["samples"]?.integer ?? 0
    step.allSamples = object["allSamples"]?.integer ?? 0
    step.allTokens = object["allTokens"]?.integer ?? 0
    step.seconds = object["seconds"]?.double ?? 0
    step.memory = object["memory"]?.integer ?? 0
    step.time = object["time"]?.double ?? 0
    return step
  }

  private static func validation(_ object: JSONObject) -> ValidationRecord {
    var record = ValidationRecord()
    record.step = object["step"]?.integer ?? 0
    record.epoch = object["epoch"]?.integer ?? 0
    record.loss = object["loss"]?.double ?? 0
    record.labels = object["labels"]?.integer ?? 0
    record.rate = object["rate"]?.double ?? 0
    record.memory = object["memory"]?.integer ?? 0
    record.time = object["time"]?.double ?? 0
    return record
  }

  /// Tells a writer of some of the steps, and of the validations that follow them.
  func tell(_ writer: any MetricsWriter, _ range: ClosedRange<Int>) throws {
    for step in steps where range.contains(step.step) {
      try writer.record(step)
      for validation in validations where validation.step == step.step {
        try writer.record(validation)
      }
    }
  }

  /// The description of the process that goes on behind a step.
  func goingOn(after step: Int) -> RunDescription {
    var description = description
    description.firstStep = step
    description.start += 100
    return description
  }
}
