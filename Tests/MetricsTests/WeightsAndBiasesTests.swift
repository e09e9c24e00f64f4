import Foundation
import JSON
import Support
import Testing

@testable import Metrics

@Suite("Runs for Weights & Biases")
struct WeightsAndBiasesTests {
  private func options(_ folder: URL) -> WeightsAndBiasesOptions {
    var options = WeightsAndBiasesOptions(project: "proj", folder: folder.path)
    options.entity = "team"
    options.group = "group"
    options.tags = ["one", "two"]
    return options
  }

  private func log(in folder: URL) throws -> URL {
    let all = folder.appending(path: "wandb")
    let runs = names(in: all).filter { $0.hasPrefix("offline-run-") }
    let run = all.appending(path: try #require(runs.first))
    #expect(runs.count == 1)
    let log = try #require(names(in: run).first { $0.hasSuffix(".wandb") })
    return run.appending(path: log)
  }

  private func records(_ url: URL) throws -> [[UInt8]] {
    var reader = try #require(try TransactionLog.Reader(url.path))
    var records: [[UInt8]] = []
    while let record = try reader.next() { records.append(record) }
    return records
  }

  @Test("records are byte for byte those of W&B's own protocol buffers")
  func sameRecords() throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let bytes = try ExampleRun.bytes(ExampleRun.file("records.wandb.json"))
      let expected = try #require(try JSON(parsing: bytes).array?.compactMap(\.string))
      let writer = try WeightsAndBiasesWriter(
        options(folder), names: .megatron(.standard), run.description)
      try run.tell(writer, 1...4)
      try writer.finish(.stopped)
      var written = try records(log(in: folder)).map { record in
        record.map { String(format: "%02x", $0) }.joined()
      }
      // What differs from machine to machine: the run's identifier and host, the environment, the files.
      let head = ProtobufMessage { record in
        record.number(1, 2)
        record.data(
          RunRecords.Kind.run,
          RunRecords.run("abcd1234", options(folder), run.description, host: "HOST").bytes)
      }
      written[1] = head.bytes.map { String(format: "%02x", $0) }.joined()
      written.removeSubrange(2..<4)
      #expect(written.count == expected.count)
      for (index, (ours, theirs)) in zip(written, expected).enumerated() {
        // The numbers count the two records that were left out.
        #expect(index < 2 ? ours == theirs : ours.dropFirst(4) == theirs.dropFirst(4))
      }
    }
  }

  @Test("the log is cut into blocks as W&B's own writer does")
  func blocks() throws {
    let bytes = try ExampleRun.bytes(ExampleRun.file("log.json"))
    for entry in try #require(try JSON(parsing: bytes).array?.compactMap(\.object)) {
      let lengths = (entry["lengths"]?.array ?? []).compactMap(\.integer)
      var file = TransactionLog.header
      var contents: [[UInt8]] = []
      for length in lengths {
        contents.append((0..<length).map { UInt8($0 % 251) })
        file += TransactionLog.framed(contents[contents.count - 1], at: file.count)
      }
      #expect(file.count == entry["size"]?.integer)
      var hash: UInt64 = 0xCBF2_9CE4_8422_2325
      for byte in file { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
      let digits = String(hash, radix: 16)
      #expect(String(repeating: "0", count: 16 - digits.count) + digits == entry["hash"]?.string)
      try Support.withTemporaryFolder { folder in
        let url = folder.appending(path: "run.wandb")
        try Data(file).write(to: url)
        #expect(try records(url) == contents)
        // Without its last byte the last record is not there, and the others are.
        try Data(file.dropLast()).write(to: url)
        #expect(try records(url) == contents.dropLast())
      }
    }
  }

  @Test("a log by wandb's own writer is read record by record")
  func theirLog() throws {
    let bytes = try ExampleRun.bytes(ExampleRun.file("records.wandb.json"))
    let expected = try #require(try JSON(parsing: bytes).array?.compactMap(\.string))
    let records = try records(ExampleRun.file("run.wandb")).map { record in
      record.map { String(format: "%02x", $0) }.joined()
    }
    #expect(records == expected)
  }

  @Test("a file by wandb 0.31 itself is read whole", .enabled(if: Support.wandbFile != nil))
  func theirs() throws {
    let records = try records(try #require(Support.wandbFile))
    #expect(records.count == 19)
    let kinds = records.map { record in
      ProtobufFields.all(record[...]).map(\.field).first { $0 != 1 && $0 != 16 && $0 != 200 }
    }
    #expect(kinds.prefix(4) == [21, 17, 26, 6])
    #expect(kinds.last == 18)
  }

  @Test(
    "a process that goes on continues the file, without later steps and without the end",
    arguments: 1...3)
  func goingOn(step: Int) throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let first = try WeightsAndBiasesWriter(options(folder), names: .automodel, run.description)
      try run.tell(first, 1...4)
      try first.finish(.stopped)
      let url = try log(in: folder)
      let before = try records(url)
      let marker = url.path + ".synced"
      try Data().write(to: URL(filePath: marker))
      let second = try WeightsAndBiasesWriter(
        options(folder), names: .automodel, run.goingOn(after: step))
      #expect(!FileManager.default.fileExists(atPath: marker))
      try run.tell(second, (step + 1)...4)
      try second.finish(.finished)
      let after = try records(try log(in: folder))
      let kept = 4 + 2 * step
      #expect(Array(after.prefix(kept)) == Array(before.prefix(kept)))
      // The configuration of the second process comes between.
      #expect(after.count == before.count + 1)
      let numbers = after.map { ProtobufFields.number(1, in: $0[...]).map { Int($0) } }
      #expect(numbers == Array(1...after.count))
      let link = try FileManager.default.destinationOfSymbolicLink(
        atPath: folder.path + "/wandb/latest-run")
      #expect(link == url.deletingLastPathComponent().lastPathComponent)
    }
  }

  @Test("a log that ends anywhere is continued, or begun afresh where not even the run is left")
  func tornAnywhere() throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let first = try WeightsAndBiasesWriter(options(folder), names: .automodel, run.description)
      try run.tell(first, 1...4)
      let url = try log(in: folder)
      let whole = try ExampleRun.bytes(url)
      let records = try records(url)
      for count in stride(from: whole.count - 1, to: 0, by: -37) {
        try Data(whole.prefix(count)).write(to: url)
        let torn = try self.records(url).count
        guard torn >= 2 else { break }
        _ = try WeightsAndBiasesWriter(options(folder), names: .automodel, run.goingOn(after: 9))
        let after = try self.records(url)
        #expect(Array(after.prefix(torn)) == Array(records.prefix(torn)))
        #expect(after.count == torn + 1)
      }
    }
  }
}

extension Support {
  /// A file that wandb itself wrote, beside the checkout.
  static var wandbFile: URL? {
    let url = root.deletingLastPathComponent().appending(
      path: "shared/data/formats/wandb/wandb-0.31.0-real-offline.wandb")
    return FileManager.default.fileExists(atPath: url.path) ? url : nil
  }
}
