import Checkpoints
import Foundation
import Glibc
import Support
import Tensors
import Testing

/// Transfers that cannot be finished: full disks, interruptions, sources that change.
@Suite struct TransferFaultTests {
  private let llama = Case(path: "bridge/llama")

  /// A copy of the model that may be spoilt.
  private func copy(in folder: URL) throws -> URL {
    let copy = folder.appending(path: "copy")
    try FileManager.default.copyItem(at: llama.folder, to: copy)
    return copy
  }

  @Test(.enabled(if: Support.canMountDisks), arguments: [4 << 10, 64 << 10, 160 << 10])
  func aDiskThatFillsUpIsReportedWithWhatWasNeeded(_ size: Int) throws {
    try Support.withSmallDisk(bytes: size) { disk in
      let plan = try ImportPlan(llama.model(), ConversionOptions())
      let needed = plan.transfer.totalBytes
      #expect(needed > size)
      // As if others had filled the disk after it was looked at.
      let staged = try StagedFolder(destination: disk.path + "/out", overwrite: false, needed: 0)
      #expect {
        try plan.transfer.run(in: staged.path, workers: 2, progress: TransferProgress())
      } throws: {
        guard case FileError.diskFull(_, needed, _) = $0 else { return false }
        return "\($0)".contains("\(needed) bytes are needed")
      }
      staged.discard()
      #expect(Folder.entries(disk.path) == [])
      #expect {
        try execute(plan.transfer, to: disk.appending(path: "out"))
      } throws: {
        if case FileError.diskFull(_, needed, _) = $0 { true } else { false }
      }
      #expect(Folder.entries(disk.path) == [])
    }
  }

  @Test func aTransferCancelledBeforeOrInTheMidstPublishesNothing() throws {
    try Support.withTemporaryFolder { folder in
      let whole = try ImportPlan(llama.model(), ConversionOptions()).transfer
      for position in [-1, 0, whole.tasks.count / 2, whole.tasks.count - 1] {
        let progress = TransferProgress()
        var transfer = whole
        if position < 0 {
          progress.cancel()
        } else {
          let runs = transfer.tasks[position].runs
          transfer.tasks[position].runs = {
            progress.cancel()
            return try runs()
          }
        }
        let staged = try StagedFolder(
          destination: folder.path + "/out", overwrite: false, needed: 0)
        #expect {
          try transfer.run(in: staged.path, workers: 2, progress: progress)
        } throws: {
          if case ConversionError.interrupted = $0 { true } else { false }
        }
        staged.discard()
        #expect(Folder.entries(folder.path) == [])
      }
    }
  }

  @Test(arguments: [ConversionOptions(), ConversionOptions(dtype: .float32, tp: 2)])
  func aSourceCutShortAfterPlanningIsAnErrorAndNoTrap(_ options: ConversionOptions) throws {
    try Support.withTemporaryFolder { folder in
      let source = try copy(in: folder)
      let plan = try ImportPlan(HuggingFaceModel(folder: source.path), options)
      let file = source.appending(path: "model.safetensors").path
      #expect(truncate(file, off_t(try #require(Folder.size(file)) / 2)) == 0)
      #expect {
        try execute(plan.transfer, to: folder.appending(path: "out"))
      } throws: {
        guard case FileError.endOfFile(file, _, _) = $0 else { return false }
        return "\($0)".contains("cut short")
      }
      #expect(Folder.entries(folder.path) == ["copy"])
    }
  }

  @Test func aCheckpointCutShortAfterPlanningIsAnErrorAndNoTrap() throws {
    try Support.withTemporaryFolder { folder in
      let megatron = folder.appending(path: "megatron")
      try importModel(llama.folder, to: megatron, ConversionOptions(tp: 2))
      let plan = try ExportPlan(
        llama.model(), from: MegatronModel(path: megatron.path), ConversionOptions())
      #expect(truncate(megatron.path + "/iter_0000000/__1_0.distcp", 100) == 0)
      #expect(throws: (any Error).self) {
        try execute(plan.transfer, to: folder.appending(path: "out"))
      }
      #expect(Folder.entries(folder.path) == ["megatron"])
    }
  }

  @Test func aFileThatVanishedBeforeItWasCopiedIsAnError() throws {
    try Support.withTemporaryFolder { folder in
      let source = try copy(in: folder)
      let plan = try ImportPlan(HuggingFaceModel(folder: source.path), ConversionOptions())
      let tokenizer = source.appending(path: "tokenizer.json").path
      #expect(unlink(tokenizer) == 0)
      #expect {
        try execute(plan.transfer, to: folder.appending(path: "out"))
      } throws: {
        if case FileError.cannotOpen(tokenizer, ENOENT) = $0 { true } else { false }
      }
      #expect(Folder.entries(folder.path) == ["copy"])
    }
  }

  @Test func aSourceOfAnotherLengthIsAnError() throws {
    try Support.withTemporaryFolder { folder in
      var transfer = Transfer()
      transfer.files.append(.init(path: "file", size: 8))
      transfer.tasks.append(
        .init(name: "x", file: 0, offset: 0, count: 2, source: .float32, target: .float32) {
          ByteRuns(.zeros(4))
        })
      #expect {
        try execute(transfer, to: folder.appending(path: "out"))
      } throws: {
        if case ConversionError.sizeMismatch("x", 8, 4) = $0 { true } else { false }
      }
      #expect(Folder.entries(folder.path) == [])
    }
  }

  @Test func theFirstErrorOfAnyWorkerIsReported() throws {
    struct Odd: Error {}
    try Support.withTemporaryFolder { folder in
      var transfer = try ImportPlan(llama.model(), ConversionOptions()).transfer
      transfer.tasks[transfer.tasks.count / 2].runs = { throw Odd() }
      #expect(throws: Odd.self) {
        try execute(transfer, to: folder.appending(path: "out"), workers: 4)
      }
      #expect(Folder.entries(folder.path) == [])
    }
  }
}
