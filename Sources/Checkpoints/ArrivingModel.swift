import Dispatch
import HTTP
import Hub
import SafeTensors
import Synchronization
import Tensors

/// A model of the hub whose small files are here, and of whose weights the headers are: the rest is on its way, or
/// comes when somebody reads it.
///
/// Everything arrives in the cache, where a later run finds it. What is read of a file before all of it is there has
/// not been checked: `finish` says in the end whether it was sound.
public final class ArrivingModel: Sendable {
  public let reference: HubReference
  public let commit: String
  /// The folder in the cache, which holds everything but weights that are missing.
  public let folder: String
  /// What was here of the weights before, and what has to be fetched, in bytes.
  public let found: Int
  public let missing: Int
  public let progress: HubProgress
  /// The weights that are missing, open.
  package let files: [SafeTensorsFile]
  private let inputs: [InputFile]
  private let shards: [ArrivingShard]
  private let hub: Hub
  private let listing: HubListing
  private let failureBox: ArrivingFailure
  private let group = DispatchGroup()

  fileprivate init(
    _ reference: HubReference, folder: String, _ hub: Hub, _ listing: HubListing,
    _ shards: [Opened], found: Int, _ progress: HubProgress, _ failure: ArrivingFailure
  ) {
    self.reference = reference
    self.folder = folder
    self.hub = hub
    self.listing = listing
    self.shards = shards.map(\.shard)
    self.progress = progress
    self.found = found
    commit = listing.commit
    files = shards.map(\.file)
    inputs = shards.map(\.input)
    failureBox = failure
    missing = shards.reduce(0) { $0.saturatingAdd($1.shard.missing) }
  }

  /// Why weights did not arrive, where they did not.
  public var failure: HubError? { failureBox.error }

  /// The bytes of weights that are here by now, and those there are in all, of the files that were missing.
  public var arrived: (bytes: Int, of: Int) {
    shards.reduce((0, 0)) {
      ($0.0.saturatingAdd($1.fetch.available), $0.1.saturatingAdd($1.fetch.file.size))
    }
  }

  /// Does what may read weights, and tells why they did not arrive if that is what stopped it.
  public func explaining<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch { throw failure ?? error }
  }

  // MARK: Fetching

  /// The files that `start` would let come, and the bytes that are still to come of them.
  public func coming(for transfer: Transfer, all: Bool) -> (files: Int, bytes: Int) {
    let coming = order(transfer, all: all)
    return (coming.count, coming.reduce(0) { $0.saturatingAdd($1.missing) })
  }

  /// Whether something was thrown away that may have been read before.
  public var hasBegunAnew: Bool { shards.contains { $0.fetch.restarts > 0 } }

  /// Lets the weights come in the background, in the order in which a transfer needs them.
  ///
  /// - Parameters:
  ///   - all: whether those come, too, that the transfer does not need.
  ///   - ended: called when all are there and checked.
  /// - Throws: `FileError.diskFull` where they have no room.
  public func start(
    for transfer: Transfer, all: Bool, ended: @escaping @Sendable () -> Void
  ) throws(FileError) {
    let coming = order(transfer, all: all)
    for shard in coming { shard.comes() }
    let fetches = coming.map(\.fetch)
    let needed = coming.reduce(0) { $0.saturatingAdd($1.missing) }
    if let free = Folder.freeBytes(folder), free < needed {
      throw .diskFull(path: hub.settings.cache, needed: needed, available: free)
    }
    DispatchQueue(label: "arriving").async(group: group) { [self] in
      do throws(HubError) {
        try hub.inParallel(fetches, progress: progress) { fetch throws(HubError) in
          try fetch.run()
        }
        if all { try hub.note(listing) }
        ended()
      } catch { failureBox.note(error) }
    }
  }

  /// The shards in the order in which they are needed first.
  private func order(_ transfer: Transfer, all: Bool) -> [ArrivingShard] {
    var first: [ObjectIdentifier: Int] = [:]
    for (index, task) in transfer.tasks.enumerated() {
      for need in task.needs where first[ObjectIdentifier(need.arrival)] == nil {
        first[ObjectIdentifier(need.arrival)] = index
      }
    }
    let keyed = shards.enumerated().map { index, shard in
      (shard: shard, first: first[ObjectIdentifier(shard)], index: index)
    }
    return keyed.filter { all || $0.first != nil }
      .sorted { ($0.first ?? .max, $0.index) < ($1.first ?? .max, $1.index) }.map(\.shard)
  }

  /// Waits until all that was started is there and checked.
  ///
  /// - Returns: whether all that was read before was sound; else everything made of it must be made again.
  /// - Throws: `HubError`.
  public func finish() throws(HubError) -> Bool {
    group.wait()
    if let error = failure { throw error }
    return zip(shards, zip(inputs, files)).allSatisfy { shard, file in
      guard shard.fetch.isDone else { return true }
      let header = file.1.header.rawHeader
      return shard.fetch.restarts == 0 && file.0.isSame(asFileAt: shard.fetch.place)
        && (try? InputFile(shard.fetch.place).read(0..<header.count)) == header
    }
  }

  /// Ends what was started; what has arrived stays for a later run.
  public func cancel() {
    progress.cancel()
    group.wait()
  }
}

extension ArrivingModel {
  /// Finds a model: fetches what is small and the headers of its weights, and leaves the rest to be fetched.
  ///
  /// - Parameters:
  ///   - needsWeights: whether a model without weights is of no use where no connection is allowed.
  ///   - beginning: how much of a file is asked for so that its header is among it, mostly.
  /// - Returns: where the model lies; its weights, where they are not all there.
  /// - Throws: `HubError`, `SafeTensorsError` for an index that cannot be understood.
  package static func find(
    _ reference: HubReference, _ hub: Hub, needsWeights: Bool = true, beginning: Int = 1 << 20
  ) throws -> FoundModel {
    if hub.settings.offline != nil {
      do throws(HubError) { return FoundModel(try hub.settled(reference, .model)) } catch {
        guard case .offline = error, !needsWeights else { throw error }
        return FoundModel(try hub.settled(reference, .withoutWeights), needsWeights: false)
      }
    }
    let small = try hub.settled(reference, .withoutWeights)
    guard let listing = small.listing else {
      return FoundModel(try hub.settled(reference, .model))
    }
    let weights = HubNeed.model.choose(from: listing, in: reference.path)
      .filter { ModelFiles.isWeights($0.path) }
    let progress = HubProgress()
    let shown = HubProgress(stop: progress.stop)
    var fetches: [HubFetch] = []
    let name = { (file: HubFile) in
      reference.path.isEmpty ? file.path : String(file.path.dropFirst(reference.path.count + 1))
    }
    for file in weights where name(file) == ModelFiles.index {
      let fetch = try HubFetch(hub, listing, file, progress: shown)
      try hub.watched(shown) { () throws(HubError) in try fetch.run() }
    }
    let files = weights.filter { name($0) != ModelFiles.index }
    if !files.isEmpty {
      let taken = Set(
        try ShardedFolder.fileNames(in: small.folder, besides: files.map(name)))
      for file in files where taken.contains(name(file)) {
        fetches.append(try HubFetch(hub, listing, file, progress: progress))
      }
    }
    let found = fetches.reduce(0) { $0.saturatingAdd($1.available) }
    try hub.watched(shown) { () throws(HubError) in
      let missing = fetches.filter { !$0.isDone }
      if missing.isEmpty { return }
      shown.say("reading the headers of \(missing.count) \(missing.count == 1 ? "file" : "files")")
      try hub.inParallel(missing, progress: shown) { fetch throws(HubError) in
        try fetch.run(atLeast: beginning)
        if let end = try? fetch.headerEnd() { try fetch.run(atLeast: end) }
      }
      shown.say(nil)
    }
    let failure = ArrivingFailure()
    let opened = try fetches.filter { !$0.isDone }.map { fetch in
      try Opened(fetch, as: "\(small.folder)/\(name(fetch.file))", beginning, failure)
    }
    let shards = opened.filter { !$0.shard.fetch.isDone }
    var model = FoundModel(small)
    guard !shards.isEmpty else { return model }
    model.arriving = ArrivingModel(
      reference, folder: small.folder, hub, listing, shards, found: found, progress, failure)
    return model
  }
}

/// A shard whose header has been read.
private struct Opened {
  let shard: ArrivingShard
  let input: InputFile
  let file: SafeTensorsFile

  /// Reads the header, which has been fetched.
  ///
  /// What lies there may be of another program's making, and not the beginning of the file: what is no header is
  /// fetched anew.
  init(
    _ fetch: HubFetch, as path: String, _ beginning: Int, _ failure: ArrivingFailure
  ) throws {
    do throws(SafeTensorsError) {
      try self.init(fetch, as: path, end: fetch.headerEnd(), failure)
    } catch {
      guard case .header = error else { throw error }
      try fetch.forget()
      try self.init(fetch, as: path, end: fetch.fetchHeader(beginning), failure)
    }
  }

  private init(
    _ fetch: HubFetch, as path: String, end: Int, _ failure: ArrivingFailure
  ) throws(SafeTensorsError) {
    shard = ArrivingShard(fetch, header: end, as: path, failure)
    do {
      input = try InputFile(path, at: fetch.place, size: fetch.file.size, arriving: shard)
    } catch { throw .file(error) }
    file = try SafeTensorsFile(input)
  }
}

extension HubFetch {
  /// Fetches the beginning of a safetensors file, as far as its header reaches.
  ///
  /// - Returns: the end of the header; what a header that makes no sense has of it.
  @discardableResult
  fileprivate func fetchHeader(_ beginning: Int) throws -> Int {
    try run(atLeast: beginning)
    let end = try headerEnd()
    try run(atLeast: end)
    return end
  }

  /// Where the header ends by its length, the first bytes of the file.
  fileprivate func headerEnd() throws(SafeTensorsError) -> Int {
    let length: [UInt8]
    do { length = try InputFile(place).read(0..<min(8, available)) } catch { throw .file(error) }
    let count = length.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length.count == 8, count <= UInt64(SafeTensorsHeader.lengthLimit),
      8 + Int(count) <= file.size
    else { return length.count }
    return 8 + Int(count)
  }
}

/// Where a model that a user named lies.
public struct FoundModel: Sendable {
  public let folder: String
  /// Its weights, where they are not all there.
  public internal(set) var arriving: ArrivingModel?
  /// Whether weights that are not all there, and do not come, are an error.
  private let needsWeights: Bool

  init(folder: String, needsWeights: Bool = true) {
    self.folder = folder
    self.needsWeights = needsWeights
  }

  init(_ snapshot: HubSnapshot, needsWeights: Bool = true) {
    self.init(folder: snapshot.folder, needsWeights: needsWeights)
  }

  /// Opens the model; of weights that are not there, the headers are.
  ///
  /// - Throws: as opening a folder.
  public func open(isStrict: Bool = true) throws -> HuggingFaceModel {
    try HuggingFaceModel(
      folder: folder, isStrict: isStrict, arriving: arriving?.files ?? [],
      needsWeights: needsWeights)
  }

  /// The model once all its weights are there.
  public var whole: FoundModel { FoundModel(folder: folder) }
}

extension ModelReference {
  /// Finds the model and fetches the headers of its weights, the weights themselves when they are needed.
  ///
  /// - Parameter needsWeights: whether a model without weights is of no use where no connection is allowed.
  /// - Throws: as `folder()`, and what is wrong with the index of the weights.
  public func find(needsWeights: Bool = true) throws -> FoundModel {
    guard !isHere, !isPath else { return FoundModel(folder: try folder()) }
    let hub = Hub.current
    do {
      let reference = try HubReference(
        parsing: text, revision: revision, endpoint: hub.settings.endpoint)
      guard reference.repository.kind == .model else { return FoundModel(folder: try folder()) }
      return try ArrivingModel.find(reference, hub, needsWeights: needsWeights)
    } catch let error as HubError { throw told(error) }
  }
}
