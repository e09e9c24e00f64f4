import Glibc
import Hub
import Synchronization
import Tensors

/// One file of a model's weights on its way from the hub: says what of it is there to whoever reads it.
final class ArrivingShard: Arrival {
  let fetch: HubFetch
  /// What it will be called, for messages.
  private let path: String
  /// The end of what is read of it unchecked: its header.
  private let header: Int
  private let failure: ArrivingFailure
  /// Whether somebody brings it in the background.
  private let isComing = Atomic<Bool>(false)
  private let turn = Mutex(())

  /// - Parameter header: where its header ends; all of that is there.
  init(_ fetch: HubFetch, header: Int, as path: String, _ failure: ArrivingFailure) {
    self.fetch = fetch
    self.header = header
    self.path = path
    self.failure = failure
  }

  /// The bytes that are still to come.
  var missing: Int { max(0, fetch.file.size - fetch.available) }

  func comes() { isComing.store(true, ordering: .relaxed) }

  /// What lies there of an earlier run does not count until it is this one's: another program may be at it.
  func available() throws(FileError) -> Int {
    guard failure.error == nil else { throw lost }
    return max(header, fetch.held)
  }

  /// Waits for a file that is coming; fetches one that nobody has asked for so far, and checks all of it.
  func wait(until count: Int) throws(FileError) {
    if count <= header { return }
    if isComing.load(ordering: .relaxed) {
      while try available() < count { usleep(arrivalInterval) }
      return
    }
    let error = turn.withLock { _ -> HubError? in
      do throws(HubError) {
        try fetch.hub.watched(fetch.progress) { () throws(HubError) in try fetch.run() }
        return nil
      } catch { return error }
    }
    if let error {
      failure.note(error)
      throw lost
    }
  }

  private var lost: FileError {
    .endOfFile(
      path: path, wanted: fetch.available..<max(fetch.available, fetch.file.size),
      size: fetch.available)
  }
}

/// Why the weights do not arrive, where they do not; the first reason counts.
final class ArrivingFailure: Sendable {
  private let first = Mutex<HubError?>(nil)

  var error: HubError? { first.withLock { $0 } }

  func note(_ error: HubError) { first.withLock { $0 = $0 ?? error } }
}
