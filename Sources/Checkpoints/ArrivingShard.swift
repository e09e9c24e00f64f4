import Glibc
import Hub
import Synchronization
import Tensors

/// One file of a model's weights on its way from the hub: says what of it is there to whoever reads it.
final class ArrivingShard: Arrival {
  /// What it is called in its folder.
  let path: String
  let fetch: HubFetch
  /// The end of what was fetched of it to be read unchecked: its header.
  private let header: Int
  /// The checksum of that.
  private let headerSum: UInt32
  private let failure: ArrivingFailure
  /// Whether somebody brings it in the background.
  private let isComing = Atomic<Bool>(false)
  private let turn = Mutex(())

  /// - Parameter header: the bytes up to its end, which are there.
  init(_ path: String, _ fetch: HubFetch, header: [UInt8], _ failure: ArrivingFailure) {
    self.path = path
    self.fetch = fetch
    self.header = header.count
    self.failure = failure
    headerSum = crc32(header)
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
        try fetch.run()
        return nil
      } catch { return error }
    }
    if let error {
      failure.note(error)
      throw lost
    }
  }

  /// Whether all that was read is what it is now that all is there and checked; true if it is not there.
  ///
  /// - Parameter file: what was read from.
  func isSound(_ file: InputFile) -> Bool {
    guard fetch.isDone else { return true }
    guard fetch.restarts == 0, file.isSame(asFileAt: fetch.place),
      let start = try? InputFile(fetch.place).read(0..<header)
    else { return false }
    return crc32(start) == headerSum
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
