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
  /// How many files have to be fetched.
  public var fileCount: Int { shards.count }
  public let progress: HubProgress
  /// The weights that are missing, open.
  package let files: [InputFile]
  private let shards: [ArrivingShard]
  private let hub: Hub
  private let listing: HubListing
  private let failureBox: ArrivingFailure
  private let group = DispatchGroup()

  fileprivate init(
    _ reference: HubReference, folder: String, _ hub: Hub, _ listing: HubListing,
    _ shards: [(shard: ArrivingShard, file: InputFile)], found: Int, _ progress: HubProgress,
    _ failure: ArrivingFailure
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

  // MARK: Fetching

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
    return zip(shards, files).allSatisfy { $0.isSound($1) }
  }

  /// Ends what was started; what has arrived stays for a later run.
  public func cancel() {
    progress.cancel()
    group.wait()
  }
}

extension ArrivingModel {
  /// How much of a file is asked for so that its header is among it, mostly.
  private static let beginning = 1 << 20

  /// Finds a model: fetches what is small and the headers of its weights, and leaves the rest to be fetched.
  ///
  /// - Returns: where the model lies; its weights, where they are not all there.
  /// - Throws: `HubError`, `SafeTensorsError` for an index that cannot be understood.
  static func find(_ reference: HubReference, _ hub: Hub) throws -> FoundModel {
    let small = try hub.snapshot(reference, .withoutWeights)
    guard hub.settings.offline == nil, let listing = small.listing else {
      return FoundModel(try hub.snapshot(reference, .model))
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
        _ = try fetch.fetchHeader(beginning)
      }
      shown.say(nil)
    }
    let failure = ArrivingFailure()
    var shards: [(shard: ArrivingShard, file: InputFile)] = []
    for fetch in fetches where !fetch.isDone {
      let path = "\(small.folder)/\(name(fetch.file))"
      let end = try fetch.fetchHeader(beginning)
      let header = try InputFile(fetch.place).read(0..<end)
      let shard = ArrivingShard(path, fetch, header: header, failure)
      let file = try InputFile(path, at: fetch.place, size: fetch.file.size, arriving: shard)
      shards.append((shard, file))
    }
    var model = FoundModel(small)
    guard !shards.isEmpty else { return model }
    model.arriving = ArrivingModel(
      reference, folder: small.folder, hub, listing, shards, found: found, progress, failure)
    return model
  }
}

extension HubFetch {
  /// Fetches the beginning of a safetensors file, as far as its header reaches.
  ///
  /// - Returns: the end of the header; what a header that makes no sense has of it.
  fileprivate func fetchHeader(_ beginning: Int) throws(HubError) -> Int {
    try run(atLeast: beginning)
    let length: [UInt8]
    do throws(FileError) {
      length = try InputFile(place).read(0..<min(8, available))
    } catch { throw .file(error) }
    let count = length.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length.count == 8, count <= UInt64(SafeTensorsHeader.lengthLimit),
      8 + Int(count) <= file.size
    else { return min(8, available) }
    try run(atLeast: 8 + Int(count))
    return 8 + Int(count)
  }
}

/// Where a model that a user named lies.
public struct FoundModel: Sendable {
  public var folder: String
  /// What the user should know of where it came from.
  public var notes: [String]
  /// Its weights, where they are not all there.
  public var arriving: ArrivingModel?

  init(folder: String, notes: [String] = []) {
    self.folder = folder
    self.notes = notes
  }

  init(_ snapshot: HubSnapshot) { self.init(folder: snapshot.folder, notes: snapshot.notes) }

  /// Opens the model; of weights that are not there, the headers are.
  ///
  /// - Throws: as opening a folder.
  public func open(isStrict: Bool = true) throws -> HuggingFaceModel {
    try HuggingFaceModel(folder: folder, isStrict: isStrict, arriving: arriving?.files ?? [])
  }

  /// The model once all its weights are there.
  public var whole: FoundModel { FoundModel(folder: folder, notes: notes) }
}

extension ModelReference {
  /// Finds the model and fetches the headers of its weights, the weights themselves when they are needed.
  ///
  /// - Throws: as `folder()`, and what is wrong with the index of the weights.
  public func find() throws -> FoundModel {
    let hub = Hub.current
    guard text.hasPrefix("hf://") || !Folder.exists(text),
      !["/", ".", "~"].contains(where: text.hasPrefix),
      let reference = try? HubReference(
        parsing: text, revision: revision, endpoint: hub.settings.endpoint),
      reference.repository.kind == .model
    else { return FoundModel(folder: try folder()) }
    return try ArrivingModel.find(reference, hub)
  }
}
