import Glibc
import Synchronization

/// A block of memory that goes back to its pool when its last user lets go.
///
/// Whoever works on it sees to it that nobody else writes the same part at the same time.
public final class Memory: @unchecked Sendable {
  public let start: UnsafeMutableRawPointer
  public let byteCount: Int
  private let pool: MemoryPool
  private let keeper: AnyObject?

  fileprivate init(
    _ start: UnsafeMutableRawPointer, _ byteCount: Int, _ pool: MemoryPool, keeper: AnyObject? = nil
  ) {
    self.start = start
    self.byteCount = byteCount
    self.pool = pool
    self.keeper = keeper
  }

  /// Memory that somebody else owns, as a mapped file; it is never written.
  ///
  /// `nil` where there is none.
  public init?(_ bytes: UnsafeRawBufferPointer, of keeper: AnyObject) {
    guard let base = bytes.baseAddress else { return nil }
    start = UnsafeMutableRawPointer(mutating: base)
    byteCount = bytes.count
    pool = .shared
    self.keeper = keeper
  }

  deinit { if keeper == nil { pool.takeBack(start, byteCount) } }
}

/// Blocks of memory, kept for the next who asks: small ones by size, large ones in an arena.
///
/// A training step asks for the same sizes over and over, and fresh pages cost more than what is
/// computed into them.
public final class MemoryPool: Sendable {
  public static let shared = MemoryPool()

  private struct State: ~Copyable, Sendable {
    var free: [Int: [UInt]] = [:]
    var arena = Arena()
    var used = 0
    var peak = 0
  }

  private let state = Mutex(State())

  /// The bytes in use, and the most that ever were.
  public var usage: (used: Int, peak: Int) { state.withLock { ($0.used, $0.peak) } }

  /// Forgets how much was in use before.
  public func resetPeak() { state.withLock { $0.peak = $0.used } }

  /// A block of at least so many bytes, at a multiple of 64; its contents are undefined.
  public func take(_ byteCount: Int) -> Memory {
    let size = Self.rounded(max(64, byteCount))
    let found = state.withLock { state -> UInt? in
      state.used += size
      state.peak = max(state.peak, state.used)
      return size >= Self.large ? state.arena?.take(size) : state.free[size]?.popLast()
    }
    if let found, let start = UnsafeMutableRawPointer(bitPattern: found) {
      return Memory(start, size, self)
    }
    return Memory(.allocate(byteCount: size, alignment: 64), size, self)
  }

  /// Gives what nobody uses back to the system.
  public func trim() {
    let blocks = state.withLock { state in
      defer { state.free = [:] }
      state.arena?.trim()
      return state.free.values.flatMap { $0 }
    }
    for block in blocks { UnsafeMutableRawPointer(bitPattern: block)?.deallocate() }
  }

  fileprivate func takeBack(_ start: UnsafeMutableRawPointer, _ size: Int) {
    let isForeign = state.withLock { state in
      state.used -= size
      if size < Self.large {
        state.free[size, default: []].append(UInt(bitPattern: start))
        return false
      }
      return !(state.arena?.takeBack(UInt(bitPattern: start), size) ?? false)
    }
    if isForeign { start.deallocate() }
  }

  private static let large = 64 << 10

  /// Large blocks begin at unlike places in their pages, because reading and writing at like ones is slow;
  /// small ones have few sizes, eight between two powers of two, so that they are met again.
  private static func rounded(_ byteCount: Int) -> Int {
    if byteCount > large - 4096 {
      return (byteCount - 320 + 4095) / 4096 * 4096 + 320
    }
    let step = max(64, (1 << (Int.bitWidth - byteCount.leadingZeroBitCount - 1)) / 8)
    return (byteCount + step - 1) / step * step
  }
}
