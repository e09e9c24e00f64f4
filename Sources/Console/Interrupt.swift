import Checkpoints
import Dispatch
import Glibc
import Hub
import Synchronization

/// Work that can be asked to end, from any thread.
package protocol Cancellable: Sendable {
  func cancel()
  var isCancelled: Bool { get }
}

extension TransferProgress: Cancellable {}
extension HubProgress: Cancellable {}

/// What happens on Ctrl-C and SIGTERM: the work stops, what was written goes, the exit code is 130.
///
/// The signals are waited for on a thread of their own, so that nothing runs in a signal handler.
package final class Interrupt: Sendable {
  package static let shared = Interrupt()

  private struct Work: Sendable {
    var number: Int
    var progress: any Cancellable
    var farewell: String
    var discard: @Sendable () -> Void = {}
  }

  /// What is being done, the newest last: a conversion may fetch what it reads, on threads of their own.
  private let work = Mutex<[Work]>([])
  private let count = Atomic<Int>(0)
  private let isTerminated = Mutex(false)

  /// Whether the program was asked to end, rather than its work alone.
  package var wasTerminated: Bool { isTerminated.withLock { $0 } }

  /// Takes the two signals; call it once, before there are other threads.
  package func start() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let waited = signals
    DispatchQueue(label: "signals").async { [self] in
      var waited = waited
      var signal: Int32 = 0
      while sigwait(&waited, &signal) == 0 { received(signal) }
    }
  }

  private func received(_ signal: Int32) {
    if signal == SIGTERM { isTerminated.withLock { $0 = true } }
    let current = work.withLock { $0 }
    guard let outermost = current.first else {
      Report.error("Interrupted.", label: "")
      _exit(ExitStatus.interrupted)
    }
    if current.allSatisfy(\.progress.isCancelled) {
      // The second time: whoever asks twice does not want to wait for the workers.
      for work in current.reversed() { work.discard() }
      Report.error(outermost.farewell, label: "")
      _exit(ExitStatus.interrupted)
    }
    for work in current { work.progress.cancel() }
  }

  /// Runs `body` so that a signal cancels `progress`, and a second one ends the program.
  ///
  /// - Parameter farewell: what is said on the second one.
  package func stopping<Result, Failure: Error>(
    _ progress: any Cancellable,
    farewell: String = "Interrupted; what had been written was removed.",
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let number = count.wrappingAdd(1, ordering: .relaxed).newValue
    work.withLock { $0.append(Work(number: number, progress: progress, farewell: farewell)) }
    defer { work.withLock { $0.removeAll { $0.number == number } } }
    return try body()
  }

  /// Says how to remove what the work in progress writes.
  package func onAbort(_ discard: @escaping @Sendable () -> Void) {
    work.withLock { work in
      // What comes from the hub stays, and has nothing to remove.
      guard let last = work.lastIndex(where: { !($0.progress is HubProgress) }) else { return }
      work[last].discard = discard
    }
  }
}
