/// Packs of one batch side by side, filled up to one length, as Megatron-Bridge hands them to a model.
///
/// Source: `GPTSFTPackedDataset.collate_fn` in megatron/bridge/data/datasets/sft.py.
public struct PackedBatch: Sendable, Equatable {
  /// One row a pack.
  public var inputs: [[Int32]]
  public var labels: [[Int32]]
  public var counted: [[Bool]]
  /// Positions begin anew with every sequence.
  public var positions: [[Int32]]
  /// Inputs of each pack before it was filled up.
  public var counts: [Int]
  /// Where sequences end (`cu_seqlens`), filled up with -1.
  public var bounds: [[Int32]]
  /// Which of a row of `bounds` is the first -1 (`cu_seqlens_argmin`).
  public var boundCounts: [Int]
  /// As `bounds`, without what fills up single sequences; only where those are filled up.
  public var unpaddedBounds: [[Int32]]?
  public var unpaddedBoundCounts: [Int]?
  /// The longest sequence of each pack.
  public var longest: [Int]

  public struct Options: Sendable, Equatable {
    /// The most inputs of a row.
    public var length: Int
    /// What ends a text; rows are filled up with it, and no input that is it counts.
    public var end: Int32
    /// Whether rows are as long as allowed, else as the longest, up to a multiple.
    public var padsToLength = false
    public var multiple = 16
    /// Whether only what the files say counts, else everything.
    public var countsAnswersOnly = true
    /// What each sequence was filled up to a multiple of; above 1 `unpaddedBounds` is made.
    public var sequenceMultiple = 1
    /// Where given, `bounds` are filled up to the most sequences of any pack.
    public var metadata: [PackingMetadata]?

    public init(length: Int, end: Int32) {
      self.length = length
      self.end = end
    }
  }

  /// - Throws: `PackingError.doesNotFit` for a pack that is longer than allowed.
  public init(_ packs: [PackedSequence], _ options: Options) throws(PackingError) {
    var rows = packs.map { Row($0, options) }
    let longestRow = rows.map(\.inputs.count).max() ?? 0
    let multiple = max(1, options.multiple)
    let rounded = (longestRow + multiple - 1) / multiple * multiple
    let length = options.padsToLength ? options.length : min(options.length, rounded)
    for (index, row) in rows.enumerated() where row.inputs.count > length {
      throw .doesNotFit(pack: index, tokens: row.inputs.count, limit: length)
    }
    counts = rows.map(\.inputs.count)
    for index in rows.indices { rows[index].close(at: length, options) }
    inputs = rows.map { Self.filled($0.inputs, length, options.end) }
    labels = rows.map { Self.filled($0.labels, length, options.end) }
    positions = rows.map { Self.filled($0.positions, length, 0) }
    counted = rows.map { Self.filled($0.counted, length, false) }
    for (row, inputs) in inputs.enumerated() {
      for (index, input) in inputs.enumerated() where input == options.end {
        counted[row][index] = false
      }
    }
    (bounds, boundCounts) = Self.collated(rows.map(\.bounds))
    let unpadded = options.sequenceMultiple > 1 ? Self.collated(rows.map(\.unpadded)) : nil
    unpaddedBounds = unpadded?.0
    unpaddedBoundCounts = unpadded?.1
    if let metadata = options.metadata {
      let gap = length - (metadata.map(\.emptiest).min() ?? 0)
      let most = max(metadata.map(\.longest).max() ?? 0, gap)
      longest = rows.map { _ in most }
    } else {
      longest = bounds.map { row in
        zip(row, row.dropFirst()).map { Int($1 - $0) }.max() ?? 0
      }
    }
  }

  private static func filled<Element>(
    _ row: [Element], _ length: Int, _ filler: Element
  ) -> [Element] {
    row + Array(repeating: filler, count: max(0, length - row.count))
  }

  /// Rows of bounds with at least one -1 at the end of each.
  private static func collated(_ rows: [[Int32]]) -> ([[Int32]], [Int]) {
    let length = (rows.map(\.count).max() ?? 0) + 1
    return (rows.map { filled($0, length, -1) }, rows.map(\.count))
  }

  /// One pack, without the last token of each sequence.
  private struct Row {
    var inputs: [Int32] = []
    var labels: [Int32] = []
    var counted: [Bool] = []
    var positions: [Int32] = []
    var bounds: [Int32] = [0]
    var unpadded: [Int32] = [0]

    init(_ pack: PackedSequence, _ options: Options) {
      for range in pack.ranges where !range.isEmpty {
        let sequence = pack.tokens[range]
        let kept = range.dropLast()
        inputs += sequence.dropLast()
        labels += sequence.dropFirst()
        counted +=
          options.countsAnswersOnly
          ? Array(pack.counted[kept]) : pack.tokens[kept].map { $0 != options.end }
        positions += Array(0..<Int32(truncatingIfNeeded: kept.count))
        bounds.append(Int32(truncatingIfNeeded: inputs.count))
        let real = sequence.dropLast().lastIndex { $0 != options.end }
        unpadded.append(
          unpadded[unpadded.count - 1]
            + Int32(truncatingIfNeeded: real.map { $0 - range.lowerBound + 1 } ?? 0))
      }
    }

    /// Ends the bounds at the length of the row.
    mutating func close(at length: Int, _ options: Options) {
      if inputs.count != length { bounds.append(Int32(truncatingIfNeeded: length)) }
      if bounds.count > unpadded.count { unpadded.append(unpadded[unpadded.count - 1]) }
      guard let metadata = options.metadata else { return }
      let most = (metadata.map(\.mostSamples).max() ?? 0) + 2
      bounds += Array(
        repeating: Int32(truncatingIfNeeded: length), count: max(0, most - bounds.count))
    }
  }
}
