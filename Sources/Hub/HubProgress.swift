import HTTP
import Synchronization

/// How far the files on their way are; shared by the workers and whoever shows it.
public final class HubProgress: Sendable {
  /// One file on its way.
  public struct File: Sendable {
    public var path: String
    public var size: Int
    /// Bytes that are there, those of earlier runs too.
    public var done: Int
    /// Those of earlier runs alone.
    public var before: Int
    public var state: State

    public init(path: String, size: Int, done: Int = 0, state: State = .waiting) {
      self.path = path
      self.size = size
      self.done = done
      self.before = done
      self.state = state
    }
  }

  public enum State: Equatable, Sendable {
    case waiting, moving, checking, done
    /// Another process has it in hand.
    case elsewhere
    /// Nothing came, and it will be tried again: which attempt it will be, of how many, after how many seconds, and
    /// what went wrong.
    case retrying(Int, of: Int, wait: Double, reason: String)
  }

  private struct Contents {
    var files: [File] = []
    /// Where a file's bytes are counted as they come, by its place in `files`.
    var counts: [Int: @Sendable () -> Int] = [:]
    var activity: String?
  }

  private let contents = Mutex(Contents())
  /// Ends the requests that are under way.
  package let stop: HTTPStop

  /// What is done with the files, in a word.
  public let title: String

  public init(title: String = "download") {
    self.title = title
    stop = HTTPStop()
  }

  /// What is shown otherwise, and ended by the same.
  package init(stop: HTTPStop) {
    title = "download"
    self.stop = stop
  }

  public var files: [File] {
    let (files, counts) = contents.withLock { ($0.files, $0.counts) }
    var result = files
    for (index, count) in counts { result[index].done = count() }
    return result
  }

  /// What is done before files are on their way, or between: `asking huggingface.co for org/name`.
  public var activity: String? { contents.withLock { $0.activity } }

  package func say(_ activity: String?) { contents.withLock { $0.activity = activity } }

  /// Adds files, and says where the first of them stands in `files`.
  package func add(_ files: [File]) -> Int {
    contents.withLock { contents in
      contents.files += files
      return contents.files.count - files.count
    }
  }

  package func update(_ index: Int, _ change: @Sendable (inout File) -> Void) {
    contents.withLock { change(&$0.files[index]) }
  }

  /// Says where a file's bytes are counted as they come; with `nil` they stay as `update` last said.
  package func follow(_ index: Int, _ count: (@Sendable () -> Int)?) {
    contents.withLock { $0.counts[index] = count }
  }

  /// Makes the work end at once; safe to call from any thread.
  public func cancel() { stop.stop() }

  public var isCancelled: Bool { stop.isStopped }
}
