import Dispatch
import Synchronization

/// Makes the next update on a thread of its own while the one before it is learned from.
///
/// Which updates come, and in which order, is the source's affair alone.
final class UpdatesAhead: Sendable {
  private let source: Mutex<UpdateSource>
  private let made = Mutex<Result<Update?, any Error>?>(nil)
  private let queue = DispatchQueue(label: "updates")
  private let isThere = DispatchSemaphore(value: 0)

  init(_ source: UpdateSource) {
    self.source = Mutex(source)
    begin()
  }

  private func begin() {
    queue.async { [self] in
      let result = Result { try source.withLock { source in try source.next() } }
      made.withLock { $0 = result }
      isThere.signal()
    }
  }

  /// The next update; `nil` at the end, and ever after.
  func next() throws -> Update? {
    isThere.wait()
    switch made.withLock({ $0 }) {
    case .success(let update?):
      begin()
      return update
    case .failure(let error):
      isThere.signal()
      throw error
    case .success(nil), nil:
      isThere.signal()
      return nil
    }
  }
}
