import Dispatch
import Synchronization
import Tensors

/// Two sets of tensors held against each other, name by name, in bounded memory.
public struct Comparison: Sendable {
  /// One way in which the two differ.
  public struct Difference: Sendable {
    public enum Kind: Sendable {
      /// Only the second has it.
      case missing
      /// Only the first has it.
      case extra
      case shape(Shape, Shape)
      case dtype(DType, DType)
      case values(ByteBuffer.Differences)
    }

    public let name: String
    public let kind: Kind
    /// The shape that positions in `values` refer to.
    public let shape: Shape
  }

  /// In the order of the first set, then what only the second has.
  public private(set) var differences: [Difference] = []
  /// The number of tensors that both have.
  public private(set) var compared = 0
  /// The bytes of the first set's tensors whose values were compared.
  public private(set) var bytes = 0

  /// Two tensors of one name, and their place in the first set.
  private struct Pair: Sendable {
    var position: Int
    var left: TensorSet.Tensor
    var right: TensorSet.Tensor
  }

  /// A stretch of one tensor that one worker compares at a time.
  private struct Stretch {
    var tensor: Int
    var first: Int
    var count: Int
  }

  /// Compares all tensors.
  ///
  /// - Parameters:
  ///   - tolerance: the largest |a − b| that still counts as equal, whatever the types; `nil` asks for
  ///     equal types and equal bits, and so do types that hold no plain numbers.
  ///   - progress: counts the first set's bytes, and stops the comparison when cancelled.
  /// - Throws: the first error of reading, or `ConversionError.interrupted`.
  public init(
    _ left: TensorSet, _ right: TensorSet, tolerance: Double? = nil, workers: Int,
    progress: TransferProgress = TransferProgress()
  ) throws {
    var pairs: [Pair] = []
    var found: [(position: Int, difference: Difference)] = []
    for (position, tensor) in left.tensors.enumerated() {
      func note(_ kind: Difference.Kind) {
        found.append((position, Difference(name: tensor.name, kind: kind, shape: tensor.shape)))
      }
      guard let other = right[tensor.name] else {
        note(.extra)
        continue
      }
      compared += 1
      if tensor.shape != other.shape {
        note(.shape(tensor.shape, other.shape))
      } else if tensor.dtype != other.dtype,
        tolerance == nil || !tensor.dtype.isNumber || !other.dtype.isNumber
      {
        note(.dtype(tensor.dtype, other.dtype))
      } else {
        pairs.append(Pair(position: position, left: tensor, right: other))
      }
    }
    bytes = pairs.reduce(0) { $0 + $1.left.byteCount }
    let values = try Self.compareValues(pairs, tolerance, workers: workers, progress)
    for (pair, value) in zip(pairs, values) where value.count > 0 {
      found.append(
        (
          pair.position,
          Difference(name: pair.left.name, kind: .values(value), shape: pair.left.shape)
        ))
    }
    differences = found.sorted { $0.position < $1.position }.map(\.difference)
    differences += right.tensors.filter { left[$0.name] == nil }.map {
      Difference(name: $0.name, kind: .missing, shape: $0.shape)
    }
  }

  /// The bytes that `workers` workers use for their buffers.
  public static func memory(workers: Int) -> Int { workers * 2 * window }

  private static let window = 1 << 20

  /// The pairs' elements, cut for the workers.
  private static func stretches(of pairs: [Pair]) -> [Stretch] {
    var stretches: [Stretch] = []
    for (index, pair) in pairs.enumerated() {
      // Large enough that finding the runs again for each stretch costs nothing.
      let step = 16 * window / max(1, pair.left.dtype.byteWidth)
      for first in stride(from: 0, to: pair.left.shape.count, by: step) {
        let count = min(step, pair.left.shape.count - first)
        stretches.append(Stretch(tensor: index, first: first, count: count))
      }
    }
    return stretches
  }

  /// The values' differences of each pair.
  private static func compareValues(
    _ pairs: [Pair], _ tolerance: Double?,
    workers: Int, _ progress: TransferProgress
  ) throws -> [ByteBuffer.Differences] {
    let stretches = stretches(of: pairs)
    let next = Atomic<Int>(0)
    let failure = Mutex<(any Error)?>(nil)
    let parts = Mutex<[Int: ByteBuffer.Differences]>([:])
    DispatchQueue.concurrentPerform(iterations: max(1, workers)) { _ in
      let worker = Comparer(window: window, tolerance: tolerance, progress: progress)
      while failure.withLock({ $0 == nil }) {
        let index = next.add(1, ordering: .relaxed).oldValue
        guard index < stretches.count else { return }
        let stretch = stretches[index]
        let pair = pairs[stretch.tensor]
        do {
          let found = try worker.compare(pair.left, pair.right, stretch.first, stretch.count)
          if found.count > 0 { parts.withLock { $0[index] = found } }
        } catch {
          failure.withLock { $0 = $0 ?? error }
        }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
    var results = [ByteBuffer.Differences](repeating: .init(), count: pairs.count)
    for (index, found) in parts.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      results[stretches[index].tensor].add(found, offset: stretches[index].first)
    }
    return results
  }
}

/// One thread's buffers.
private final class Comparer {
  private let left: ByteBuffer
  private let right: ByteBuffer
  private let window: Int
  private let tolerance: Double?
  private let progress: TransferProgress

  init(window: Int, tolerance: Double?, progress: TransferProgress) {
    left = ByteBuffer(capacity: window)
    right = ByteBuffer(capacity: window)
    self.window = window
    self.tolerance = tolerance
    self.progress = progress
  }

  /// Compares a range of two tensors' elements; positions count from `first`.
  func compare(
    _ a: TensorSet.Tensor, _ b: TensorSet.Tensor, _ first: Int, _ count: Int
  ) throws -> ByteBuffer.Differences {
    let (runsA, runsB) = (try a.runs(), try b.runs())
    for (tensor, runs) in [(a, runsA), (b, runsB)] where runs.byteCount != tensor.byteCount {
      throw ConversionError.sizeMismatch(
        tensor: tensor.name, expected: tensor.byteCount, found: runs.byteCount)
    }
    var result = ByteBuffer.Differences()
    let (widthA, widthB) = (a.dtype.byteWidth, b.dtype.byteWidth)
    let step = window / max(widthA, widthB)
    for start in stride(from: 0, to: count, by: step) {
      if progress.isCancelled { throw ConversionError.interrupted }
      let size = min(step, count - start)
      let from = first + start
      try left.fill(runsA.slice(from * widthA..<(from + size) * widthA))
      try right.fill(runsB.slice(from * widthB..<(from + size) * widthB))
      // Equal bits are equal numbers too; most windows end here.
      if a.dtype != b.dtype || !left.equals(right, 0..<size * widthA) {
        if let tolerance, a.dtype.isNumber {
          result.add(
            left.differences(right, count: size, a.dtype, b.dtype, tolerance: tolerance),
            offset: start)
        } else {
          result.add(left.differences(right, count: size, dtype: a.dtype), offset: start)
        }
      }
      progress.add(size * widthA)
    }
    return result
  }
}
