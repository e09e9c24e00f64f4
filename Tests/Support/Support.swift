import Foundation

/// Where test data lies, and folders that vanish with the test.
public enum Support {
  /// The package's root.
  public static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Data that lies in the repository.
  public static let fixtures = root.appending(path: "fixtures")

  /// The full reference set beside the checkout, or where `ISTHMUS_REFERENCE` says; `nil` without it.
  ///
  /// An empty `ISTHMUS_REFERENCE` makes the tests do without, as on a machine that has only the repository.
  public static let reference: URL? = {
    let beside = root.deletingLastPathComponent().appending(path: "shared/reference")
    let named = ProcessInfo.processInfo.environment["ISTHMUS_REFERENCE"]
    if named == "" { return nil }
    let url = named.map { URL(filePath: $0) } ?? beside
    return FileManager.default.fileExists(atPath: url.path) ? url : nil
  }()

  /// A folder of the reference set where that is there, else of the fixtures.
  ///
  /// Both have the same layout (`formats/`, `hf/`, `bridge/`); of most models the fixtures hold the headers
  /// alone (`model`).
  public static func data(_ path: String) -> URL {
    if let reference {
      let full = reference.appending(path: path)
      if FileManager.default.fileExists(atPath: full.path) { return full }
    }
    return fixtures.appending(path: path)
  }

  /// The Hugging Face folder of a model, `hf/CASE` or `bridge/CASE`.
  ///
  /// Where neither the reference set nor the repository holds its weights, it is built from the headers
  /// of its files, with values made up from the tensors' names.
  public static func model(_ path: String) -> URL {
    let folder = data(path + "/hf")
    let names = self.names(in: path + "/hf")
    guard names.contains(where: { $0.hasSuffix(BuiltModels.ending) }) else { return folder }
    // Without the built one a test finds no weights, and says so.
    return (try? BuiltModels.folder(from: folder, name: path)) ?? folder
  }

  /// A model built from the headers in the repository, whatever else is there.
  public static func builtModel(_ path: String) throws -> URL {
    try BuiltModels.folder(from: fixtures.appending(path: path + "/hf"), name: path)
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
