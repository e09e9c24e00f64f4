import Foundation
import Support
import Testing

@testable import Checkpoints

private let demo = Support.fixtures.appending(path: "demo")

/// Compares the demo model with a changed copy of it.
private func differences(_ change: (URL) throws -> Void) throws -> [FolderComparison.Difference] {
  try Support.withTemporaryFolder { folder in
    let copy = folder.appending(path: "copy")
    try FileManager.default.copyItem(at: demo, to: copy)
    try change(copy)
    return try FolderComparison(
      of: HuggingFaceModel(folder: demo.path), with: copy.path, workers: 2,
      progress: TransferProgress()
    ).differences
  }
}

@Test func equalFoldersHaveNoDifference() throws {
  #expect(try differences { _ in }.isEmpty)
}

@Test func changedBitOfATensorIsNamedByTheTensor() throws {
  let found = try differences { folder in
    let path = folder.appending(path: "model-00002-of-00002.safetensors")
    var bytes = try Data(contentsOf: path)
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: path)
  }
  #expect(found.count == 1)
  #expect(found.first?.file == "model-00002-of-00002.safetensors")
  #expect(found.first?.fact.contains("differs in 1 of") == true)
}

@Test func changedHeaderIsFoundWhereNoTensorDiffers() throws {
  let found = try differences { folder in
    let path = folder.appending(path: "model-00002-of-00002.safetensors")
    var bytes = try Data(contentsOf: path)
    // White space inside the header means nothing, but the file is not the same.
    let comma = try #require(bytes.range(of: Data("\"pt\"}".utf8)))
    bytes.replaceSubrange(comma, with: Data("\"pu\"}".utf8))
    try bytes.write(to: path)
  }
  #expect(found.count == 1)
  #expect(found.first?.fact.contains("differs in 1 byte,") == true)
}

@Test func missingAndAddedFilesAreNamed() throws {
  let found = try differences { folder in
    try FileManager.default.removeItem(at: folder.appending(path: "tokenizer.json"))
    try Data("x".utf8).write(to: folder.appending(path: "added.txt"))
  }
  #expect(found.map(\.file).sorted() == ["added.txt", "tokenizer.json"])
}
