import Foundation
import Support
import Testing

@testable import Train

@Suite("train report")
struct ReportCommandTests {
  @Test("draws runs that other programs logged, one or several")
  func draws() throws {
    try Support.withTemporaryFolder { folder in
      var runs: [String] = []
      for name in ["one", "two"] {
        let run = folder.appending(path: name)
        try FileManager.default.createDirectory(at: run, withIntermediateDirectories: true)
        for file in ["training.jsonl", "validation.jsonl"] {
          try FileManager.default.copyItem(
            at: Support.fixtures.appending(path: "watching/\(file)"), to: run.appending(path: file))
        }
        runs.append(run.path)
      }
      let alone = try program.run(["report", runs[0]])
      #expect(alone.status == 0)
      #expect(alone.output.contains("best validation  1.2500 at step 2"))
      #expect(names(in: folder.appending(path: "one")).contains("report.html"))
      let both = folder.appending(path: "both").path
      let compared = try program.run(["report"] + runs + ["--output", both, "--json"])
      #expect(compared.status == 0)
      #expect(compared.output.contains("\"steps\": 4"))
      #expect(names(in: URL(filePath: both)) == ["loss.png", "loss.svg", "report.html"])
      let unsaid = try program.run(["report"] + runs)
      #expect(unsaid.status == 2 && unsaid.error.contains("--output"))
      let missing = try program.run(["report", folder.appending(path: "none").path])
      #expect(missing.status == 1 && missing.error.contains("training.jsonl"))
    }
  }
}
