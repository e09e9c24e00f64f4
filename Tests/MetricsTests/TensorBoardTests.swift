import Foundation
import Support
import Testing

@testable import Metrics

@Suite("Event files")
struct TensorBoardTests {
  @Test("checksums are those of RFC 3720")
  func checksums() {
    // Appendix B.4; the last is the usual check value of CRC-32C.
    #expect(Castagnoli.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(Castagnoli.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(Castagnoli.checksum((0..<32).map { UInt8($0) }) == 0x46DD_794E)
    #expect(Castagnoli.checksum((0..<32).reversed().map { UInt8($0) }) == 0x113F_DB5C)
    #expect(Castagnoli.checksum("123456789".utf8) == 0xE306_9283)
  }

  private func files(_ folder: URL) throws -> [[UInt8]] {
    try names(in: folder).filter { $0.contains("tfevents") }.map {
      try ExampleRun.bytes(folder.appending(path: $0))
    }
  }

  @Test("are byte for byte what TensorBoard's own writer makes of the same run")
  func sameBytes() throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let events = folder.appending(path: "tb")
      try run.tell(TensorBoardWriter(folder: events.path, run.description), 1...4)
      let expected = try ExampleRun.bytes(ExampleRun.file("events.tfevents"))
      #expect(try files(events) == [expected])
      let name = try #require(names(in: events).first)
      #expect(name.hasPrefix("events.out.tfevents.1795306848."))
    }
  }

  @Test("a process that goes on cuts the earlier file behind its first step", arguments: 1...3)
  func goingOn(step: Int) throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let events = folder.appending(path: "tb")
      let alone = folder.appending(path: "alone")
      try run.tell(TensorBoardWriter(folder: events.path, run.description), 1...4)
      var other = run.description
      other.folder = alone.path
      try run.tell(TensorBoardWriter(folder: alone.path, other), 1...step)
      try run.tell(TensorBoardWriter(folder: events.path, run.goingOn(after: step)), (step + 1)...4)
      let written = try files(events)
      #expect(written.count == 2)
      #expect(written.first == (try files(alone)).first)
    }
  }

  @Test("files of other runs and of other programs in the folder are left alone")
  func others() throws {
    try Support.withTemporaryFolder { folder in
      let events = folder.appending(path: "tb")
      let run = try ExampleRun(in: folder.appending(path: "one"))
      var other = run.description
      other.folder = folder.appending(path: "two").path
      try run.tell(TensorBoardWriter(folder: events.path, other), 1...4)
      let before = try files(events)
      _ = try TensorBoardWriter(folder: events.path, run.goingOn(after: 1))
      _ = try TensorBoardWriter(folder: events.path, run.description)
      #expect(try files(events).contains(before[0]))
    }
  }

  @Test("what is no event file of ours is not cut, whoever names it", arguments: [0, 2])
  func foreign(step: Int) throws {
    try Support.withTemporaryFolder { folder in
      let run = try ExampleRun(in: folder)
      let text = Data("dear diary".utf8)
      let diary = folder.appending(path: "diary.txt")
      try text.write(to: diary)
      try Data(#"{"tensorboard": ["diary.txt", "../none", ""]}"#.utf8).write(
        to: folder.appending(path: "watching.json"))
      _ = try TensorBoardWriter(
        folder: folder.appending(path: "tb").path,
        step == 0 ? run.description : run.goingOn(after: step))
      #expect(try Data(contentsOf: diary) == text)
    }
  }

  @Test("a torn or damaged record and all behind it are cut")
  func torn() throws {
    try Support.withTemporaryFolder { folder in
      let expected = try ExampleRun.bytes(ExampleRun.file("events.tfevents"))
      let path = folder.appending(path: "events")
      for count in [expected.count - 1, expected.count - 40, 20, 3] {
        try Data(expected.prefix(count)).write(to: path)
        let end = try #require(try EventFile.end(of: path.path, upTo: 100))
        #expect(end < count)
        #expect(try EventFile.end(of: path.path, upTo: 100) == end)
      }
      var damaged = expected
      damaged[damaged.count - 30] ^= 1
      try Data(damaged).write(to: path)
      #expect(try EventFile.end(of: path.path, upTo: 100) != nil)
      try Data(expected).write(to: path)
      #expect(try EventFile.end(of: path.path, upTo: 100) == nil)
    }
  }
}
