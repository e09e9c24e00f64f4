import Foundation
import Support
import Testing

/// The built program, run as a user runs it.
enum Program {
  struct Outcome {
    var status: Int32
    var output: String
    var error: String

    /// Standard output as one JSON object.
    var object: [String: Any] {
      get throws {
        let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
        return try #require(value as? [String: Any])
      }
    }
  }

  /// `convert` beside the test bundle.
  static let path: String = {
    let bundle =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = URL(filePath: bundle).deletingLastPathComponent().appending(path: "convert").path
    if FileManager.default.isExecutableFile(atPath: beside) { return beside }
    return Support.root.appending(path: ".build/debug/convert").path
  }()

  /// Runs the program to its end.
  static func run(
    _ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil
  ) throws -> Outcome {
    try Running(arguments, environment: environment, in: folder).wait()
  }
}

/// The program while it runs.
final class Running {
  let process = Process()
  private let files: URL

  init(
    _ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil
  ) throws {
    files = FileManager.default.temporaryDirectory.appending(
      path: "isthmus-output-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
    for name in ["output", "error"] {
      try Data().write(to: files.appending(path: name))
    }
    process.executableURL = URL(filePath: Program.path)
    process.arguments = arguments
    var variables = ProcessInfo.processInfo.environment
    variables["HF_HUB_OFFLINE"] = "1"
    variables.merge(environment) { $1 }
    process.environment = variables
    if let folder { process.currentDirectoryURL = folder }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: files.appending(path: "output"))
    process.standardError = try FileHandle(forWritingTo: files.appending(path: "error"))
    try process.run()
  }

  /// Sends a signal.
  func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  func wait() throws -> Program.Outcome {
    process.waitUntilExit()
    defer { try? FileManager.default.removeItem(at: files) }
    func text(_ name: String) throws -> String {
      String(decoding: try Data(contentsOf: files.appending(path: name)), as: UTF8.self)
    }
    // A program that a signal ended has no exit code; shells add 128.
    let base: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
    return Program.Outcome(
      status: base + process.terminationStatus, output: try text("output"),
      error: try text("error"))
  }
}

/// The names in a folder, hidden ones too.
func names(in folder: URL) -> [String] {
  ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
}

/// The model that lies in the repository.
let demo = Support.fixtures.appending(path: "demo")
