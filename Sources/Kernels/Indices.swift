/// Whole numbers in memory, as kernels read them: tokens, labels, row numbers.
public struct Indices: Sendable {
  public let count: Int
  private let memory: Memory

  public init(_ values: some Collection<Int32>) {
    count = values.count
    memory = MemoryPool.shared.take(4 * values.count)
    for (index, value) in values.enumerated() { self[index] = value }
  }

  /// Where one of them lies.
  public func address(_ index: Int = 0) -> UnsafeMutablePointer<Int32> {
    memory.start.assumingMemoryBound(to: Int32.self) + index
  }

  public subscript(index: Int) -> Int32 {
    get { address(index).pointee }
    nonmutating set { address(index).pointee = newValue }
  }
}
