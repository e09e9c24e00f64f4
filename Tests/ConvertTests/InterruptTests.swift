import Foundation
import Support
import Testing

@Suite(.serialized) struct Interrupts {
  @Test(arguments: [SIGINT, SIGTERM])
  func signalLeavesNothing(_ signal: Int32) throws {
    try Support.withTemporaryFolder { folder in
      let model = folder.appending(path: "model")
      try writeLargeModel(to: model)
      let place = folder.appending(path: "place")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      let running = try program.start([
        "import", "--hf-model", model.path, "--megatron-path", place.path + "/m",
      ])
      #expect(running.waitForStaging(in: place))
      running.send(signal)
      let outcome = try running.wait()
      #expect(outcome.status == 130)
      #expect(outcome.error.contains("Interrupted"))
      #expect(outcome.error.split(separator: "\n").count == 1)
      #expect(names(in: place).isEmpty)
    }
  }

  @Test func interruptedRoundtripLeavesNothing() throws {
    try Support.withTemporaryFolder { folder in
      let model = folder.appending(path: "model")
      try writeLargeModel(to: model)
      let place = folder.appending(path: "place")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      let running = try program.start([
        "roundtrip", "--hf-model", model.path, "--work-dir", place.path,
      ])
      #expect(running.waitForStaging(in: place))
      running.send(SIGINT)
      #expect(try running.wait().status == 130)
      #expect(names(in: place).isEmpty)
    }
  }

  @Test func killLeavesOnlyAStagingFolderWhichTheNextRunRemoves() throws {
    try Support.withTemporaryFolder { folder in
      let model = folder.appending(path: "model")
      try writeLargeModel(to: model)
      let place = folder.appending(path: "place")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      let running = try program.start([
        "import", "--hf-model", model.path, "--megatron-path", place.path + "/m",
      ])
      #expect(running.waitForStaging(in: place))
      running.send(SIGKILL)
      _ = try running.wait()
      let left = names(in: place)
      #expect(left.count == 1)
      #expect(left.allSatisfy { $0.contains(".isthmus-") })
      let next = try program.run([
        "import", "--hf-model", demo.path, "--megatron-path", place.path + "/m",
      ])
      #expect(next.status == 0)
      #expect(names(in: place) == ["m"])
    }
  }
}
