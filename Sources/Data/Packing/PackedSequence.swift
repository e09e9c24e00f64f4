/// Several sequences in one, as NeMo and Megatron-Bridge keep them in files.
public struct PackedSequence: Sendable, Equatable {
  /// All tokens; each sequence with its last, which is only predicted.
  public var tokens: [Int32]
  /// For each token whether the one behind it counts in the loss; of the last of a sequence it says nothing.
  public var counted: [Bool]
  /// Where each sequence begins; the first at 0.
  public var starts: [Int]

  public init(tokens: [Int32], counted: [Bool], starts: [Int]) {
    precondition(tokens.count == counted.count)
    self.tokens = tokens
    self.counted = counted
    self.starts = starts
  }

  /// One sequence behind the other.
  public init(_ samples: some Sequence<Sample>) {
    self.init(tokens: [], counted: [], starts: [])
    for sample in samples {
      starts.append(tokens.count)
      tokens += sample.tokens
      counted += sample.trained.dropFirst() + (sample.count > 0 ? [false] : [])
    }
  }

  public var ranges: [Range<Int>] {
    zip(starts, starts.dropFirst() + [tokens.count]).map { $0..<$1 }
  }

  /// The sequences as they were before they were packed.
  public var samples: [Sample] {
    ranges.map { range in
      Sample(
        tokens: Array(tokens[range]),
        trained: range.isEmpty ? [] : [false] + counted[range].dropLast())
    }
  }
}

extension Packing {
  /// The packs as files keep them.
  public func sequences(_ samples: [Sample]) -> [PackedSequence] {
    packs.map { pack in PackedSequence(pack.map { samples[$0] }) }
  }
}
