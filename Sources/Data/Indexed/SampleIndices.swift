import Glibc
import Tensors

/// In which order a data set's tokens are read: which documents, cut where, in which order of samples.
///
/// Bit for bit what megatron-core 0.16's `GPTDataset` builds from the same numbers.
///
/// Source: `_build_document_sample_shuffle_indices` in megatron/core/datasets/gpt_dataset.py and
/// `build_sample_idx` in helpers.cpp.
public struct SampleIndices: Sendable {
  /// The sequences in the order they are read, each as often as there are epochs.
  public var documents: IndexNumbers
  /// For each sample, and for the end of the last: a place in `documents` and how many of its tokens
  /// come before; two numbers each.
  public var samples: IndexNumbers
  /// Which sample is drawn first, second, ….
  public var shuffle: IndexNumbers

  public var count: Int { samples.count / 2 - 1 }

  /// What samples are made of and how.
  public struct Request: Sendable {
    /// The data set's name in errors.
    public var prefix: String
    /// The sequences that may be read.
    public var sequences: Range<Int>
    public var split: Split
    /// How many samples are wanted at least; `nil`: what one epoch gives.
    public var samples: Int?
    /// Tokens of a sample.
    public var length: Int
    public var seed: UInt32
    /// Whether a sample has one token more than its length, which is only predicted.
    public var hasExtraToken = true
    /// Whether tokens that do not fill a sample are left out, instead of padded.
    public var dropsRest = true

    public init(
      prefix: String = "", sequences: Range<Int>, split: Split = .train, samples: Int? = nil,
      length: Int, seed: UInt32
    ) {
      self.prefix = prefix
      self.sequences = sequences
      self.split = split
      self.samples = samples
      self.length = length
      self.seed = seed
    }
  }

  /// How often the tokens are read, and whether the last time is shuffled by itself.
  public struct Epochs: Sendable, Equatable {
    public var count: Int
    public var tokens: Int
    public var separatesLast: Bool
    /// Samples that end before the last epoch does, where that is separate.
    var samplesBeforeLast: Int
  }

  /// - Parameter lengths: the tokens of every sequence of the data set.
  public init(
    _ request: Request, lengths: borrowing [Int32]
  ) throws(IndexedError) {
    let epochs = try Self.epochs(request, lengths: lengths)
    try Self.checkMemory(request, epochs)
    var random = NumPyRandom(seed: request.seed)
    let documents = Self.documents(request.sequences, epochs, &random)
    let longest = lengths.max() ?? 0
    let samples =
      max(documents.count, Int(longest)) <= Int(Int32.max)
      ? IndexNumbers.int32(Self.samples(request, epochs, documents, lengths))
      : IndexNumbers.int64(Self.samples(request, epochs, documents, lengths))
    let count = samples.count / 2 - 1
    shuffle = Self.shuffled(
      count, first: epochs.separatesLast ? epochs.samplesBeforeLast : count, &random)
    self.documents = .int32(documents)
    self.samples = samples
  }

  init(documents: IndexNumbers, samples: IndexNumbers, shuffle: IndexNumbers) {
    self.documents = documents
    self.samples = samples
    self.shuffle = shuffle
  }

  // MARK: Epochs

  static func epochs(
    _ request: Request, lengths: borrowing [Int32]
  ) throws(IndexedError) -> Epochs {
    var tokens = 0
    for index in request.sequences { tokens += Int(lengths[index]) }
    guard let wanted = request.samples else {
      return Epochs(count: 1, tokens: tokens, separatesLast: false, samplesBeforeLast: 0)
    }
    let extra = request.hasExtraToken ? 1 : 0
    let (product, isTooLarge) = wanted.multipliedReportingOverflow(by: request.length)
    guard !isTooLarge, wanted >= 0, product < 1 << 61, tokens < 1 << 61 else {
      throw .tooManySamples(prefix: request.prefix, samples: wanted, length: request.length)
    }
    guard tokens > 0 || wanted == 0 else {
      throw .noTokens(prefix: request.prefix, split: request.split)
    }
    let count = max(1, (product + extra + max(1, tokens) - 1) / max(1, tokens))
    if count == 1 {
      return Epochs(count: 1, tokens: tokens, separatesLast: false, samplesBeforeLast: 0)
    }
    let before = ((count - 1) * tokens - extra) / request.length
    let perEpoch = (tokens - extra) / request.length
    let fromLast = wanted - before
    return Epochs(
      count: count, tokens: tokens,
      separatesLast: fromLast < Int(0.80 * Double(perEpoch)), samplesBeforeLast: before)
  }

  /// Samples that so many tokens give.
  ///
  /// Where the rest is kept, helpers.cpp counts with 32-bit floats, and so must we.
  static func count(_ request: Request, _ epochs: Epochs) -> Int {
    let tokens = epochs.count * epochs.tokens - (request.hasExtraToken ? 1 : 0)
    if request.dropsRest { return tokens / request.length }
    return max(0, Int((Float(tokens) / Float(request.length)).rounded(.up)))
  }

  /// Refuses what cannot lie in memory before it is tried.
  private static func checkMemory(_ request: Request, _ epochs: Epochs) throws(IndexedError) {
    let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    let samples = count(request, epochs)
    let (documents, isTooLarge) = epochs.count.multipliedReportingOverflow(
      by: request.sequences.count)
    let bytes = Double(documents) * 4 + Double(samples) * 12
    guard !isTooLarge, bytes < Double(memory) else {
      throw .indicesTooLarge(
        prefix: request.prefix, bytes: bytes < 1e18 ? Int(bytes) : Int.max, memory: memory)
    }
  }

  // MARK: The three indices

  private static func documents(
    _ sequences: Range<Int>, _ epochs: Epochs, _ random: inout NumPyRandom
  ) -> [Int32] {
    var documents: [Int32] = []
    documents.reserveCapacity(epochs.count * sequences.count)
    for _ in 0..<epochs.count {
      for sequence in sequences { documents.append(Int32(truncatingIfNeeded: sequence)) }
    }
    let before = documents.count - sequences.count
    if epochs.separatesLast {
      random.shuffle(&documents, in: 0..<before)
      random.shuffle(&documents, in: before..<documents.count)
    } else {
      random.shuffle(&documents)
    }
    return documents
  }

  private static func samples<Number: FixedWidthInteger & BitwiseCopyable>(
    _ request: Request, _ epochs: Epochs, _ documents: borrowing [Int32],
    _ lengths: borrowing [Int32]
  ) -> [Number] {
    let extra = request.hasExtraToken ? 1 : 0
    let count = count(request, epochs)
    var samples: [Number] = []
    samples.reserveCapacity(2 * (count + 1))
    samples.append(0)
    samples.append(0)
    var document = 0
    var offset = 0
    for _ in 0..<count {
      var left = request.length + extra
      while left != 0 {
        let length = Int(lengths[Int(documents[document])])
        let rest = length - offset
        left -= rest
        if left <= 0 {
          offset += left + rest - extra
          break
        }
        if document == documents.count - 1 {
          // Only where the rest is kept: the last sample ends with the last token.
          offset = length - extra
          break
        }
        document += 1
        offset = 0
      }
      samples.append(Number(truncatingIfNeeded: document))
      samples.append(Number(truncatingIfNeeded: offset))
    }
    return samples
  }

  private static func shuffled(
    _ count: Int, first: Int, _ random: inout NumPyRandom
  ) -> IndexNumbers {
    func order<Number: FixedWidthInteger>(_: Number.Type) -> [Number] {
      var numbers = [Number](countingTo: count)
      random.shuffle(&numbers, in: 0..<first)
      if first < count { random.shuffle(&numbers, in: first..<count) }
      return numbers
    }
    return count >= Int(UInt32.max) - 1 ? .int64(order(Int64.self)) : .uint32(order(UInt32.self))
  }
}

extension Array where Element: FixedWidthInteger {
  /// 0, 1, 2, …, so many of them.
  fileprivate init(countingTo count: Int) {
    self = []
    reserveCapacity(count)
    for index in 0..<count { append(Element(truncatingIfNeeded: index)) }
  }
}
