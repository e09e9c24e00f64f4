import Foundation

extension Support {
  /// Whether this process may mount a file system in memory.
  public static let canMountDisks: Bool = (try? withSmallDisk(bytes: 1 << 20) { _ in }) != nil

  /// Calls `body` with an empty disk of its own that holds about `bytes` bytes.
  public static func withSmallDisk<Result>(
    bytes: Int, _ body: (URL) throws -> Result
  ) throws -> Result {
    try withTemporaryFolder { folder in
      try execute(
        "mount", "-t", "tmpfs", "-o", "size=\(bytes),mode=777", "isthmus-test", folder.path)
      defer { try? execute("umount", "-l", folder.path) }
      return try body(folder)
    }
  }

  /// Runs a program of the system.
  ///
  /// - Throws: if it is not there or does not end with 0.
  public static func execute(_ arguments: String...) throws {
    struct Failed: Error {}
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failed() }
  }
}
