/// Which samples one worker of several gets in each batch, going on where a run left off.
///
/// Source: `MegatronPretrainingSampler`, `MegatronPretrainingRandomSampler` and
/// `MegatronPretrainingBatchSampler` in Megatron-Bridge's data/samplers.py.
public struct BatchOrder: Sendable {
  public enum Kind: Sendable, Equatable {
    /// One after the other, once (`single`).
    case single
    /// In a new order each time round, without end (`cyclic`). With `isSharded` each worker keeps to
    /// its part of the samples.
    case cyclic(isSharded: Bool)
    /// A whole global batch at a time, dealt out to the workers by turns (`batch`).
    case batch(globalSize: Int)
  }

  public let kind: Kind
  public let total: Int
  /// Samples that all workers together have been given.
  public private(set) var consumed: Int
  public let microBatch: Int
  public let rank: Int
  public let workers: Int
  /// Whether samples that do not fill a batch are left out.
  public let dropsLast: Bool
  /// This worker's samples of the round that is under way (`cyclic`), and how many are gone.
  private var round: [Int] = []
  private var place = 0
  private var hasEnded = false
  /// Where the next batch begins (`single`, `batch`).
  private var next: Int

  /// - Throws: `IndexedError.wrongBatch`.
  public init(
    _ kind: Kind, total: Int, consumed: Int = 0, microBatch: Int, rank: Int = 0, workers: Int = 1,
    dropsLast: Bool = true
  ) throws(IndexedError) {
    func wrong(_ problem: String) -> IndexedError { .wrongBatch(problem: problem) }
    guard total > 0 else { throw wrong("There are no samples to make batches of.") }
    guard microBatch > 0, workers > 0, rank >= 0, rank < workers, consumed >= 0,
      microBatch < 1 << 31, workers < 1 << 31
    else {
      throw wrong(
        "Batches of \(microBatch) for worker \(rank) of \(workers) after \(consumed) samples cannot be made."
      )
    }
    let step = microBatch * workers
    next = consumed
    switch kind {
    case .single:
      guard consumed < total else {
        throw wrong("All \(total) samples have been consumed; raise the number of samples.")
      }
    case .cyclic:
      guard total >= step else {
        throw wrong("\(total) samples do not fill one batch of \(step) for all workers.")
      }
      guard consumed % (total - total % step) % step == 0 else {
        throw wrong("\(consumed) consumed samples are no multiple of the \(step) of a batch.")
      }
    case .batch(let size):
      guard size > 0, size % step == 0 else {
        throw wrong(
          "The global batch of \(size) is no multiple of the \(step) that all workers take at once."
        )
      }
      next = consumed % total
    }
    self.kind = kind
    self.total = total
    self.consumed = consumed
    self.microBatch = microBatch
    self.rank = rank
    self.workers = workers
    self.dropsLast = dropsLast
  }

  /// The samples of the next batch; `nil` at the end, and -1 for none where a last batch is filled up.
  public mutating func nextBatch() -> [Int]? {
    switch kind {
    case .single: single()
    case .cyclic(let isSharded): cyclic(isSharded)
    case .batch(let size): batch(size)
    }
  }

  private mutating func single() -> [Int]? {
    let step = microBatch * workers
    guard !hasEnded, next < total else { return nil }
    let end = min(total, next + step)
    hasEnded = end - next < step
    if hasEnded, dropsLast { return nil }
    let batch = Array(next..<end).dropFirst(rank * microBatch).prefix(microBatch)
    consumed += end - next
    next = end
    return Array(batch)
  }

  private mutating func batch(_ size: Int) -> [Int]? {
    guard !hasEnded, next < total else { return nil }
    let end = min(total, next + size)
    hasEnded = end - next < size
    if hasEnded, dropsLast { return nil }
    var batch = Array(stride(from: next + rank, to: end, by: workers))
    batch += Array(repeating: -1, count: size / workers - batch.count)
    consumed += end - next
    next = end
    return batch
  }

  private mutating func cyclic(_ isSharded: Bool) -> [Int]? {
    let step = microBatch * workers
    let active = total - total % step
    if round.isEmpty || place + microBatch > round.count {
      let epoch = consumed / active
      let gone = consumed % active
      var random = TorchRandom(seed: UInt64(epoch))
      if isSharded {
        let part = total / step * microBatch
        round = random.permutation(part).dropFirst(gone / workers).map { rank * part + $0 }
      } else {
        let order = random.permutation(total / microBatch * microBatch).dropFirst(gone)
        round = stride(from: order.startIndex + rank, to: order.endIndex, by: workers).map {
          order[$0]
        }
      }
      place = 0
    }
    defer {
      place += microBatch
      consumed += step
    }
    return Array(round[place..<place + microBatch])
  }
}
