import Checkpoints
import Engine
import Foundation
import JSON
import Kernels
import MegatronFormat
import Support
import Tensors
import Testing

@testable import Training

/// What lies in a run folder after saving, and what happens to it when something goes wrong.
@Suite struct CheckpointFolderTests {
  private func names(_ folder: URL) -> [String] { Folder.entries(folder.path) ?? [] }

  private func iterations(_ folder: URL) -> [String] {
    names(folder).filter { $0.hasPrefix("iter_") }
  }

  private func link(_ folder: URL, _ name: String) throws -> String {
    try FileManager.default.destinationOfSymbolicLink(
      atPath: folder.appending(path: name).path)
  }

  @Test func theNewestAndTheBestAreKeptAndPointedAt() throws {
    try Support.withTemporaryFolder { folder in
      var run = RunCase(folder)
      run.settings.saving.keeps = 2
      let live = try run.begin()
      let checkpoints = try run.checkpoints(live)
      for (step, loss) in [(1, 3.0), (2, 1.5), (3, 2.0), (4, nil), (5, 1.75)] {
        try checkpoints.save(run.progress(step), validationLoss: loss)
      }
      #expect(iterations(folder) == ["iter_0000002", "iter_0000004", "iter_0000005"])
      #expect(try link(folder, "LATEST") == "iter_0000005")
      #expect(try link(folder, "LOWEST_VAL") == "iter_0000002")
      #expect(try RunFolder(resolving: folder.path).iteration == 5)
      let tracker = folder.appending(path: "latest_checkpointed_iteration.txt")
      #expect(try String(contentsOf: tracker, encoding: .utf8) == "5")
      #expect(names(folder).allSatisfy { !$0.hasPrefix(".") && !$0.contains("partial") })
    }
  }

  /// What a killed run left is removed by the next one, and so is nothing else.
  @Test func halfWrittenFoldersOfKilledRunsAreRemoved() throws {
    try Support.withTemporaryFolder { folder in
      let manager = FileManager.default
      for name in [
        ".iter_0000007.isthmus-999999", ".iter_0000001.isthmus-999998-1", ".other.isthmus-999997",
        "iter_0000009",
      ] {
        try manager.createDirectory(
          at: folder.appending(path: "\(name)/deep"), withIntermediateDirectories: true)
      }
      try Data().write(to: folder.appending(path: "latest_train_state.pt.partial-999999"))
      let run = RunCase(folder)
      let live = try run.begin()
      try run.checkpoints(live).save(run.progress(1))
      #expect(
        names(folder).filter { !$0.hasPrefix("latest") } == [
          ".other.isthmus-999997", "LATEST", "iter_0000001", "iter_0000009",
        ])
      #expect(!names(folder).contains { $0.contains("partial") })
      // A folder that is no checkpoint is none to go on with.
      #expect(try SavedRun.find(run.settings.saving)?.step == 1)
    }
  }

  @Test func aRunsFolderIsItsOwn() throws {
    try Support.withTemporaryFolder { folder in
      let run = RunCase(folder)
      let live = try run.begin()
      let checkpoints = try run.checkpoints(live)
      #expect(throws: SavingError.self) { try run.checkpoints(live) }
      withExtendedLifetime(checkpoints) {}
    }
  }

  @Test(arguments: ["__0_0.distcp", ".metadata", "common.pt", "run_state.json"])
  func aDamagedCheckpointIsNamedWithTheOneBefore(_ name: String) throws {
    try Support.withTemporaryFolder { folder in
      let run = RunCase(folder)
      let live = try run.begin()
      let checkpoints = try run.checkpoints(live)
      for step in [2, 4] { try checkpoints.save(run.progress(step)) }
      let path = folder.appending(path: "iter_0000004/\(name)")
      let whole = try Data(contentsOf: path)
      try whole.prefix(whole.count / 2).write(to: path)
      let error = #expect(throws: SavingError.self) { try SavedRun.find(run.settings.saving) }
      guard case .damaged(let damaged, _, let before) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(damaged.hasSuffix("iter_0000004"))
      #expect(before?.hasSuffix("iter_0000002") ?? false)
      var saving = run.settings.saving
      saving.load = before
      #expect(try SavedRun.find(saving)?.step == 2)
    }
  }

  /// One bit that turned in the middle of the numbers is found.
  @Test func aChangedBitIsFound() throws {
    try Support.withTemporaryFolder { folder in
      let run = RunCase(folder)
      let live = try run.begin()
      try run.checkpoints(live).save(run.progress(2))
      let path = folder.appending(path: "iter_0000002/__0_0.distcp")
      var bytes = try Data(contentsOf: path)
      bytes[bytes.count / 2 + 7] ^= 4
      try bytes.write(to: path)
      #expect(throws: SavingError.self) { try SavedRun.find(run.settings.saving) }
    }
  }

  @Test func aFolderThatCannotBeWrittenIsToldBeforeTraining() throws {
    try Support.withTemporaryFolder { folder in
      try Data().write(to: folder.appending(path: "file"))
      var run = RunCase(folder)
      run.settings.saving.folder = folder.appending(path: "file/run").path
      let live = try run.begin()
      #expect(throws: FileError.self) { try run.checkpoints(live) }
    }
  }

  @Test(.enabled(if: Support.canMountDisks)) func aFullDiskLeavesTheLastCheckpoint() throws {
    try Support.withSmallDisk(bytes: 40 << 20) { disk in
      var run = RunCase(disk)
      run.settings.saving.folder = disk.appending(path: "run").path
      let live = try run.begin()
      let checkpoints = try run.checkpoints(live)
      var last = 0
      let error = #expect(throws: FileError.self) {
        for step in 1...10 {
          try checkpoints.save(run.progress(step))
          last = step
        }
      }
      guard case .diskFull = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(last >= 1)
      let place = disk.appending(path: "run")
      #expect(iterations(place).count == last)
      #expect(names(place).allSatisfy { !$0.hasPrefix(".") })
      #expect(try SavedRun.find(run.settings.saving)?.step == last)
    }
  }
}
