/// Sequences of tokens that samples are cut from.
public protocol TokenSequences: Sendable {
  /// What they are called in errors.
  var prefix: String { get }
  /// The tokens of each sequence.
  var lengthArray: [Int32] { get }
  /// Adds `count` tokens of a sequence from `start` on to others; all that follow, if `nil`.
  func append(
    _ sequence: Int, from start: Int, count: Int?, to result: inout [Int32]
  ) throws(IndexedError)
}

extension IndexedDataset: TokenSequences {
  public var lengthArray: [Int32] { lengths.array(0..<lengths.count) }
}

/// The documents that megatron-core makes up where a run has no data: counting from 1, and the end.
///
/// Source: `MockGPTLowLevelDataset` in megatron/core/datasets/gpt_dataset.py: 100,000 documents of up to
/// 4,095 tokens, whose lengths NumPy's `default_rng(0)` draws.
public struct MockDocuments: TokenSequences {
  public let vocabulary: Int
  public let end: Int32
  public let lengthArray: [Int32]

  public var prefix: String { "the mock data" }

  /// - Parameters:
  ///   - vocabulary: the number of tokens there are, above zero.
  ///   - end: what ends a document.
  public init(vocabulary: Int, end: Int32) {
    precondition(vocabulary > 0)
    self.vocabulary = vocabulary
    self.end = end
    var random = NumPyGenerator(seed: 0)
    lengthArray = (0..<100_000).map { _ in Int32(1 + random.number(below: 4095)) }
  }

  public func append(
    _ sequence: Int, from start: Int, count: Int?, to result: inout [Int32]
  ) throws(IndexedError) {
    guard lengthArray.indices.contains(sequence) else {
      throw .noSuchSample(index: sequence, count: lengthArray.count)
    }
    let length = Int(lengthArray[sequence])
    let count = count ?? length - start
    guard start >= 0, count >= 0, start <= length, count <= length - start else {
      throw .wrongRange(file: prefix, sequence: sequence, length: length)
    }
    for place in start..<start + count {
      result.append(place == length - 1 ? end : Int32((place + 1) % vocabulary))
    }
  }
}
