import Foundation
import Hub
import HubStandIn
import Support
import Synchronization
import Testing

/// A hub that runs here, a cache of its own, and what asks the one for the other.
struct Bench {
  let standIn: HubStandIn
  let folder: URL
  var settings: HubSettings

  static let token = "hf_secretsecretsecret"

  /// Calls `body` with a fresh one; waits are tenths of seconds.
  static func with<Result>(
    _ settings: HubStandIn.Settings = HubStandIn.Settings(), _ body: (Bench) throws -> Result
  ) throws -> Result {
    try Support.withTemporaryFolder { folder in
      let standIn = try HubStandIn(settings: settings)
      defer { standIn.stop() }
      standIn.know(token, as: HubStandIn.Account("user"))
      var settings = HubSettings(
        home: folder.path, cache: folder.appending(path: "hub").path, userAgent: "test")
      settings.endpoint = standIn.endpoint
      settings.token = HubToken(value: token, source: "HF_TOKEN")
      settings.firstWait = 0.01
      settings.attempts = 4
      settings.questionTimeout = 0.5
      settings.downloadTimeout = 0.5
      return try body(Bench(standIn: standIn, folder: folder, settings: settings))
    }
  }

  /// A hub as a program of its own would have it.
  func hub(
    watching: (any HubWatching)? = nil, _ change: (inout HubSettings) -> Void = { _ in }
  ) -> Hub {
    var settings = settings
    change(&settings)
    return Hub(settings, watching: watching, environment: [:])
  }

  /// Puts a model of two files into the hub, and returns its commit.
  @discardableResult
  func putModel() throws -> String {
    try standIn.put(
      "org/name",
      files: ["config.json": "{}", "model.safetensors": .bytes(bytes(9000), large: true)])
  }

  /// Why a reference cannot be had; `nil` if it can.
  func error(_ reference: HubReference = model) -> HubError? {
    failure { () throws(HubError) in try hub().snapshot(reference, everything) }
  }

  var repository: URL { folder.appending(path: "hub/models--org--name") }

  /// The names of the blobs, those on their way too.
  var blobs: [String] { names(in: repository.appending(path: "blobs")) }

  func incomplete(_ etag: String) -> URL {
    repository.appending(path: "blobs/\(etag).incomplete")
  }

  /// What was asked, as `hub GET path`, in order.
  var asked: [String] {
    standIn.requests.map { "\($0.server) \($0.method) \($0.path)" }
  }

  /// What `body` makes ask.
  func asked(_ body: () throws -> Void) rethrows -> [String] {
    let before = asked.count
    try body()
    return Array(asked.dropFirst(before))
  }

  /// The ranges that the storage was asked for; empty for a request of all.
  var ranges: [String] {
    standIn.requests.filter { $0.server == .storage }.map { $0.range ?? "" }
  }

  /// The bytes of files that the storage sent.
  var stored: Int {
    standIn.requests.filter { $0.server == .storage }.reduce(0) { $0 + $1.sent }
  }

  /// The listing that the hub would give, changed.
  func answerTree(_ commit: String, _ entries: [[String: Any]]) throws {
    let body = try JSONSerialization.data(withJSONObject: entries)
    standIn.fail(
      .path("/tree/\(commit)"),
      with: .answer(200, headers: ["Content-Type": "application/json"], body: Array(body)),
      times: .max)
  }
}

let model = HubReference(HubRepository("org/name"))
let everything = HubNeed.files(include: [], exclude: [])

func bytes(_ size: Int, _ seed: UInt64 = 1) -> [UInt8] {
  HubStandIn.Contents.syntheticBytes(size: size, seed: seed)
}

/// The error of something that must fail.
func failure<Result>(_ body: () throws(HubError) -> Result) -> HubError? {
  do throws(HubError) {
    _ = try body()
    return nil
  } catch { return error }
}

/// Remembers what was shown, and can end it.
final class Watcher: HubWatching {
  private let seen = Mutex<[HubProgress]>([])
  private let look: @Sendable (HubProgress) -> Void

  /// - Parameter look: done on a thread of its own once something is to be shown.
  init(_ look: @escaping @Sendable (HubProgress) -> Void = { _ in }) { self.look = look }

  var progress: HubProgress? { seen.withLock { $0.last } }

  func during<Result>(
    _ progress: HubProgress, _ work: () throws(HubError) -> Result
  ) throws(HubError) -> Result {
    seen.withLock { $0.append(progress) }
    Thread.detachNewThread { [look] in look(progress) }
    return try work()
  }
}

func sha256(_ bytes: [UInt8]) -> String {
  Reference.digest(bytes)
}

/// Digests by a program of the system.
private enum Reference {
  static func digest(_ bytes: [UInt8]) -> String {
    let process = Process()
    let (input, output) = (Pipe(), Pipe())
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["sha256sum"]
    process.standardInput = input
    process.standardOutput = output
    guard (try? process.run()) != nil else { return "" }
    Thread.detachNewThread {
      try? input.fileHandleForWriting.write(contentsOf: Data(bytes))
      try? input.fileHandleForWriting.close()
    }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return String(text.prefix(64))
  }
}
