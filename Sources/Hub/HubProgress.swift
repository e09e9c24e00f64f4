import Synchronization

/// How far the files on their way are; shared by the workers and whoever shows it.
public final class HubProgress: Sendable {
  /// One file on its way.
  public struct File: Sendable {
    public var path: String
    public var size: Int
    /// Bytes that are there, those of earlier runs too.
    public var done: Int
    public var state: State
  }

  public enum State: Equatable, Sendable {
    case waiting, moving, checking, done
    /// Nothing came, and it will be tried again: which attempt it will be, of how many.
    case retrying(Int, of: Int)
  }

  private let contents = Mutex<[File]>([])
  private let stop = Atomic<Bool>(false)

  public init() {}

  public var files: [File] { contents.withLock { $0 } }

  /// Adds files, and says where the first of them stands in `files`.
  package func add(_ files: [File]) -> Int {
    contents.withLock { contents in
      contents += files
      return contents.count - files.count
    }
  }

  package func update(_ index: Int, _ change: @Sendable (inout File) -> Void) {
    contents.withLock { change(&$0[index]) }
  }

  /// Makes the workers stop; safe to call from any thread.
  public func cancel() { stop.store(true, ordering: .relaxed) }

  public var isCancelled: Bool { stop.load(ordering: .relaxed) }
}
