import Glibc

/// A growing array of plain values that only one owner can hold.
///
/// An `Array` asks at every change whether somebody shares it, which costs more than the change where
/// millions of small values are written. This one cannot be shared, so it never asks; like an
/// `Array` it checks every index. It grows in place where the system can move pages (`realloc`).
public struct UniqueArray<Element: BitwiseCopyable>: ~Copyable {
  private var base: UnsafeMutablePointer<Element>?
  public private(set) var count = 0
  private var capacity = 0

  public init() {}

  deinit { free(base) }

  public subscript(index: Int) -> Element {
    @inline(__always) get {
      precondition(index >= 0 && index < count, "the index lies in the array")
      return base.unsafelyUnwrapped[index]
    }
    @inline(__always) _modify {
      precondition(index >= 0 && index < count, "the index lies in the array")
      yield &base.unsafelyUnwrapped[index]
    }
  }

  @inline(__always)
  public mutating func append(_ element: Element) {
    if count == capacity { grow() }
    base.unsafelyUnwrapped[count] = element
    count += 1
  }

  /// Moves the elements of another array from `start` on to the end of this one.
  @inline(__always)
  public mutating func move(from other: inout UniqueArray, _ start: Int) {
    precondition(start >= 0 && start <= other.count, "the elements lie in the array")
    let moved = other.count - start
    while count + moved > capacity { grow() }
    if moved > 0 {
      (base.unsafelyUnwrapped + count).update(
        from: other.base.unsafelyUnwrapped + start, count: moved)
    }
    count += moved
    other.count = start
  }

  /// Takes the last element off.
  @inline(__always)
  public mutating func popLast() -> Element? {
    guard count > 0 else { return nil }
    count -= 1
    return base.unsafelyUnwrapped[count]
  }

  @inline(__always)
  public var last: Element? { count > 0 ? base.unsafelyUnwrapped[count - 1] : nil }

  /// Drops all elements but the first `count`, of which there must be as many.
  @inline(__always)
  public mutating func cut(to count: Int) {
    precondition(count >= 0 && count <= self.count, "the array is as long")
    self.count = count
  }

  @inline(never)
  private mutating func grow() {
    let wanted = max(16, capacity * 2)
    let memory = realloc(base, wanted * MemoryLayout<Element>.stride)
    precondition(memory != nil, "there is memory")
    base = memory?.assumingMemoryBound(to: Element.self)
    capacity = wanted
  }
}
