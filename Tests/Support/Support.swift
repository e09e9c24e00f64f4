import Foundation

/// Where test data lies, and folders that vanish with the test.
public enum Support {
  /// The package's root.
  public static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Data that lies in the repository.
  public static let fixtures = root.appending(path: "fixtures")

  /// The full reference set beside the checkout, where it is there.
  public static let reference: URL? = {
    let url = root.deletingLastPathComponent().appending(path: "shared/reference")
    return FileManager.default.fileExists(atPath: url.path) ? url : nil
  }()

  /// A folder of the reference set where that is there, else of the fixtures.
  ///
  /// Both have the same layout (`formats/`, `hf/`, `bridge/`); the fixtures hold fewer cases.
  public static func data(_ path: String) -> URL {
    if let reference {
      let full = reference.appending(path: path)
      if FileManager.default.fileExists(atPath: full.path) { return full }
    }
    return fixtures.appending(path: path)
  }

  /// The names in a data folder, sorted.
  public static func names(in path: String) -> [String] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: data(path).path)
    return (names ?? []).sorted()
  }

  /// Calls `body` with a fresh folder and removes it afterwards.
  public static func withTemporaryFolder<Result>(
    _ body: (URL) throws -> Result
  ) throws -> Result {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "isthmus-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }
}
