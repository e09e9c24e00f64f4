import Foundation
import Glibc
import Support
import Tensors
import Testing

@testable import Checkpoints

/// Results come into their place whole or not at all.
@Suite struct StagingTests {
  private func write(_ text: String, to path: String) throws {
    try Folder.create(Folder.parent(path))
    try Data(text.utf8).write(to: URL(filePath: path))
  }

  private func text(_ path: String) -> String? {
    (try? InputFile(path).readAll()).map { String(decoding: $0, as: UTF8.self) }
  }

  private func isRefused(_ error: any Error) -> Bool {
    guard case ConversionError.destinationNotEmpty = error else { return false }
    return "\(error)".contains("--overwrite")
  }

  @Test func nothingIsAtTheDestinationBeforeItIsPublished() throws {
    try Support.withTemporaryFolder { folder in
      let out = folder.path + "/a/b/out"
      let staged = try StagedFolder(destination: out, overwrite: false, needed: 10)
      try write("new", to: staged.path + "/deep/file")
      #expect(!Folder.exists(out))
      #expect(Folder.parent(staged.path) == Folder.parent(out))
      try staged.publish()
      #expect(text(out + "/deep/file") == "new")
      #expect(Folder.entries(folder.path + "/a/b") == ["out"])
    }
  }

  @Test func overwritingExchangesTheWholeFolder() throws {
    try Support.withTemporaryFolder { folder in
      let out = folder.path + "/out"
      try write("old", to: out + "/old/file")
      try write("old", to: out + "/both")
      let staged = try StagedFolder(destination: out, overwrite: true, needed: 0)
      try write("new", to: staged.path + "/both")
      #expect(text(out + "/both") == "old")
      try staged.publish()
      #expect(try contents(of: URL(filePath: out)) == ["both": Data("new".utf8)])
      #expect(Folder.entries(folder.path) == ["out"])
    }
  }

  @Test func whatIsThereIsNotTouchedWithoutOverwrite() throws {
    try Support.withTemporaryFolder { folder in
      try write("old", to: folder.path + "/out/file")
      try write("old", to: folder.path + "/plain")
      #expect(symlink("nowhere", folder.path + "/dangling") == 0)
      for name in ["out", "plain", "dangling", "../\(folder.lastPathComponent)/out/"] {
        #expect {
          try StagedFolder(destination: folder.path + "/" + name, overwrite: false, needed: 0)
        } throws: {
          isRefused($0)
        }
      }
      #expect(Folder.entries(folder.path) == ["dangling", "out", "plain"])
      #expect(text(folder.path + "/out/file") == "old")
    }
  }

  @Test func whatCameMeanwhileIsNotReplacedWithoutOverwrite() throws {
    try Support.withTemporaryFolder { folder in
      let out = folder.path + "/out"
      let staged = try StagedFolder(destination: out, overwrite: false, needed: 0)
      try write("new", to: staged.path + "/file")
      try write("somebody else's", to: out + "/file")
      #expect {
        try staged.publish()
      } throws: {
        isRefused($0)
      }
      staged.discard()
      #expect(text(out + "/file") == "somebody else's")
      #expect(Folder.entries(folder.path) == ["out"])
    }
  }

  @Test(arguments: [true, false]) func anEmptyFolderIsFilled(_ overwrite: Bool) throws {
    try Support.withTemporaryFolder { folder in
      let out = folder.path + "/out"
      try Folder.create(out)
      let staged = try StagedFolder(destination: out, overwrite: overwrite, needed: 0)
      try write("new", to: staged.path + "/file")
      try staged.publish()
      #expect(text(out + "/file") == "new")
    }
  }

  @Test func aFileIsReplacedOnlyWithOverwrite() throws {
    try Support.withTemporaryFolder { folder in
      let out = folder.path + "/out"
      try write("old", to: out)
      let staged = try StagedFolder(destination: out, overwrite: true, needed: 0)
      try write("new", to: staged.path + "/file")
      try staged.publish()
      #expect(text(out + "/file") == "new")
      #expect(Folder.entries(folder.path) == ["out"])
    }
  }

  @Test(arguments: [true, false]) func aLinkToAFolderMeansThatFolder(_ isEmpty: Bool) throws {
    try Support.withTemporaryFolder { folder in
      let real = folder.path + "/disk/real"
      try Folder.create(real)
      if !isEmpty { try write("old", to: real + "/old") }
      #expect(symlink(real, folder.path + "/out") == 0)
      let staged = try StagedFolder(
        destination: folder.path + "/out", overwrite: !isEmpty, needed: 0)
      try write("new", to: staged.path + "/file")
      try staged.publish()
      #expect(Folder.entries(real) == ["file"])
      var status = stat()
      #expect(lstat(folder.path + "/out", &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
      #expect(Folder.entries(folder.path + "/disk") == ["real"])
    }
  }

  @Test func discardingLeavesNothing() throws {
    try Support.withTemporaryFolder { folder in
      let staged = try StagedFolder(
        destination: folder.path + "/a/b/out", overwrite: false, needed: 0)
      try write("new", to: staged.path + "/deep/er/file")
      staged.discard()
      #expect(Folder.entries(folder.path) == [])
      // A folder that somebody else uses by now stays.
      let second = try StagedFolder(
        destination: folder.path + "/a/b/out", overwrite: false, needed: 0)
      try write("other", to: folder.path + "/a/other")
      second.discard()
      #expect(try contents(of: folder) == ["a/other": Data("other".utf8)])
    }
  }

  @Test func whatDeadRunsLeftIsRemovedAndWhatIsAliveStays() throws {
    try Support.withTemporaryFolder { folder in
      let place = folder.path + "/"
      let alive = try StagedFolder(destination: place + "out", overwrite: false, needed: 0)
      try write("alive", to: alive.path + "/file")
      // A number of no process, a living process of another program, and this very process, as in a
      // container where every run has the same number.
      let dead = [".out.isthmus-4194305", ".out.isthmus-1", ".out.isthmus-\(getpid())-7"]
      let others = [".out.isthmus-", ".out.isthmus-x", ".out2.isthmus-4194305", "out.isthmus-3"]
      for name in dead + others { try write("old", to: place + name + "/deep/file") }
      let next = try StagedFolder(destination: place + "out", overwrite: false, needed: 0)
      for name in dead { #expect(!Folder.exists(place + name)) }
      for name in others { #expect(Folder.exists(place + name)) }
      #expect(text(alive.path + "/file") == "alive")
      #expect(next.path != alive.path)
      try write("next", to: next.path + "/file")
      try next.publish()
      #expect(text(place + "out/file") == "next")
      alive.discard()
    }
  }

  @Test func aStagingFolderOfThisNumberIsNoObstacle() throws {
    try Support.withTemporaryFolder { folder in
      let stale = "\(folder.path)/.out.isthmus-\(getpid())"
      try write("old", to: stale + "/file")
      let staged = try StagedFolder(
        destination: folder.path + "/out", overwrite: false, needed: 0)
      #expect(Folder.entries(staged.path) == [])
      try staged.publish()
      #expect(Folder.entries(folder.path) == ["out"])
    }
  }

  @Test func aPlaceThatCannotBeWrittenIsAnErrorWithItsPath() throws {
    try Support.withTemporaryFolder { folder in
      try write("file", to: folder.path + "/file")
      for parent in [folder.path + "/file", "/proc/isthmus", "/dev/null"] {
        #expect {
          try StagedFolder(destination: parent + "/out", overwrite: true, needed: 0)
        } throws: {
          $0 is FileError && "\($0)".contains(parent)
        }
      }
      #expect(text(folder.path + "/file") == "file")
    }
  }

  @Test(.enabled(if: getuid() != 0, "root may write anywhere"))
  func aFolderOfSomebodyElseIsAnError() throws {
    try Support.withTemporaryFolder { folder in
      #expect(chmod(folder.path, 0o555) == 0)
      defer { chmod(folder.path, 0o755) }
      #expect(throws: FileError.self) {
        try StagedFolder(destination: folder.path + "/out", overwrite: true, needed: 0)
      }
    }
  }

  @Test func aDiskTooSmallIsKnownBeforeAnythingIsWritten() throws {
    try Support.withTemporaryFolder { folder in
      #expect {
        try StagedFolder(
          destination: folder.path + "/new/out", overwrite: false, needed: 1 << 60)
      } throws: {
        guard case FileError.diskFull(_, 1 << 60, let free) = $0 else { return false }
        return free > 0 && "\($0)".contains("\(1 << 60) bytes are needed")
      }
      #expect(Folder.entries(folder.path) == [])
    }
  }
}
