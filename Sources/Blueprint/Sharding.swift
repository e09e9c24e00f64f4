import Tensors

/// How many ranks of each kind a Megatron run has.
public struct ParallelSizes: Hashable, Sendable {
  public var tensor: Int
  public var pipeline: Int
  public var expert: Int
  /// Ranks that share one expert's matrices.
  public var expertTensor: Int

  public init(tensor: Int = 1, pipeline: Int = 1, expert: Int = 1, expertTensor: Int = 1) {
    self.tensor = tensor
    self.pipeline = pipeline
    self.expert = expert
    self.expertTensor = expertTensor
  }

  /// The ranks of one pipeline stage: those that share the dense layers, or those of the experts.
  public var perStage: Int { max(tensor, expert * expertTensor) }
}

/// The stretch of a piece that one rank holds, which Megatron writes as one chunk.
public struct Shard: Hashable, Sendable {
  /// The rank within its pipeline stage.
  public var rank: Int
  /// The packed rows of the slot.
  public var rows: Range<Int>
  /// The columns, where ranks share them; `nil` is all.
  public var columns: Range<Int>?
  /// The chunk's place in the key's tensor, and its shape, leading axes included.
  public var offsets: [Int]
  public var sizes: Shape
}

extension MegatronPiece {
  /// The chunks of this piece as the ranks of a run write them.
  ///
  /// Fragments stay apart, each cut by itself (FORMATS.md B.5); every expert is a chunk (B.6).
  /// A size that the ranks cannot share evenly stays whole: loaders cut it again as they need.
  public func shards(_ split: Split, _ sizes: ParallelSizes) -> [Shard] {
    var builder = ShardBuilder(piece: self)
    let height = isBank ? shape[1] : shape.dimensions.first ?? 1
    let ranks = split.isExpert ? sizes.expertTensor : sizes.tensor
    let experts = isBank ? shape[0] : 1
    for expert in 0..<experts {
      let group = experts % sizes.expert == 0 ? expert / (experts / sizes.expert) : 0
      let first = split.isExpert ? group * sizes.expertTensor : 0
      switch split {
      case .replicated, .experts:
        builder.add(expert, 0..<height, nil, rank: first)
      case .columns, .expertColumns:
        let width = shape.dimensions.last ?? 1
        for (rank, range) in Self.cut(0..<width, ranks).enumerated() {
          builder.add(expert, 0..<height, ranks == 1 ? nil : range, rank: first + rank)
        }
      case .rows, .vocabulary, .expertRows:
        var start = 0
        for fragment in fragments.isEmpty ? [height] : fragments.map(\.rows) {
          for (rank, range) in Self.cut(start..<start + fragment, ranks).enumerated() {
            builder.add(expert, range, nil, rank: first + rank)
          }
          start += fragment
        }
      }
    }
    return builder.shards
  }

  private static func cut(_ range: Range<Int>, _ ranks: Int) -> [Range<Int>] {
    guard ranks > 1, range.count % ranks == 0 else { return [range] }
    let size = range.count / ranks
    return (0..<ranks).map {
      range.lowerBound + $0 * size..<range.lowerBound + ($0 + 1) * size
    }
  }
}

/// Turns local rows and columns of a piece into chunks of its key.
private struct ShardBuilder {
  let piece: MegatronPiece
  var shards: [Shard] = []

  mutating func add(_ expert: Int, _ range: Range<Int>, _ columns: Range<Int>?, rank: Int) {
    var offsets = piece.lead.map(\.index)
    var sizes = piece.lead.map { _ in 1 }
    var base = piece.rows.lowerBound
    var inner = piece.shape.dimensions
    if piece.isBank {
      offsets.append(expert)
      sizes.append(1)
      base += expert * inner[1]
      inner.removeFirst()
    }
    if !inner.isEmpty {
      offsets += [range.lowerBound] + inner.dropFirst().map { _ in 0 }
      sizes += [range.count] + inner.dropFirst()
    }
    if let columns {
      offsets[offsets.count - 1] = columns.lowerBound
      sizes[sizes.count - 1] = columns.count
    }
    shards.append(
      Shard(
        rank: rank, rows: base + range.lowerBound..<base + range.upperBound, columns: columns,
        offsets: offsets, sizes: Shape(sizes)))
  }
}

extension Blueprint {
  /// What Megatron-Bridge makes a padded vocabulary a multiple of: 128, halved until it divides the
  /// vocabulary; always 1280 for latent attention, as its provider says (TRANSFORMS.md §5).
  public var vocabularyDivisor: Int {
    if blocks.contains(where: { $0.leaves.contains { $0 is LatentAttention } }) { return 1280 }
    var divisor = 128
    while frame.vocabulary % divisor != 0 { divisor /= 2 }
    return divisor
  }

  /// The vocabulary as Megatron stores it: padded only where so many ranks could not share it evenly.
  public func paddedVocabulary(_ ranks: Int) -> Int {
    guard frame.vocabulary % ranks != 0 else { return frame.vocabulary }
    let unit = vocabularyDivisor * ranks
    return (frame.vocabulary + unit - 1) / unit * unit
  }
}
