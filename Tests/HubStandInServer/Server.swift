import Foundation
import HubStandIn

/// The stand-in as a program of its own, for scripts: it prints its endpoint, and takes further commands from standard input.
///
/// Options: `--repository NAME=FOLDER`, `--synthetic NAME/FILE=SIZE`, `--port N`, `--storage FOLDER`, `--token TOKEN=NAME[,ORG…][:read]`,
/// `--gated NAME`, `--private NAME`, `--slow BYTES`, `--page N`, `--shared-store`, `--resolve-cache`, `--requests FILE`,
/// `--fail 'TIMES SERVER PATH FAULT [NUMBER]'`, where the path `*` is any, and `ranged` any of which a range is asked.
/// A command is a line of standard input, and is answered by one: `sent`, `storage`, `connections`, `requests`, `forget`,
/// `refuse`, `listen`, `heal`, `left`, `fail TIMES SERVER PATH FAULT [NUMBER]`, `put NAME FOLDER`. It ends with standard input, or
/// on SIGTERM or SIGINT.
struct Server {
  struct Usage: Error, CustomStringConvertible {
    var description: String
  }

  private let hub: HubStandIn
  private var log: String?

  init(_ arguments: ArraySlice<String>) throws {
    var options: [(String, String)] = []
    var rest = arguments
    while let name = rest.popFirst() {
      if ["--shared-store", "--resolve-cache"].contains(name) {
        options.append((name, ""))
      } else {
        guard name.hasPrefix("--"), let value = rest.popFirst() else {
          throw Usage(description: "\(name) needs a value")
        }
        options.append((name, value))
      }
    }
    func number(_ name: String) throws -> Int? {
      try options.last { $0.0 == name }.map { option in
        guard let number = Int(option.1) else {
          throw Usage(description: "\(name) takes a number, not \(option.1)")
        }
        return number
      }
    }
    let storage = options.last { $0.0 == "--storage" }?.1
    hub = try HubStandIn(storage: storage, port: try number("--port") ?? 0)
    for (name, value) in options { try set(name, value) }
  }

  private mutating func set(_ name: String, _ value: String) throws {
    let parts = value.split(separator: "=", maxSplits: 1).map(String.init)
    switch name {
    case "--port", "--storage": break
    case "--repository":
      guard parts.count == 2 else { throw Usage(description: "--repository takes NAME=FOLDER") }
      try put(parts[0], parts[1])
    case "--synthetic":
      guard parts.count == 2, let size = Int(parts[1]) else {
        throw Usage(description: "--synthetic takes ORG/NAME/FILE=SIZE")
      }
      let names = parts[0].split(separator: "/", maxSplits: 2).map(String.init)
      guard names.count == 3 else {
        throw Usage(description: "--synthetic takes ORG/NAME/FILE=SIZE")
      }
      let seed = parts[0].utf8.reduce(UInt64(size)) { $0 &* 31 &+ UInt64($1) }
      try hub.put(
        "\(names[0])/\(names[1])", files: [names[2]: .synthetic(size: size, seed: seed)],
        keeping: true)
    case "--token":
      guard parts.count == 2 else {
        throw Usage(description: "--token takes TOKEN=NAME[,ORG…][:read]")
      }
      let words = parts[1].split(separator: ":").map(String.init)
      let names = words[0].split(separator: ",").map(String.init)
      hub.know(
        parts[0],
        as: HubStandIn.Account(
          names[0], organizations: Array(names.dropFirst()),
          role: words.dropFirst().first == "read" ? .read : .write))
    case "--gated": hub.set(value, access: .gated)
    case "--private": hub.set(value, access: .private)
    case "--slow":
      guard let speed = Int(value) else { throw Usage(description: "--slow takes bytes a second") }
      hub.fail(.storage, with: .slow(bytesPerSecond: speed), times: .max)
    case "--page":
      guard let size = Int(value) else { throw Usage(description: "--page takes a number") }
      hub.set { $0.pageSize = size }
    case "--shared-store": hub.set { $0.namesSharedStore = true }
    case "--resolve-cache": hub.set { $0.redirectsSmallFiles = true }
    case "--requests": log = value
    case "--fail": _ = try answer(["fail"] + value.split(separator: " ").map(String.init))
    default: throw Usage(description: "there is no option \(name)")
    }
  }

  /// Every file below the folder, as a commit.
  private func put(_ name: String, _ folder: String) throws {
    var files: [String: HubStandIn.Contents] = [:]
    guard let paths = FileManager.default.enumerator(atPath: folder) else {
      throw Usage(description: "\(folder) is no folder")
    }
    while let path = paths.nextObject() as? String {
      var isFolder: ObjCBool = false
      let place = "\(folder)/\(path)"
      if FileManager.default.fileExists(atPath: place, isDirectory: &isFolder), !isFolder.boolValue
      {
        files[path] = .file(place)
      }
    }
    try hub.put(name, files: files)
  }

  /// Serves until standard input ends, or a signal comes.
  func run() throws {
    let sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { [hub, log] in
        Self.end(hub, log)
        exit(0)
      }
      source.resume()
      return source
    }
    defer { withExtendedLifetime(sources) {} }
    say(hub.endpoint)
    while let line = readLine() {
      let words = line.split(separator: " ").map(String.init)
      do {
        say(try answer(words))
      } catch {
        say("error \(error)")
      }
    }
    Self.end(hub, log)
  }

  private static func end(_ hub: HubStandIn, _ log: String?) {
    if let log { try? requests(hub).write(toFile: log, atomically: true, encoding: .utf8) }
    hub.stop()
  }

  private func answer(_ words: [String]) throws -> String {
    switch words.first {
    case "sent": return String(hub.sent)
    case "storage": return hub.storage
    case "connections": return String(hub.connectionCount)
    case "requests":
      return "[" + (try Self.requests(hub)).split(separator: "\n").joined(separator: ",") + "]"
    case "forget":
      hub.forgetRequests()
      return "ok"
    case "left": return String(hub.faultsLeft)
    case "heal":
      hub.forgetFaults()
      return "ok"
    case "refuse":
      try hub.refuse()
      return "ok"
    case "listen":
      try hub.refuse(false)
      return "ok"
    case "put" where words.count == 3:
      try put(words[1], words[2])
      return "ok"
    case "fail" where words.count >= 5:
      hub.fail(
        .init(
          server: .init(rawValue: words[2]),
          path: ["*", "ranged"].contains(words[3]) ? nil : words[3],
          ranged: words[3] == "ranged" ? true : nil),
        with: try fault(Array(words[4...])), times: Int(words[1]) ?? 1)
      return "ok"
    default: throw Usage(description: "there is no command \(words)")
    }
  }

  private func fault(_ words: [String]) throws -> HubStandIn.Fault {
    let number = words.dropFirst().first.flatMap { Int($0) } ?? 0
    switch words[0] {
    case "status": return .status(number)
    case "cut": return .cut(after: number)
    case "stall": return .stall(after: number)
    case "corrupt": return .corrupt(at: number)
    case "slow": return .slow(bytesPerSecond: number)
    case "retry-after": return .tooMany(retryAfter: number)
    case "rate-limit": return .tooMany(rateLimitSeconds: number)
    case "ignore-range": return .ignoreRange
    case "reset": return .reset
    case "silence": return .silence
    case "expired": return .expired
    case "chunked": return .chunked
    case "gzip": return .gzip
    default: throw Usage(description: "there is no fault \(words[0])")
    }
  }

  /// A JSON line for each request.
  private static func requests(_ hub: HubStandIn) throws -> String {
    try hub.requests.map { request in
      let object: [String: Any] = [
        "server": request.server.rawValue, "method": request.method, "target": request.target,
        "path": request.path, "status": request.status, "sent": request.sent,
        "received": request.received, "range": request.range ?? "",
        "authorization": request.authorization ?? "", "finished": request.isFinished,
        "proxied": request.isProxied,
      ]
      let data = try JSONSerialization.data(
        withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
      return String(decoding: data, as: UTF8.self) + "\n"
    }.joined()
  }

  /// A line of standard output, at once.
  private func say(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
}
