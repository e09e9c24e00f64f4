import Foundation
import Glibc
import Support
import Tensors
import Testing

/// Files at their edges: ends, emptiness, kinds that are no files, full disks.
@Suite struct FileTests {
  @Test func anyRangeInsideTheFileIsReadAndNoneBeyondItsEnd() throws {
    try Support.withTemporaryFolder { folder in
      let bytes = (0..<1000).map { UInt8($0 % 251) }
      let file = try inputFile(bytes, in: folder)
      #expect(file.size == 1000)
      #expect(try file.readAll() == bytes)
      #expect(try file.read(990..<1000) == Array(bytes[990...]))
      #expect(try file.read(1000..<1000) == [])
      for range in [999..<1001, 1000..<1001, 5000..<5001, -1..<3, 0..<Int.max] {
        #expect {
          try file.read(range)
        } throws: {
          guard case FileError.endOfFile(file.path, range, 1000) = $0 else { return false }
          return "\($0)".contains("ends at byte 1000")
        }
      }
    }
  }

  @Test func runsBeyondTheEndAreAnErrorWhateverTheirShape() throws {
    try Support.withTemporaryFolder { folder in
      let file = try inputFile([UInt8](repeating: 1, count: 100_000), in: folder)
      let buffer = ByteBuffer(capacity: 1 << 20)
      let runs = [
        ByteRun(file: file, offset: 99_999, length: 2),
        ByteRun(file: file, offset: 90_000, length: 20_000),
        ByteRun(file: file, offset: 0, length: 4, count: 101, stride: 1000),
        ByteRun(file: file, offset: -4, length: 4, count: 2, stride: 100),
        ByteRun(file: file, offset: 200_000, length: 1),
      ]
      for run in runs {
        #expect {
          try buffer.fill(ByteRuns(run))
        } throws: {
          if case FileError.endOfFile = $0 { true } else { false }
        }
      }
      try buffer.fill(
        ByteRuns(ByteRun(file: file, offset: 96, length: 4, count: 100, stride: 1000)))
    }
  }

  @Test(arguments: [4, 16 * 1024, 50_000])
  func aFileCutShortAfterItWasOpenedIsAnErrorAndNoTrap(_ length: Int) throws {
    try Support.withTemporaryFolder { folder in
      let file = try inputFile([UInt8](repeating: 1, count: 100_000), in: folder)
      let buffer = ByteBuffer(capacity: length)
      let runs = ByteRuns(ByteRun(file: file, offset: 100_000 - length, length: length))
      try buffer.fill(runs)
      #expect(truncate(file.path, 10) == 0)
      #expect {
        try buffer.fill(runs)
      } throws: {
        if case FileError.endOfFile(file.path, _, 10) = $0 { true } else { false }
      }
    }
  }

  @Test func anEmptyFileIsReadAsNothing() throws {
    try Support.withTemporaryFolder { folder in
      let file = try inputFile([], in: folder)
      #expect(file.size == 0)
      #expect(try file.readAll() == [])
      #expect(throws: FileError.self) { try file.read(0..<1) }
      try ByteBuffer(capacity: 1).fill(ByteRuns(ByteRun(file: file, offset: 0, length: 0)))
    }
  }

  @Test func foldersDevicesAndPipesAreNoFiles() throws {
    try Support.withTemporaryFolder { folder in
      let pipe = folder.appending(path: "pipe").path
      #expect(mkfifo(pipe, 0o600) == 0)
      for path in [folder.path, "/dev/null", pipe] {
        #expect {
          try InputFile(path)
        } throws: {
          if case FileError.notARegularFile(path) = $0 { true } else { false }
        }
      }
      #expect {
        try InputFile(folder.appending(path: "none").path)
      } throws: {
        guard case FileError.cannotOpen(_, ENOENT) = $0 else { return false }
        return "\($0)".contains("No such file or directory")
      }
    }
  }

  @Test func aNewFileHoldsWhatWasWrittenWhereItWasWritten() throws {
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "new").path
      let file = try OutputFile(creating: path)
      try file.write([7, 8, 9], at: 6)
      try file.write([1, 2], at: 0)
      try file.write([], at: 50)
      let buffer = ByteBuffer(capacity: 4)
      try buffer.fill(ByteRuns(ByteRun(file: InputFile(path), offset: 6, length: 3)))
      try buffer.write(1..<3, to: file, at: 3)
      file.startFlushing(0..<9)
      try file.flush()
      #expect(try InputFile(path).readAll() == [1, 2, 0, 8, 9, 0, 7, 8, 9])
    }
  }

  @Test func anExistingFileIsNotOpenedForWriting() throws {
    try Support.withTemporaryFolder { folder in
      let path = try inputFile([1, 2, 3], in: folder).path
      let link = folder.appending(path: "link").path
      #expect(symlink("nowhere", link) == 0)
      for place in [path, folder.path, link] {
        #expect {
          try OutputFile(creating: place)
        } throws: {
          if case FileError.cannotOpen(place, EEXIST) = $0 { true } else { false }
        }
      }
      #expect(try InputFile(path).readAll() == [1, 2, 3])
    }
  }

  @Test(.enabled(if: Support.canMountDisks))
  func aFullDiskIsReportedWithThePlaceWhereItWasFull() throws {
    try Support.withSmallDisk(bytes: 256 << 10) { disk in
      let path = disk.appending(path: "large").path
      let file = try OutputFile(creating: path)
      #expect {
        try file.write([UInt8](repeating: 1, count: 1 << 20), at: 0)
      } throws: {
        guard case FileError.cannotWrite(path, let offset, ENOSPC) = $0 else { return false }
        return (1...256 << 10).contains(offset)
      }
    }
  }
}
