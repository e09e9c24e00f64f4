import Glibc
import HTTP
import Synchronization
import Tensors

/// One file on its way from the hub to this machine.
///
/// Its bytes gather in a file of their own, which stays when the way is cut short, and is gone on with by whoever
/// fetches the file next. It gets its name only when it is whole and its checksum is right. One thread runs a fetch;
/// any may ask how far it is.
package final class HubFetch: Sendable {
  let hub: Hub
  let listing: HubListing
  package let file: HubFile
  let spot: any HubPlace
  let progress: HubProgress
  /// Where the file stands in `progress`.
  let index: Int
  /// Whether what is there is fetched anew.
  let isForced: Bool

  private struct State {
    var place: String
    var arriving: HTTPFile?
    var isDone = false
    var restarts = 0
    /// How often a server has sent what there was already.
    var begunAnew = 0

    /// Nothing arrives any more.
    mutating func end() {
      begunAnew += arriving?.restarts ?? 0
      arriving = nil
    }
  }
  private let state: Mutex<State>

  /// - Throws: `HubError` if the file's name or checksum can be none.
  package convenience init(
    _ hub: Hub, _ listing: HubListing, _ file: HubFile, progress: HubProgress = HubProgress()
  ) throws(HubError) {
    try self.init(
      hub, listing, file,
      into: CachePlace(hub.cache.repository(listing.repository), commit: listing.commit),
      progress: progress)
  }

  init(
    _ hub: Hub, _ listing: HubListing, _ file: HubFile, into spot: any HubPlace,
    progress: HubProgress, isForced: Bool = false
  ) throws(HubError) {
    self.hub = hub
    self.listing = listing
    self.file = file
    self.spot = spot
    self.progress = progress
    self.isForced = isForced
    let isThere = isForced ? false : try spot.has(file)
    let place = isThere ? try spot.final(file) : try spot.incomplete(file)
    let begun = isThere ? file.size : Self.begun(place, file)
    index = progress.add([
      HubProgress.File(
        path: file.path, size: file.size, done: begun, state: isThere ? .done : .waiting)
    ])
    state = Mutex(State(place: place, isDone: isThere))
  }

  /// Where its bytes lie now: a file that grows, or the whole one.
  package var place: String { state.withLock { $0.place } }

  /// How many of its bytes are there, from the first on.
  package var available: Int {
    let (isDone, arriving, place) = state.withLock { ($0.isDone, $0.arriving, $0.place) }
    return isDone ? file.size : arriving?.received ?? Self.begun(place, file)
  }

  /// How many of its bytes are there that nobody else writes, so that the checksum in the end is that of these.
  package var held: Int {
    state.withLock { $0.isDone ? file.size : $0.arriving?.received ?? 0 }
  }

  /// Whether it is whole, checked, and has its name.
  package var isDone: Bool { state.withLock { $0.isDone } }

  /// How often what was there proved wrong and was begun anew: whoever has read some of it must read it again.
  package var restarts: Int {
    state.withLock { $0.restarts + $0.begunAnew + ($0.arriving?.restarts ?? 0) }
  }

  /// Bytes that earlier runs have brought.
  static func begun(_ incomplete: String, _ file: HubFile) -> Int {
    let size = Folder.size(incomplete) ?? 0
    return size <= file.size ? size : 0
  }

  /// Fetches the file, if it is not there.
  ///
  /// - Parameter bytes: returns when so many are there, from the first on, unchecked, as the beginning of what a later
  ///   run goes on with; without it the file is whole, checked and has its name.
  /// - Throws: `HubError`; what has arrived stays.
  package func run(atLeast bytes: Int? = nil) throws(HubError) {
    if isDone { return }
    if let bytes, available >= min(bytes, file.size), bytes < file.size { return }
    try spot.prepare(file)
    let incomplete = try spot.incomplete(file)
    let lock = try HubLock(spot.lock(file), isStopped: { [progress] in progress.isCancelled }) {
      [progress, index, file] waited in
      guard waited > 0.3 else { return }
      progress.update(index) { $0.state = .elsewhere }
      progress.follow(index) { Self.begun(incomplete, file) }
    }
    progress.follow(index, nil)
    defer { withExtendedLifetime(lock) {} }
    if !isForced, try spot.adopt(file) { return try finish(isAdopted: true) }
    let until = bytes.flatMap { $0 < file.size ? $0 : nil }
    progress.update(index) { $0.state = .moving }
    do throws(HubError) {
      if let until { _ = try arrive(anew: false, until: until) } else { try arriveWhole() }
    } catch {
      state.withLock { $0.end() }
      throw progress.isCancelled ? .interrupted : error
    }
    if until != nil { state.withLock { $0.end() } }
  }

  /// Says where bytes arrive from now on.
  func arrives(_ arriving: HTTPFile) {
    state.withLock {
      $0.end()
      $0.arriving = arriving
      $0.place = arriving.path
    }
  }

  /// - Parameter isAdopted: whether others have brought the bytes.
  private func finish(isAdopted: Bool = false) throws(HubError) {
    let place = try spot.final(file)
    state.withLock {
      $0.end()
      $0.place = place
      $0.isDone = true
    }
    let size = file.size
    progress.update(index) {
      $0.done = size
      if isAdopted { $0.before = size }
      $0.state = .done
    }
  }

  // MARK: The whole file

  /// Fetches all of it and checks it; what is wrong is fetched anew once.
  private func arriveWhole() throws(HubError) {
    var anew = isForced
    while true {
      let fault: HubError
      do throws(HubError) {
        let found = try arrive(anew: anew, until: nil)
        if found == nil || found == file.etag {
          try spot.settle(file)
          return try finish()
        }
        fault = .corrupt(
          path: file.path, url: HubAddress.shown(url), expected: file.etag, found: found ?? "")
      } catch {
        guard error.isWrongContent else { throw error }
        fault = error
      }
      // A server that sends all of it instead of the rest is no reason not to try again.
      if state.withLock({ $0.restarts }) > 0 {
        // Nothing of it can be gone on with.
        try? Folder.removeFile(try spot.incomplete(file))
        throw fault
      }
      anew = true
      state.withLock { $0.restarts += 1 }
    }
  }

  var url: String {
    hub.settings.address(file.path, of: listing.repository, revision: listing.commit)
  }
  /// What the checksum is of that the file is known by; `nil` where a server knows it by something else.
  var digest: Digest.Kind? {
    if file.sha256 != nil { return .sha256 }
    return HubPath.isHexadecimal(file.blob, 40) ? .gitBlob(size: file.size) : nil
  }
}
