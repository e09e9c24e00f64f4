import Blueprint
import CKernels
import Glibc
import Kernels

/// How the scores of attention come about, and which keys a query sees besides those behind it, which
/// it never does.
struct AttentionRule {
  /// The factor on the products of queries and keys.
  var scale: Double
  /// cap · tanh(scores / cap), before the mask.
  var softCap: Double?
  /// How many positions back a token sees, itself included.
  var window: Int?
  /// Tokens see only those of their own chunk of so many positions.
  var chunk: Int?
  var sparsity: BlockSparsity?
  /// For each head what a score loses for each position between query and key (ALiBi); empty: nothing.
  var slopes: [Double] = []
  /// The factor on biases that are products of slope and position in bfloat16; `nil` where they are exact.
  var roundedBias: Double?

  init(scale: Double) { self.scale = scale }

  init(_ attention: Attention) {
    scale = attention.scale ?? 1 / Double(attention.headSize).squareRoot()
    softCap = attention.softCap
    window = attention.window
    chunk = attention.chunk
    sparsity = attention.sparsity
    if let alibi = attention.alibi {
      let factor = alibi.isScaled ? scale : 1
      roundedBias = alibi.isRounded ? factor : nil
      slopes = alibi.slopes(attention.heads).map { alibi.isRounded ? $0 : factor * $0 }
    }
  }

  init(_ attention: LatentAttention) {
    let size = attention.plainSize + attention.rotary.dimensions
    scale = attention.scale ?? 1 / Double(size).squareRoot()
  }

  /// Tells the kernels all but the slopes.
  func set(_ job: inout CKernels.attention) {
    (job.scale, job.cap, job.rounded_bias) = (scale, softCap ?? 0, roundedBias ?? 0)
    (job.window, job.chunk) = (window ?? 0, chunk ?? 0)
    guard let sparsity else { return }
    (job.sparse_size, job.sparse_local) = (sparsity.size, sparsity.local)
    (job.sparse_stride, job.sparse_step) = (sparsity.stride, sparsity.step)
  }

  /// How many keys back a query may see at most, itself included; `nil` where there is no limit.
  var reach: Int? { [window, chunk].compactMap(\.self).min() }
}

extension ALiBi {
  /// The slope of each head.
  func slopes(_ heads: Int) -> [Double] {
    let power = 1 << (Int.bitWidth - 1 - heads.leadingZeroBitCount)
    return (0..<heads).map { head in
      head < power
        ? exp2(-8 * Double(head + 1) / Double(power))
        : exp2(-8 * Double(2 * (head - power) + 1) / Double(2 * power))
    }
  }
}

/// Which keys each query sees, where a layer picks them: all heads see the same.
///
/// Keys are counted from the first of the query's own sequence, those of a cache included. Keys behind
/// the query stay unseen whether picked or not.
struct KeySelection {
  /// [queries, words]; bit k % 32 of word k / 32 for key k.
  let bits: Indices
  let words: Int

  /// No keys at all.
  ///
  /// - Parameters:
  ///   - queries: all rows of the pass.
  ///   - keys: of the longest sequence.
  init(queries: Int, keys: Int) {
    words = (keys + 31) / 32
    bits = Indices(repeatElement(0, count: queries * words))
  }

  /// Lets a query see a key.
  func see(_ query: Int, _ key: Int) {
    bits[query * words + key / 32] |= 1 << Int32(key % 32)
  }
}

/// The sequences of a pass: rows of queries, and the rows of keys whose last are theirs.
struct AttentionSpans {
  let count: Int
  /// For each sequence: first query, queries, first key, keys, the position of the first key.
  let numbers: Indices

  /// Sequences that are seen whole.
  init(_ batch: Batch) {
    count = batch.sequences.count
    numbers = Indices(
      batch.sequences.flatMap { rows in
        let (first, count) = (Int32(rows.lowerBound), Int32(rows.count))
        return [first, count, first, count, Int32(batch.offset)]
      })
  }

  /// One sequence whose earlier keys come from a cache.
  ///
  /// - Parameter origin: the position of the first key.
  init(queries: Int, keys: Int, origin: Int) {
    count = 1
    numbers = Indices([0, Int32(queries), 0, Int32(keys), Int32(origin)])
  }
}
