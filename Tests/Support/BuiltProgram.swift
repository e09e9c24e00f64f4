import Foundation

/// One of the built programs, run as a user runs it.
public struct BuiltProgram: Sendable {
  public struct Outcome {
    public var status: Int32
    public var output: String
    public var error: String

    struct NoObject: Error {
      var output: String
    }

    /// Standard output as one JSON object.
    public var object: [String: Any] {
      get throws {
        let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
        guard let object = value as? [String: Any] else { throw NoObject(output: output) }
        return object
      }
    }
  }

  /// Where it lies: beside the test bundle.
  public let path: String

  public init(_ name: String) {
    let bundle =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = URL(filePath: bundle).deletingLastPathComponent().appending(path: name).path
    path =
      FileManager.default.isExecutableFile(atPath: beside)
      ? beside : Support.root.appending(path: ".build/debug/\(name)").path
  }

  /// A program that lies anywhere.
  public init(path: String) { self.path = path }

  /// Runs the program to its end.
  public func run(
    _ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil
  ) throws -> Outcome {
    try start(arguments, environment: environment, in: folder).wait()
  }

  public func start(
    _ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil
  ) throws -> RunningProgram {
    try RunningProgram(path, arguments, environment: environment, in: folder)
  }
}

/// A program while it runs.
public final class RunningProgram {
  public let process = Process()
  private let files: URL

  init(
    _ path: String, _ arguments: [String], environment: [String: String], in folder: URL?
  ) throws {
    files = FileManager.default.temporaryDirectory.appending(
      path: "isthmus-output-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
    for name in ["output", "error"] {
      try Data().write(to: files.appending(path: name))
    }
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    var variables = ProcessInfo.processInfo.environment
    // The user's own hub, cache and token are none of a test's business.
    for name in variables.keys
    where name.hasPrefix("HF_") || name.hasPrefix("HUGGING") || name == "XDG_CACHE_HOME" {
      variables[name] = nil
    }
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
  public func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// Waits until a staging folder is in `folder`, which is when writing has begun.
  ///
  /// - Returns: false if the program ended before.
  public func waitForStaging(in folder: URL) -> Bool {
    while process.isRunning {
      if names(in: folder).contains(where: { $0.contains(".isthmus-") }) { return true }
      usleep(500)
    }
    return false
  }

  public func wait() throws -> BuiltProgram.Outcome {
    process.waitUntilExit()
    defer { try? FileManager.default.removeItem(at: files) }
    func text(_ name: String) throws -> String {
      String(decoding: try Data(contentsOf: files.appending(path: name)), as: UTF8.self)
    }
    // A program that a signal ended has no exit code; shells add 128.
    let base: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
    return BuiltProgram.Outcome(
      status: base + process.terminationStatus, output: try text("output"),
      error: try text("error"))
  }
}

/// Writes a program that bash runs.
///
/// Another process puts it in its place: while this one has a file open for writing, a process that a test beside it
/// has just forked has it open, too, and the system starts no program that somebody is writing ("Text file busy").
public func writeScript(_ text: String, to file: URL) throws {
  let draft = file.appendingPathExtension("draft")
  try Data("#!/bin/bash\n\(text)\n".utf8).write(to: draft)
  let install = Process()
  install.executableURL = URL(filePath: "/usr/bin/install")
  install.arguments = ["-m", "755", draft.path, file.path]
  try install.run()
  install.waitUntilExit()
  try FileManager.default.removeItem(at: draft)
}

/// The names in a folder, hidden ones too.
public func names(in folder: URL) -> [String] {
  ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
}

extension Support {
  /// The model that lies in the repository.
  public static let demo = fixtures.appending(path: "demo")
}
