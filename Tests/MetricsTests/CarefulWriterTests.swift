import Foundation
import Support
import Tensors
import Testing

@testable import Metrics

@Suite("Writers that fail")
struct CarefulWriterTests {
  private final class Failing: MetricsWriter {
    var calls = 0

    func record(_ step: StepRecord) throws {
      calls += 1
      throw FileError.cannotWrite(path: "log", offset: 0, errno: ENOSPC)
    }

    func record(_ validation: ValidationRecord) throws { calls += 1 }

    func finish(_ outcome: RunOutcome) throws { calls += 1 }
  }

  @Test("tell it once, and are left alone from then on")
  func once() {
    var warnings: [String] = []
    let failing = Failing()
    let writer = CarefulWriter(failing, name: "The log") { warnings.append($0) }
    writer.record(StepRecord())
    writer.record(StepRecord())
    writer.record(ValidationRecord())
    writer.finish(.finished)
    #expect(failing.calls == 1)
    #expect(
      warnings == [
        "The log cannot be written any more: log cannot be written at byte 0: No space left on device. "
          + "The run goes on without it."
      ])
  }

  @Test(
    "a full disk ends the logs and not the run, and what is in them can be read",
    .enabled(if: Support.canMountDisks))
  func fullDisk() throws {
    try Support.withSmallDisk(bytes: 1 << 18) { disk in
      let run = try ExampleRun(in: disk)
      var plan = WatchingPlan(folder: disk.path)
      plan.tensorBoard = disk.path + "/tb"
      plan.weightsAndBiases = WeightsAndBiasesOptions(project: "p", folder: disk.path)
      plan.mlflow = MLflowOptions(experiment: "e", place: disk.path + "/mlruns")
      var warnings: [String] = []
      let writers = try plan.writers(for: run.description) { warnings.append($0) }
      for index in 1...2000 {
        var step = run.steps[index % 3]
        step.step = index
        for writer in writers { try writer.record(step) }
      }
      for writer in writers { try writer.finish(.finished) }
      #expect((4...5).contains(warnings.count))
      // Whole lines only, and an event file and a log without torn ends.
      let lines = try Data(contentsOf: disk.appending(path: "training.jsonl"))
      #expect(lines.last == UInt8(ascii: "\n"))
      let events = names(in: disk.appending(path: "tb"))
      #expect(try EventFile.end(of: disk.path + "/tb/" + events[0], upTo: .max) == nil)
    }
  }
}
