import Foundation
import JSON
import Support
import Testing

@testable import Metrics

@Suite("The lines of training.jsonl and validation.jsonl")
struct JSONLinesTests {
  @Test("are byte for byte Automodel's")
  func sameBytes() throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let writer = try JSONLinesWriter(folder: folder.path, run.description)
      try run.tell(writer, 1...4)
      for name in ["training.jsonl", "validation.jsonl"] {
        let written = try ExampleRun.bytes(folder.appending(path: name))
        #expect(written == (try ExampleRun.bytes(ExampleRun.file(name))))
      }
    }
  }

  @Test("are in the file when the call returns")
  func atOnce() throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let writer = try JSONLinesWriter(folder: folder.path, run.description)
      for step in run.steps {
        try writer.record(step)
        let text = try String(
          contentsOf: folder.appending(path: "training.jsonl"), encoding: .utf8)
        #expect(text.split(separator: "\n").count == step.step)
      }
    }
  }

  @Test("give back every bit of a number")
  func everyBit() throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let writer = try JSONLinesWriter(folder: folder.path, run.description)
      var random = SystemRandomNumberGenerator()
      var losses: [Double] = [
        .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1 + 0.2, 1e16, -0.0,
      ]
      while losses.count < 200 {
        let loss = Double(bitPattern: random.next())
        if loss.isFinite { losses.append(loss) }
      }
      for (index, loss) in losses.enumerated() {
        var step = run.steps[0]
        (step.step, step.loss) = (index + 1, loss)
        try writer.record(step)
      }
      let bytes = try ExampleRun.bytes(folder.appending(path: "training.jsonl"))
      let read = try bytes.split(separator: UInt8(ascii: "\n")).map { line in
        try #require(JSON(parsing: Array(line)).object?["loss"]?.double)
      }
      #expect(read.map(\.bitPattern) == losses.map(\.bitPattern))
    }
  }

  @Test(
    "a process that goes on forgets later steps and a torn end",
    arguments: [
      (3, ""), (2, ""), (3, "{\"step\": 5, \"epo"), (4, "{\"step\": 5, \"epo"), (1, "\n"),
    ])
  func goingOn(step: Int, torn: String) throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      try run.tell(JSONLinesWriter(folder: folder.path, run.description), 1...4)
      for name in ["training.jsonl", "validation.jsonl"] {
        let path = folder.appending(path: name)
        let handle = try FileHandle(forWritingTo: path)
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(torn.utf8))
        try handle.close()
      }
      let writer = try JSONLinesWriter(folder: folder.path, run.goingOn(after: step))
      if step < 4 { try run.tell(writer, (step + 1)...4) }
      for name in ["training.jsonl", "validation.jsonl"] {
        let written = try ExampleRun.bytes(folder.appending(path: name))
        #expect(written == (try ExampleRun.bytes(ExampleRun.file(name))))
      }
    }
  }

  @Test("a run that begins again keeps what there was under another name")
  func beginningAgain() throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      try run.tell(JSONLinesWriter(folder: folder.path, run.description), 1...4)
      try run.tell(JSONLinesWriter(folder: folder.path, run.description), 1...1)
      let lines = try String(contentsOf: folder.appending(path: "training.jsonl"), encoding: .utf8)
      #expect(lines.split(separator: "\n").count == 1)
      let kept = try ExampleRun.bytes(folder.appending(path: "previous_training.jsonl"))
      #expect(kept == (try ExampleRun.bytes(ExampleRun.file("training.jsonl"))))
    }
  }

  @Test("lines of another program in the file stay")
  func otherLines() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "training.jsonl")
      let text = "# a remark\n{\"step\": 1}\n[1]\n{\"step\": 9}\n"
      try Data(text.utf8).write(to: path)
      var description = RunDescription(name: "", folder: folder.path)
      description.firstStep = 1
      _ = try JSONLinesWriter(folder: folder.path, description)
      #expect(try String(contentsOf: path, encoding: .utf8) == "# a remark\n{\"step\": 1}\n[1]\n")
    }
  }

  @Test("a named set has a file of its own, whatever its name")
  func named() throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let writer = try JSONLinesWriter(folder: folder.path, run.description)
      var record = run.validations[0]
      for name in ["squad", "../up", "default"] {
        record.name = name
        try writer.record(record)
      }
      #expect(
        names(in: folder) == [
          "training.jsonl", "validation.jsonl", "validation_.._up.jsonl", "validation_squad.jsonl",
        ])
    }
  }
}
