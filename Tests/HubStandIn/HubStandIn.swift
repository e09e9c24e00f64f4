import Foundation
import Synchronization

/// A hub on this machine, for tests: it speaks what the real one speaks, and misbehaves when told to.
///
/// It listens on two ports of 127.0.0.1 that the system picks: one is the hub, the other the storage that large files
/// are redirected to. It ends with its last user, or at `stop`.
public final class HubStandIn: Sendable {
  /// How it behaves; may be changed at any time.
  public struct Settings: Sendable {
    /// Entries of one page of a listing.
    public var pageSize = 1000
    /// From this size on files are large, whatever their name.
    public var largeFrom = 10 << 20
    /// How long an address of the storage is good for, in seconds.
    public var signatureLifetime = 3600.0
    /// From this size on uploads are cut into parts.
    public var multipartFrom = 32 << 20
    public var partSize = 16 << 20
    /// Small files are redirected to `/api/resolve-cache/…` first, as huggingface.co does it.
    public var redirectsSmallFiles = false
    /// Listings and headers name a hash of the shared store for large files.
    public var namesSharedStore = false

    public init() {}
  }

  /// One request that was made.
  public struct Request: Sendable {
    var number: Int
    public var server: Server
    public var method: String
    /// Path and query as they were sent.
    public var target: String
    /// The path, percent signs resolved.
    public var path: String
    /// The Host that was asked for.
    public var host: String
    /// Whether the whole address was asked for, as one asks a proxy.
    public var isProxied: Bool
    /// Names in small letters.
    public var headers: [String: String]
    public var status = 0
    /// Bytes of the body that were sent.
    public var sent = 0
    /// Bytes of the body that were received.
    public var received = 0
    public var isFinished = false
    /// Nothing more comes of it, though its connection may be held open.
    var isSettled = false

    public var authorization: String? { headers["authorization"] }
    public var range: String? { headers["range"] }
  }

  struct State {
    var settings = Settings()
    var repositories: [Repository.Key: Repository] = [:]
    var moved: [Repository.Key: String] = [:]
    var accounts: [String: Account] = [:]
    var objects: [String: Blob] = [:]
    var uploads: [String: Upload] = [:]
    var rules: [Rule] = []
    var requests: [Request] = []
    var connections: Set<Int32> = []
    var connectionCount = 0
    var isStopped = false
    var numbers = 0
  }

  /// `http://127.0.0.1:PORT`, what `HF_ENDPOINT` is set to.
  public let endpoint: String
  /// Where large files lie.
  public let storage: String
  let folder: String
  let state: StateBox
  private let listeners: [Listener]

  /// What the threads share; it outlives the stand-in until the last of them is done.
  final class StateBox: Sendable {
    private let state = Mutex(State())
    func with<R>(_ body: (inout sending State) throws -> sending R) rethrows -> R {
      try state.withLock(body)
    }
  }

  /// - Parameters:
  ///   - storage: The folder for what is uploaded and synthetic contents; without one, a folder that is removed at the end.
  ///   - port: The hub's port, if it must be a certain one.
  public init(storage folder: String? = nil, port: Int = 0, settings: Settings = Settings()) throws
  {
    let hub = try Listener(port: port)
    let storage = try Listener(port: 0)
    listeners = [hub, storage]
    endpoint = "http://127.0.0.1:\(hub.port)"
    self.storage = "http://127.0.0.1:\(storage.port)"
    let place =
      folder
      ?? FileManager.default.temporaryDirectory.appending(
        path: "isthmus-hub-\(UUID().uuidString)"
      ).path
    try FileManager.default.createDirectory(
      atPath: place, withIntermediateDirectories: true)
    self.folder = place
    removesFolder = folder == nil
    state = StateBox()
    state.with { $0.settings = settings }
    let core = Core(
      state: state, folder: place, hub: endpoint, storage: self.storage, storagePort: storage.port)
    for (listener, server) in zip(listeners, [Server.hub, .storage]) {
      Thread.detachNewThread { core.accept(listener, server) }
    }
  }

  private let removesFolder: Bool

  deinit { stop() }

  /// Ends all connections and takes no more.
  public func stop() {
    for listener in listeners { listener.end() }
    state.with { state in
      state.isStopped = true
      for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
    }
    if removesFolder { try? FileManager.default.removeItem(atPath: folder) }
  }
}

// MARK: What tests say and ask

extension HubStandIn {
  /// Changes how it behaves.
  public func set(_ change: @Sendable (inout Settings) -> Void) {
    state.with { change(&$0.settings) }
  }

  /// Makes a commit that holds these files, and the repository where there is none; the commit's hash.
  ///
  /// - Parameter keeping: Files of the branch that are not named stay.
  @discardableResult public func put(
    _ name: String, kind: Kind = .model, files: [String: Contents], revision: String = "main",
    access: Access = .open, keeping: Bool = false, title: String = "Put by a test"
  ) throws -> String {
    let largeFrom = state.with { $0.settings.largeFrom }
    var blobs: [String: Blob] = [:]
    for (path, contents) in files { blobs[path] = try blob(contents, path, largeFrom: largeFrom) }
    let ready = blobs
    return state.with { state in
      let key = Repository.Key(kind: kind, name: name)
      var repository = state.repositories[key] ?? Repository(key: key, access: access)
      repository.access = access
      let old = keeping ? repository.commit(revision)?.files ?? [:] : [:]
      let commit = repository.add(
        old.merging(ready) { $1 }, title: title, on: revision)
      state.repositories[key] = repository
      for blob in ready.values {
        if let sha256 = blob.sha256 { state.objects[sha256] = blob }
      }
      return commit.oid
    }
  }

  private func blob(_ contents: Contents, _ path: String, largeFrom: Int) throws -> Blob {
    let source: Blob.Source
    let size: Int
    switch contents.source {
    case .bytes(let bytes): (source, size) = (.bytes(bytes), bytes.count)
    case .file(let place): (source, size) = (.file(place), try DescribedFile(place).size)
    case .synthetic(let count, let seed):
      let place = "\(folder)/synthetic-\(seed)-\(count)"
      if !FileManager.default.fileExists(atPath: place) {
        try Data().write(to: URL(filePath: place))
        let file = try FileHandle(forWritingTo: URL(filePath: place))
        try Synthetic(seed: seed).write(size: count) { try file.write(contentsOf: Data($0)) }
        try file.close()
      }
      (source, size) = (.file(place), count)
    }
    let large = contents.isLarge ?? Blob.isLarge(path, size: size, largeFrom: largeFrom)
    return large ? try .large(source, size: size) : try .small(source, size: size)
  }

  /// A tag, or another branch, that stands at a commit of the repository.
  public func tag(_ name: String, kind: Kind = .model, _ tag: String, at commit: String) {
    state.with { $0.repositories[.init(kind: kind, name: name)]?.tags[tag] = commit }
  }

  public func set(_ name: String, kind: Kind = .model, access: Access) {
    state.with { $0.repositories[.init(kind: kind, name: name)]?.access = access }
  }

  /// Gives a repository another name; the old one leads there by a redirect.
  public func rename(_ name: String, kind: Kind = .model, to new: String) {
    state.with { state in
      let (old, key) = (
        Repository.Key(kind: kind, name: name), Repository.Key(kind: kind, name: new)
      )
      guard var repository = state.repositories.removeValue(forKey: old) else { return }
      repository.key = key
      state.repositories[key] = repository
      state.moved[old] = new
    }
  }

  public func delete(_ name: String, kind: Kind = .model) {
    state.with { _ = $0.repositories.removeValue(forKey: .init(kind: kind, name: name)) }
  }

  /// Makes a token known.
  public func know(_ token: String, as account: Account) {
    state.with { $0.accounts[token] = account }
  }

  /// Makes the next requests that match go wrong, so many of them.
  public func fail(_ what: Match = .any, with fault: Fault, times: Int = 1) {
    state.with { $0.rules.append(Rule(match: what, fault: fault, times: times)) }
  }

  /// How many requests are still to fail.
  public var faultsLeft: Int { state.with { $0.rules.reduce(0) { $0 + $1.times } } }

  public func forgetFaults() { state.with { $0.rules = [] } }

  /// Refuses connections at both ports and ends those that are open, or listens again.
  public func refuse(_ refusing: Bool = true) throws {
    for listener in listeners { try listener.refuse(refusing) }
    guard refusing else { return }
    state.with { state in
      for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
    }
  }

  /// Every request so far, in the order of their beginnings.
  ///
  /// A client has its last byte a moment before that is written down here, so those under way are waited for a little.
  public var requests: [Request] {
    for _ in 0..<100 {
      let found = state.with { $0.requests }
      if found.allSatisfy({ $0.isFinished || $0.isSettled }) { return found }
      usleep(1000)
    }
    return state.with { $0.requests }
  }

  public func forgetRequests() {
    state.with { $0.requests = $0.requests.filter { !$0.isFinished } }
  }

  /// Bytes of files and of everything else that were sent so far.
  public var sent: Int { requests.reduce(0) { $0 + $1.sent } }

  /// Connections so far, those without a request too.
  public var connectionCount: Int { state.with { $0.connectionCount } }

  /// The commits of a branch, newest first; none where there is no such repository.
  public func commits(
    of name: String, kind: Kind = .model, revision: String = "main"
  ) -> [Commit] {
    state.with { $0.repositories[.init(kind: kind, name: name)]?.log(revision) ?? [] }
  }

  /// Every file of a revision.
  public func files(
    of name: String, kind: Kind = .model, revision: String = "main"
  ) -> [String: [UInt8]] {
    let commit = state.with {
      $0.repositories[.init(kind: kind, name: name)]?.commit(revision)
    }
    return commit?.files.compactMapValues { $0.bytes } ?? [:]
  }

  public func exists(_ name: String, kind: Kind = .model) -> Bool {
    state.with { $0.repositories[.init(kind: kind, name: name)] != nil }
  }

  public func access(of name: String, kind: Kind = .model) -> Access? {
    state.with { $0.repositories[.init(kind: kind, name: name)]?.access }
  }
}
