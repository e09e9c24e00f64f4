import Foundation
import HTTP
import Support
import Tensors
import Testing

/// SHA-256 by the system's own program, or by Python's where the tests have no other.
private func sum(_ program: String, _ bytes: [UInt8]) throws -> String {
  try Support.withTemporaryFolder { folder in
    let file = folder.appending(path: "summed")
    try Data(bytes).write(to: file)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program, file.path]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return String(text.prefix { $0 != " " })
  }
}

/// Bytes without a pattern that a shifted or repeated piece could hide in.
func sampleBytes(_ count: Int) -> [UInt8] { Array(sample[..<count]) }

private let sample: [UInt8] = {
  var state: UInt64 = 88_172_645_463_325_252
  var bytes = [UInt8](repeating: 0, count: 3 << 20)
  for index in bytes.indices {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    bytes[index] = UInt8(truncatingIfNeeded: state >> 24)
  }
  return bytes
}()

/// Serves bytes with ranges, as storage does.
private func storage(_ bytes: [UInt8]) throws -> RawServer {
  try RawServer { request in
    guard let range = request["Range"] else { return .answer(200, [:], bytes) }
    let ends = range.dropFirst("bytes=".count).split(
      separator: "-", omittingEmptySubsequences: false)
    let start = Int(ends[0]) ?? 0
    let end = min(Int(ends[1]).map { $0 + 1 } ?? bytes.count, bytes.count)
    guard start < bytes.count else {
      return .answer(416, ["Content-Range": "bytes */\(bytes.count)"])
    }
    return .answer(
      206, ["Content-Range": "bytes \(start)-\(end - 1)/\(bytes.count)"], Array(bytes[start..<end]))
  }
}

private func withFile<Result>(_ body: (String) throws -> Result) throws -> Result {
  try Support.withTemporaryFolder { try body($0.appending(path: "arriving").path) }
}

@Suite struct HTTPFileTests {
  let client = HTTPClient.plain()

  @Test func aFileArrivesWholeWithItsDigests() throws {
    let bytes = sampleBytes(3_000_001)
    let server = try storage(bytes)
    let sha256 = try sum("sha256sum", bytes)
    let blob = try sum("sha1sum", Array("blob 3000001\0".utf8) + bytes)
    try withFile { path in
      for (kind, digest) in [
        (Digest.Kind.sha256, sha256), (.gitBlob(size: bytes.count), blob), (nil, nil),
      ] as [(Digest.Kind?, String?)] {
        let file = try HTTPFile(path, size: bytes.count, digest: kind, keeping: false)
        #expect(file.received == 0)
        let response = try client.receive(.get(server.address), into: file)
        #expect(response.status == 200 && response.body.isEmpty)
        #expect(file.received == bytes.count && file.isWhole)
        #expect(try file.finish() == digest)
        #expect([UInt8](try Data(contentsOf: URL(filePath: path))) == bytes)
        if let kind { #expect(try Digest.of(file: path, kind) == digest) }
      }
    }
    #expect(server.requests.allSatisfy { $0["Range"] == nil })
  }

  @Test(arguments: [1, 262_144, 1_000_000, 2_999_999])
  func whatIsThereIsKeptAndHashed(_ there: Int) throws {
    let bytes = sampleBytes(3_000_000)
    let server = try storage(bytes)
    try withFile { path in
      try Data(bytes[..<there]).write(to: URL(filePath: path))
      let file = try HTTPFile(path, size: bytes.count, digest: .sha256, keeping: true)
      #expect(file.received == there)
      #expect(try client.receive(.get(server.address), into: file).status == 206)
      #expect(try file.finish() == sum("sha256sum", bytes))
      #expect(server.requests.map { $0["Range"] } == ["bytes=\(there)-"])
    }
  }

  @Test func onlyTheBeginningCanBeFetchedAndGoneOnWith() throws {
    let bytes = sampleBytes(1_000_000)
    let server = try storage(bytes)
    try withFile { path in
      let file = try HTTPFile(path, size: bytes.count, digest: .sha256, keeping: true)
      _ = try client.receive(.get(server.address), into: file, until: 100_000)
      #expect(file.received == 100_000 && !file.isWhole)
      _ = try client.receive(.get(server.address), into: file)
      #expect(try file.finish() == sum("sha256sum", bytes))
      #expect(server.requests.map { $0["Range"] } == ["bytes=0-99999", "bytes=100000-"])
    }
  }

  @Test func aServerWithoutRangesSendsNoMoreThanTheBeginning() throws {
    let bytes = sampleBytes(1_000_000)
    let server = try RawServer { _ in .answer(200, [:], bytes) }
    try withFile { path in
      let file = try HTTPFile(path, size: bytes.count, digest: .sha256, keeping: true)
      _ = try client.receive(.get(server.address), into: file, until: 100_000)
      #expect(file.received == 100_000)
    }
  }

  @Test func aServerThatAnswersARangeWithAllStartsOver() throws {
    let bytes = sampleBytes(500_000)
    let server = try RawServer { _ in .answer(200, [:], bytes) }
    try withFile { path in
      try Data(repeating: 9, count: 400_000).write(to: URL(filePath: path))
      let file = try HTTPFile(path, size: bytes.count, digest: .sha256, keeping: true)
      #expect(try client.receive(.get(server.address), into: file).status == 200)
      #expect(try file.finish() == sum("sha256sum", bytes))
      #expect([UInt8](try Data(contentsOf: URL(filePath: path))) == bytes)
    }
  }

  @Test(arguments: [10, 600_000]) func aPageInItsPlaceCostsNothingOfTheFile(_ size: Int) throws {
    let server = try RawServer { _ in .answer(200, [:], [UInt8](repeating: 65, count: size)) }
    try withFile { path in
      let beginning = Data(sampleBytes(400_000))
      try beginning.write(to: URL(filePath: path))
      let file = try HTTPFile(path, size: 500_000, digest: .sha256, keeping: true)
      #expect(throws: HTTPError.self) { try client.receive(.get(server.address), into: file) }
      #expect(try Data(contentsOf: URL(filePath: path)) == beginning)
    }
  }

  @Test func aRangeThatBeginsElsewhereIsNotTaken() throws {
    let bytes = sampleBytes(500_000)
    let server = try RawServer { request in
      request["Range"] == nil
        ? .answer(200, [:], bytes)
        : .answer(206, ["Content-Range": "bytes 5-499999/500000"], Array(bytes[5...]))
    }
    try withFile { path in
      try Data(bytes[..<1000]).write(to: URL(filePath: path))
      let file = try HTTPFile(path, size: bytes.count, digest: .sha256, keeping: true)
      #expect(try client.receive(.get(server.address), into: file).status == 200)
      #expect(try file.finish() == sum("sha256sum", bytes))
    }
    let liar = try RawServer { _ in .answer(206, ["Content-Range": "bytes 5-9/500000"], [1, 2]) }
    try withFile { path in
      let file = try HTTPFile(path, size: bytes.count, digest: nil, keeping: false)
      #expect(
        throws: HTTPError.badAnswer(
          url: liar.address + "/", reason: "it is of another part of the file")
      ) { try client.receive(.get(liar.address), into: file) }
      #expect(file.received == 0)
    }
  }

  @Test func moreThanTheSizeIsAnErrorAndIsNeverWritten() throws {
    let server = try RawServer { request in
      request.target == "/says"
        ? .answer(200, [:], [UInt8](repeating: 1, count: 101))
        : [
          .text("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
          .bytes([UInt8](repeating: 1, count: 101)), .end,
        ]
    }
    for target in ["/says", "/does"] {
      try withFile { path in
        let file = try HTTPFile(path, size: 100, digest: .sha256, keeping: false)
        #expect(throws: HTTPError.tooLong(url: server.address + target, limit: 100)) {
          try client.receive(.get(server.address + target), into: file)
        }
        #expect(file.received <= 100)
      }
    }
  }

  @Test(arguments: [true, false]) func aTruncatedBodyIsBrokenOff(_ saysItsLength: Bool) throws {
    let bytes = sampleBytes(200_000)
    let server = try RawServer { request in
      let length = saysItsLength ? "Content-Length: 200000" : "Connection: close"
      return [
        .text("HTTP/1.1 200 OK\r\n\(length)\r\n\r\n"), .bytes(Array(bytes[..<150_000])), .end,
      ]
    }
    try withFile { path in
      let file = try HTTPFile(path, size: bytes.count, digest: .sha256, keeping: false)
      let error = #expect(throws: HTTPError.self) {
        try client.receive(.get(server.address), into: file)
      }
      guard case .brokenOff(_, 150_000, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      // What came is kept, for the next attempt.
      #expect(file.received == 150_000)
      let storage = try storage(bytes)
      _ = try client.receive(.get(storage.address), into: file)
      #expect(try file.finish() == sum("sha256sum", bytes))
    }
  }

  @Test func aRefusalLeavesTheFileAlone() throws {
    let server = try RawServer { _ in
      .answer(403, ["X-Error-Code": "GatedRepo"], [UInt8](repeating: 65, count: 3 << 20))
    }
    try withFile { path in
      try Data([1, 2, 3]).write(to: URL(filePath: path))
      let file = try HTTPFile(path, size: 10, digest: .sha256, keeping: true)
      let response = try client.receive(.get(server.address), into: file)
      #expect(response.status == 403 && response.headers["X-Error-Code"] == "GatedRepo")
      #expect(response.body.count == 1 << 20)
      #expect(file.received == 3)
    }
  }

  @Test func aCompressedAnswerIsNotTakenForTheFile() throws {
    let server = try RawServer { _ in .answer(200, ["Content-Encoding": "gzip"], [1, 2, 3]) }
    try withFile { path in
      let file = try HTTPFile(path, size: nil, digest: nil, keeping: false)
      #expect(
        throws: HTTPError.badAnswer(
          url: server.address + "/", reason: "it is compressed, which was not asked for")
      ) { try client.receive(.get(server.address), into: file) }
    }
  }

  @Test func anEmptyFileIsWholeAndReplacesWhatWasThere() throws {
    let server = try RawServer { _ in .answer() }
    try withFile { path in
      let file = try HTTPFile(path, size: 0, digest: .sha256, keeping: false)
      _ = try client.receive(.get(server.address), into: file)
      #expect(try file.finish() == sum("sha256sum", []))
      try Data([1, 2]).write(to: URL(filePath: path))
      let unsized = try HTTPFile(path, size: nil, digest: .sha256, keeping: true)
      _ = try client.receive(.get(server.address), into: unsized)
      #expect(unsized.received == 0)
      #expect(try unsized.finish() == sum("sha256sum", []))
    }
  }

  @Test func whatIsLongerThanTheFileIsNotItsBeginning() throws {
    try withFile { path in
      try Data(repeating: 1, count: 11).write(to: URL(filePath: path))
      #expect(try HTTPFile(path, size: 10, digest: nil, keeping: true).received == 0)
    }
  }

  @Test func aFolderIsNoFile() throws {
    try Support.withTemporaryFolder { folder in
      _ = #expect(throws: FileError.self) {
        try HTTPFile(folder.path, size: 1, digest: nil, keeping: true)
      }
    }
  }

  @Test(.enabled(if: Support.canMountDisks, "needs to mount a disk"))
  func aFullDiskIsNamedWithTheNeed() throws {
    let bytes = sampleBytes(3 << 20)
    let server = try storage(bytes)
    try Support.withSmallDisk(bytes: 1 << 20) { disk in
      let path = disk.appending(path: "arriving").path
      let file = try HTTPFile(path, size: bytes.count, digest: .sha256, keeping: true)
      let error = #expect(throws: HTTPError.self) {
        try client.receive(.get(server.address), into: file)
      }
      guard case .file(.diskFull(path, let needed, let available)) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(needed == bytes.count - file.received && available < 1 << 20)
    }
  }
}
