import Glibc

/// One stretch of addresses that large blocks are cut out of, from the lowest place where they fit.
///
/// What becomes free joins what is free beside it, so that blocks of one size make room for those of
/// another: activations for gradients. A library's allocator would ask the system for new pages, and
/// those cost more than what is computed into them.
struct Arena: ~Copyable {
  private let start: UInt
  private let reserved: Int
  /// How much from the start may be written.
  private var open = 0
  /// Where the last block ends.
  private(set) var end = 0
  /// What is free below that, in order; no two touch each other.
  private(set) var holes: [Range<Int>] = []

  /// Addresses for all memory that the machine has, as many times over as the system allows.
  ///
  /// - Returns: `nil` where it allows none.
  init?() {
    var size = 8 * sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    while size >= Self.step {
      let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
      if let found = mmap(nil, size, PROT_NONE, flags, -1, 0), found != MAP_FAILED {
        start = UInt(bitPattern: found)
        reserved = size
        return
      }
      size /= 2
    }
    return nil
  }

  deinit { munmap(UnsafeMutableRawPointer(bitPattern: start), reserved) }

  /// Memory is opened in such steps, which large pages fit.
  private static let step = 64 << 20

  /// A block's address, a multiple of 64; `nil` where there is no more.
  ///
  /// - Parameter size: a multiple of 64.
  mutating func take(_ size: Int) -> UInt? {
    for index in holes.indices where holes[index].count >= size {
      let first = holes[index].lowerBound
      if holes[index].count == size {
        holes.remove(at: index)
      } else {
        holes[index] = first + size..<holes[index].upperBound
      }
      return start + UInt(first)
    }
    guard end + size <= reserved, opens(to: end + size) else { return nil }
    defer { end += size }
    return start + UInt(end)
  }

  private mutating func opens(to limit: Int) -> Bool {
    guard limit > open else { return true }
    let more = min(reserved - open, (limit - open + Self.step - 1) / Self.step * Self.step)
    let place = UnsafeMutableRawPointer(bitPattern: start + UInt(open))
    guard mprotect(place, more, PROT_READ | PROT_WRITE) == 0 else { return false }
    // Large pages save most of the cost of touching memory for the first time.
    madvise(place, more, MADV_HUGEPAGE)
    open += more
    return true
  }

  /// Takes a block back; `false` where it is not the arena's.
  mutating func takeBack(_ address: UInt, _ size: Int) -> Bool {
    guard address >= start, address < start + UInt(reserved) else { return false }
    let first = Int(address - start)
    var freed = first..<first + size
    // The first hole behind it.
    var (low, high) = (0, holes.count)
    while low < high {
      let middle = (low + high) / 2
      if holes[middle].lowerBound < first { low = middle + 1 } else { high = middle }
    }
    if low < holes.count, holes[low].lowerBound == freed.upperBound {
      freed = first..<holes.remove(at: low).upperBound
    }
    if low > 0, holes[low - 1].upperBound == first {
      freed = holes.remove(at: low - 1).lowerBound..<freed.upperBound
      low -= 1
    }
    if freed.upperBound == end {
      end = freed.lowerBound
    } else {
      holes.insert(freed, at: low)
    }
    return true
  }

  /// Gives the pages that no block is on back to the system.
  func trim() {
    let page = sysconf(Int32(_SC_PAGESIZE))
    for hole in holes + [end..<open] {
      let first = (hole.lowerBound + page - 1) / page * page
      let last = hole.upperBound / page * page
      guard first < last else { continue }
      madvise(
        UnsafeMutableRawPointer(bitPattern: start + UInt(first)), last - first, MADV_DONTNEED)
    }
  }
}
