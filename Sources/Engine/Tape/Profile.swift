import Kernels

/// Where the time of training steps goes, operation by operation.
///
/// A tape's operations stand in each other where a block is computed again: an entry's own time leaves
/// out what stands in it.
public final class Profile: TapeObserver {
  /// One run of an operation.
  public struct Entry: Sendable {
    public var operation: String
    /// The layer it stands in.
    public var place: String
    public var isBackward: Bool
    /// When it began, in seconds from the beginning of the step.
    public var start: Double
    public var seconds: Double
    /// Without the operations that stand in it.
    public var ownSeconds: Double
    /// The bytes of the engine's memory in use when it ended.
    public var bytes: Int
  }

  /// What the entries of one operation, one way, add up to.
  public struct Sum: Sendable {
    public var operation: String
    public var isBackward: Bool
    public var count = 0
    public var seconds = 0.0
  }

  /// In the order in which they ended.
  public private(set) var entries: [Entry] = []
  /// From the beginning to the end of the step.
  public private(set) var seconds = 0.0
  private var open: [(start: ContinuousClock.Instant, inside: Double)] = []
  private var beginning = ContinuousClock.now

  public init() {}

  /// Forgets what was before, and begins a step.
  public func begin() {
    entries = []
    open = []
    beginning = .now
  }

  /// Ends the step.
  public func end() { seconds = Profile.seconds(since: beginning) }

  public func willRun(_ operation: String, _ place: String, isBackward: Bool) {
    open.append((.now, 0))
  }

  public func didRun(_ operation: String, _ place: String, _ result: Matrix?, isBackward: Bool) {
    guard let (start, inside) = open.popLast() else { return }
    let seconds = Profile.seconds(since: start)
    if !open.isEmpty { open[open.count - 1].inside += seconds }
    entries.append(
      Entry(
        operation: operation, place: place, isBackward: isBackward,
        start: Profile.seconds(from: beginning, to: start), seconds: seconds,
        ownSeconds: seconds - inside, bytes: MemoryPool.shared.usage.used))
  }

  /// The operations with their own times, the longest first.
  public var sums: [Sum] {
    var found: [String: Sum] = [:]
    for entry in entries {
      let key = entry.operation + (entry.isBackward ? "<" : ">")
      found[
        key, default: Sum(operation: entry.operation, isBackward: entry.isBackward)
      ].add(entry.ownSeconds)
    }
    return found.values.sorted {
      ($1.seconds, $0.operation, $1.isBackward ? 1 : 0)
        < ($0.seconds, $1.operation, $0.isBackward ? 1 : 0)
    }
  }

  /// What no operation accounts for.
  public var restSeconds: Double { seconds - entries.reduce(0) { $0 + $1.ownSeconds } }

  private static func seconds(since start: ContinuousClock.Instant) -> Double {
    seconds(from: start, to: .now)
  }

  private static func seconds(
    from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
  ) -> Double {
    (end - start) / .seconds(1)
  }
}

extension Profile.Sum {
  fileprivate mutating func add(_ more: Double) {
    count += 1
    seconds += more
  }
}
