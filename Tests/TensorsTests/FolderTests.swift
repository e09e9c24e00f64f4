import Foundation
import Glibc
import Support
import Tensors
import Testing

/// Paths and trees of folders.
@Suite struct FolderTests {
  @Test func anAbsolutePathHasNoDotsAndNoSlashAtItsEnd() {
    let here = FileManager.default.currentDirectoryPath
    let pairs = [
      ("/a/b/../c/./d/", "/a/c/d"), ("/", "/"), ("//a//b", "/a/b"), ("/../..", "/"),
      ("/a/../../b", "/b"), (".", here), ("x/y/..", here + "/x"), ("./x", here + "/x"), ("", here),
    ]
    for (path, expected) in pairs { #expect(Folder.absolute(path) == expected) }
  }

  @Test func parentAndNameSplitAPath() {
    #expect(Folder.parent("/a/b") == "/a")
    #expect(Folder.parent("/a") == "/")
    #expect(Folder.parent("a/b") == "a")
    #expect(Folder.name("/a/b.c") == "b.c")
    #expect(Folder.name("b") == "b")
  }

  @Test func removingATreeLeavesWhatItsLinksLeadTo() throws {
    try Support.withTemporaryFolder { folder in
      let kept = folder.appending(path: "kept")
      try FileManager.default.createDirectory(
        at: kept.appending(path: "inner"), withIntermediateDirectories: true)
      try Data([1]).write(to: kept.appending(path: "inner/file"))
      let tree = folder.appending(path: "tree").path
      try Folder.create(tree + "/a/b/.hidden")
      try Data([2]).write(to: URL(filePath: tree + "/a/b/.hidden/file"))
      #expect(symlink(kept.path, tree + "/a/folder") == 0)
      #expect(symlink(kept.path + "/inner/file", tree + "/a/b/file") == 0)
      #expect(symlink("nowhere", tree + "/dangling") == 0)
      #expect(symlink("..", tree + "/a/loop") == 0)
      Folder.removeTree(tree)
      #expect(!Folder.exists(tree))
      #expect(try InputFile(kept.path + "/inner/file").readAll() == [1])
      // A link in the place of the tree is removed, not followed.
      #expect(symlink(kept.path, tree) == 0)
      Folder.removeTree(tree)
      #expect(!Folder.exists(tree))
      #expect(Folder.entries(kept.path) == ["inner"])
      Folder.removeTree(folder.path + "/none")
    }
  }

  @Test func foldersAreCreatedWithThoseAboveThem() throws {
    try Support.withTemporaryFolder { folder in
      let deep = folder.path + "/a/b/c"
      try Folder.create(deep)
      try Folder.create(deep)
      #expect(Folder.isFolder(deep))
      try Data().write(to: URL(filePath: deep + "/file"))
      for path in [deep + "/file", deep + "/file/below"] {
        #expect(throws: FileError.self) { try Folder.create(path) }
      }
      #expect(Folder.isFile(deep + "/file"))
    }
  }

  @Test func kindsFollowLinksAndExistenceDoesNot() throws {
    try Support.withTemporaryFolder { folder in
      let file = try inputFile([1, 2, 3], in: folder, name: "file").path
      let link = folder.path + "/link"
      let dangling = folder.path + "/dangling"
      #expect(symlink(file, link) == 0)
      #expect(symlink("nowhere", dangling) == 0)
      #expect(Folder.kind(link) == .file(size: 3))
      #expect(Folder.size(link) == 3)
      #expect(Folder.kind(dangling) == nil)
      #expect(Folder.exists(dangling))
      #expect(!Folder.exists(folder.path + "/none"))
      #expect(Folder.kind(folder.path) == .folder)
      #expect(Folder.size(folder.path) == nil)
      #expect(Folder.kind("/dev/null") == .other)
      #expect(!Folder.isFile("/dev/null") && !Folder.isFolder("/dev/null"))
    }
  }

  @Test func namesAreSortedByTheirBytes() throws {
    try Support.withTemporaryFolder { folder in
      for name in ["b", "B", "a10", "a2", "é", ".hidden", "z"] {
        try Data().write(to: folder.appending(path: name))
      }
      #expect(
        try Folder.names(in: folder.path) == [".hidden", "B", "a10", "a2", "b", "z", "é"])
      #expect(Folder.entries(folder.path + "/z") == nil)
      #expect(throws: FileError.self) { try Folder.names(in: folder.path + "/none") }
    }
  }

  @Test func publishingReplacesAndMissingFilesAreNoError() throws {
    try Support.withTemporaryFolder { folder in
      let draft = try inputFile([1], in: folder, name: "draft").path
      let final = try inputFile([2], in: folder, name: "final").path
      try Folder.publish(draft, as: final)
      #expect(try InputFile(final).readAll() == [1])
      #expect(Folder.entries(folder.path) == ["final"])
      #expect(throws: FileError.self) { try Folder.publish(draft, as: final) }
      try Folder.removeFile(final)
      try Folder.removeFile(final)
      #expect(Folder.entries(folder.path) == [])
    }
  }

  @Test func freeSpaceIsThatOfTheDiskAPathWillLieOn() throws {
    try Support.withTemporaryFolder { folder in
      let place = try #require(Folder.freeBytes(folder.path))
      let below = try #require(Folder.freeBytes(folder.path + "/not/yet/there"))
      #expect(place > 0)
      // Others write to the disk meanwhile.
      #expect(abs(place - below) < 1 << 30)
    }
  }

  @Test(.enabled(if: Support.canMountDisks)) func aSmallDiskHasLittleFreeSpace() throws {
    try Support.withSmallDisk(bytes: 1 << 20) { disk in
      #expect(Folder.freeBytes(disk.path + "/x/y") == 1 << 20)
    }
  }
}
