/// A sample as the peers' loaders hand it on: each token beside the one to predict from it, filled up to a length.
public struct PaddedRow: Sendable, Equatable {
  public var tokens: [Int32]
  /// −100 where nothing is learnt, or, as Megatron has it, the token with `mask` beside it.
  public var labels: [Int32]
  public var mask: [Bool]
}

extension Sample {
  /// The row that Automodel's `_package_tokenized_example` makes.
  ///
  /// - Parameters:
  ///   - length: what is filled up to (`padding: max_length`); `nil` for no filling.
  ///   - filler: the tokenizer's token for filling up; `last`: the one the data set fills with.
  public func automodelRow(length: Int?, filler: Int32, last: Int32) -> PaddedRow {
    var tokens = tokens
    var trained = trained
    // The tokenizer fills up before the shift, which takes one away again.
    if let length, tokens.count < length {
      trained += [Bool](repeating: false, count: length - tokens.count)
      tokens += [Int32](repeating: filler, count: length - tokens.count)
    }
    var row = PaddedRow(
      tokens: Array(tokens.dropLast()),
      labels: zip(tokens, trained).dropFirst().map { $1 ? $0 : -100 },
      mask: Array(trained.dropFirst()))
    if let length, row.tokens.count < length {
      let room = length - row.tokens.count
      row.tokens += [Int32](repeating: last, count: room)
      row.labels += [Int32](repeating: -100, count: room)
      row.mask += [Bool](repeating: false, count: room)
    }
    return row
  }

  /// The rows that GPTSFTDataset's `collate_fn` makes of a batch.
  ///
  /// - Parameters:
  ///   - multiple: what the common length is a multiple of (`pad_seq_length_to_mult`).
  ///   - limit: the longest a row may be (`max_seq_length`).
  ///   - isFull: whether every row has that length (`pad_to_max_length`).
  public static func bridgeRows(
    _ samples: [Sample], filler: Int32, multiple: Int = 16, limit: Int, isFull: Bool = false
  ) -> [PaddedRow] {
    precondition(multiple > 0)
    let longest = samples.map { $0.count - 1 }.max() ?? 0
    let length = isFull ? limit : min(limit, (longest + multiple - 1) / multiple * multiple)
    return samples.map { sample in
      let room = max(0, length - (sample.count - 1))
      return PaddedRow(
        tokens: sample.tokens.dropLast() + [Int32](repeating: filler, count: room),
        labels: sample.tokens.dropFirst() + [Int32](repeating: filler, count: room),
        mask: sample.trained.dropFirst() + [Bool](repeating: false, count: room))
    }
  }
}
