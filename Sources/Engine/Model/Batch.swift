import Blueprint

/// The tokens of one step: sequences one behind the other, without padding.
public struct Batch: Sendable {
  /// All tokens.
  public var tokens: [Int32]
  /// For each token the one to predict behind it; negative where there is none.
  public var labels: [Int32]
  /// Where each sequence begins, and where the last ends (cu_seqlens).
  public var starts: [Int]
  /// The position of the first token of each sequence, where earlier ones are in a cache.
  public var offset = 0
  /// The length of the one sequence that the tokens are a part of, where the rest is still to come.
  public var whole = 0

  public init(tokens: [Int32], labels: [Int32], starts: [Int]) {
    self.tokens = tokens
    self.labels = labels
    self.starts = starts
  }

  /// Sequences without labels.
  public init(_ sequences: [[Int32]]) {
    tokens = sequences.flatMap { $0 }
    labels = [Int32](repeating: -1, count: tokens.count)
    starts = sequences.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.count) }
  }

  /// Sequences with the label of each token beside it, as data sets have them: the label of one is what
  /// is to be predicted from the one before it, and none is where it is negative.
  public init(_ sequences: [[Int32]], aligned labels: [[Int32]]) {
    self.init(sequences)
    for (index, row) in labels.enumerated() {
      for position in 1..<max(1, row.count) {
        self.labels[starts[index] + position - 1] = row[position]
      }
    }
  }

  public var count: Int { tokens.count }
  /// How many labels are to be predicted.
  public var trained: Int { labels.count { $0 >= 0 } }

  /// The rows of each sequence.
  public var sequences: [Range<Int>] { zip(starts, starts.dropFirst()).map { $0..<$1 } }

  /// The position of each token in its sequence.
  public var positions: [Int32] {
    sequences.flatMap { rows in rows.map { Int32($0 - rows.lowerBound + offset) } }
  }

  /// The length of each sequence, with what a cache holds of it and what is still to come.
  public var lengths: [Int] { sequences.map { max(whole, offset + $0.count) } }

  /// The length of the longest sequence.
  public var longest: Int { lengths.max() ?? 0 }
}

extension Blueprint {
  /// Checks that a model can take a batch: that it holds tokens, all of them of the vocabulary, and no
  /// sequence that is longer than the learned positions reach.
  ///
  /// - Throws: `EngineError`.
  public func check(_ batch: Batch) throws(EngineError) {
    guard batch.count > 0 else { throw .emptyBatch }
    for (index, token) in batch.tokens.enumerated() where token < 0 || token >= frame.vocabulary {
      throw .tokenOutOfRange(token: Int(token), index: index, vocabulary: frame.vocabulary)
    }
    if let limit = frame.positions, frame.names.positions != nil, batch.longest > limit {
      throw .tooLong(positions: batch.longest, limit: limit)
    }
  }
}
