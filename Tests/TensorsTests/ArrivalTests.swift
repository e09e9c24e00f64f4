import Foundation
import Glibc
import Support
import Synchronization
import Tensors
import Testing

/// Files that are read while they arrive.
@Suite struct ArrivalTests {
  /// A file that gets its bytes as it is told.
  private final class Growing: Arrival {
    let place: URL
    let bytes: [UInt8]
    private let count = Mutex(0)
    private let isLost = Mutex(false)

    init(_ bytes: [UInt8], in folder: URL) throws {
      self.bytes = bytes
      place = folder.appending(path: UUID().uuidString)
      try Data().write(to: place)
    }

    func grow(to end: Int) throws {
      let old = count.withLock { $0 }
      let file = try FileHandle(forWritingTo: place)
      try file.seekToEnd()
      try file.write(contentsOf: Data(bytes[old..<end]))
      try file.close()
      count.withLock { $0 = end }
    }

    func lose() { isLost.withLock { $0 = true } }

    func available() throws(FileError) -> Int {
      if isLost.withLock({ $0 }) { throw .endOfFile(path: "lost", wanted: 0..<1, size: 0) }
      return count.withLock { $0 }
    }

    func open() throws -> InputFile {
      try InputFile("later/name", at: place.path, size: bytes.count, arriving: self)
    }
  }

  private static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed)
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  @Test func whateverIsReadIsWhatArrivesInTheEnd() throws {
    try Support.withTemporaryFolder { folder in
      let bytes = Self.bytes(300_000, seed: 1)
      let whole = try inputFile(bytes, in: folder)
      let growing = try Growing(bytes, in: folder)
      let arriving = try growing.open()
      #expect(arriving.path == "later/name")
      #expect(arriving.size == bytes.count)
      let writer = Thread {
        for end in stride(from: 7_919, to: bytes.count, by: 7_919) {
          try? growing.grow(to: end)
          usleep(200)
        }
        try? growing.grow(to: bytes.count)
      }
      writer.start()
      var generator = SeededGenerator(2)
      for length in [1, 2, 3, 4, 8, 100, 255, 256, 1_000, 20_000] {
        for _ in 0..<12 {
          let distance =
            [length, length + 1, 2 * length + 5, 2_048, 2_049, 9_000]
            .filter { $0 >= length }.randomElement(using: &generator) ?? length
          let most = (bytes.count - length) / distance + 1
          let count = Int.random(in: 1...max(1, min(most, 200_000 / length)), using: &generator)
          let span = (count - 1) * distance + length
          let offset = Int.random(in: 0...bytes.count - span, using: &generator)
          func runs(_ file: InputFile) -> ByteRuns {
            ByteRuns(
              ByteRun(
                file: file, offset: offset, length: length, count: count, stride: distance))
          }
          #expect(try runs(arriving).materialised() == runs(whole).materialised())
        }
      }
      #expect(try arriving.readAll() == bytes)
    }
  }

  @Test func nothingIsWaitedForButWhatIsRead() throws {
    try Support.withTemporaryFolder { folder in
      let bytes = Self.bytes(50_000, seed: 3)
      let growing = try Growing(bytes, in: folder)
      let file = try growing.open()
      try growing.grow(to: 1_000)
      #expect(try file.read(0..<1_000) == Array(bytes[..<1_000]))
      // Pieces of two bytes, the last of which ends where the file does now.
      let pieces = ByteRuns(ByteRun(file: file, offset: 98, length: 2, count: 10, stride: 100))
      #expect(
        try pieces.materialised()
          == (0..<10).flatMap { bytes[98 + $0 * 100..<100 + $0 * 100] })
      growing.lose()
      #expect(throws: FileError.self) { try file.read(0..<1_001) }
      #expect(throws: FileError.self) { try pieces.materialised() }
    }
  }

  @Test func whatBecomesShorterIsAnErrorAndNoTrap() throws {
    try Support.withTemporaryFolder { folder in
      let bytes = Self.bytes(200_000, seed: 4)
      let growing = try Growing(bytes, in: folder)
      let file = try growing.open()
      try growing.grow(to: bytes.count)
      #expect(truncate(growing.place.path, 100) == 0)
      for (length, count, distance) in [(20_000, 1, 0), (2, 1_000, 100), (100, 30, 5_000)] {
        let run = ByteRun(file: file, offset: 50, length: length, count: count, stride: distance)
        #expect(throws: FileError.self) { try ByteRuns(run).materialised() }
      }
    }
  }

  @Test func whereBytesLieInMemoryIsNotSaidOfWhatIsArriving() throws {
    try Support.withTemporaryFolder { folder in
      let growing = try Growing(Self.bytes(64, seed: 5), in: folder)
      try growing.grow(to: 64)
      let runs = ByteRuns(ByteRun(file: try growing.open(), offset: 0, length: 64))
      #expect(try runs.mapped(elementSize: 4) == nil)
    }
  }

  @Test func aFileThatWasBegunAnewElsewhereIsToldFromTheOneThatWasOpened() throws {
    try Support.withTemporaryFolder { folder in
      let growing = try Growing([1, 2, 3], in: folder)
      let file = try growing.open()
      let moved = folder.appending(path: "moved").path
      #expect(file.isSame(asFileAt: growing.place.path))
      #expect(rename(growing.place.path, moved) == 0)
      #expect(file.isSame(asFileAt: moved))
      try Data([1, 2, 3]).write(to: growing.place)
      #expect(!file.isSame(asFileAt: growing.place.path))
      #expect(!file.isSame(asFileAt: folder.appending(path: "nothing").path))
    }
  }
}
