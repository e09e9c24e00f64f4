/// How Hugging Face tensors (parts) fuse into one packed tensor, as data.
///
/// A row is everything behind the packed tensor's row axes: a line of a matrix, one element of a
/// vector. Every fused layout of the field is an ordered list of row segments; from the one list come
/// packing, unpacking, the rows of a rank and the rows an adapter owns.
public enum Layout: Hashable, Sendable {
  /// The packed rows in order. Together the segments take every row of every part exactly once, but
  /// for copies and zeros.
  case rows([Segment])
  /// As `rows`, but parts hold their matrices transposed: each is a stack of `stack` matrices
  /// [columns, rows], whose rows are numbered on from matrix to matrix.
  case transposed([Segment], stack: Int)
  /// No parts: every element has this value (a norm without weights, a bias of zeros). Megatron has
  /// the tensor and Hugging Face has not, so an import writes it and an export leaves it out.
  case filled(Double)

  /// The parts one after the other.
  public static func concatenated(_ rows: [Int]) -> Layout {
    .rows(rows.enumerated().map { Segment(part: $0.offset, first: 0, count: $0.element) })
  }

  /// The parts one after the other, each stored [columns, rows] (GPT-2's Conv1D).
  public static func conv1D(_ rows: Int...) -> Layout { concatenated(rows).transposed() }

  /// The same rows out of parts that hold their matrices transposed.
  ///
  /// - Parameter stack: how many matrices each part holds.
  public func transposed(stack: Int = 1) -> Layout {
    switch self {
    case .rows(let segments), .transposed(let segments, _): .transposed(segments, stack: stack)
    case .filled: self
    }
  }
}

/// Consecutive packed rows that come from one part at a fixed stride.
public struct Segment: Hashable, Sendable {
  /// What an export makes of the rows.
  public enum Use: Hashable, Sendable {
    /// They are the part's.
    case own
    /// Another segment has them too; Megatron holds them twice, and an export takes the other's.
    case copy
    /// No part has them: zeros that only Megatron holds.
    case zeros
  }

  public var part: Int
  public var first: Int
  public var count: Int
  public var stride: Int
  public var use: Use

  public init(part: Int, first: Int, count: Int, stride: Int = 1, use: Use = .own) {
    self.part = part
    self.first = first
    self.count = count
    self.stride = stride
    self.use = use
  }

  /// Rows of zeros.
  public static func zeros(_ count: Int) -> Segment {
    Segment(part: 0, first: 0, count: count, use: .zeros)
  }
}

extension Layout {
  /// Attention's separate projections, interleaved by group: its query heads, its key, its value.
  ///
  /// Parts: queries [heads · headSize], keys and values [groups · headSize]. Source: TRANSFORMS.md §1.
  public static func grouped(heads: Int, groups: Int, headSize: Int) -> Layout {
    let queries = heads / groups * headSize
    return .rows(
      (0..<groups).flatMap { group in
        [
          Segment(part: 0, first: group * queries, count: queries),
          Segment(part: 1, first: group * headSize, count: headSize),
          Segment(part: 2, first: group * headSize, count: headSize),
        ]
      })
  }

  /// As `grouped`, where values are what the key projection gives: the key's rows stand twice.
  public static func groupedWithKeysTwice(heads: Int, groups: Int, headSize: Int) -> Layout {
    let queries = heads / groups * headSize
    return .rows(
      (0..<groups).flatMap { group in
        [
          Segment(part: 0, first: group * queries, count: queries),
          Segment(part: 1, first: group * headSize, count: headSize),
          Segment(part: 1, first: group * headSize, count: headSize, use: .copy),
        ]
      })
  }

  /// As `grouped`, with zeros where a layer without keys and values of its own has none.
  public static func groupedQueries(heads: Int, groups: Int, headSize: Int) -> Layout {
    let queries = heads / groups * headSize
    return .rows(
      (0..<groups).flatMap { group in
        [Segment(part: 0, first: group * queries, count: queries), .zeros(2 * headSize)]
      })
  }

  /// As `grouped`, where the queries' part holds for each head its rows and then its gate's.
  ///
  /// A packed group is its queries, the gates of those queries, its key, its value (TRANSFORMS.md §1.2).
  public static func groupedWithGate(heads: Int, groups: Int, headSize: Int) -> Layout {
    let perGroup = heads / groups
    var segments: [Segment] = []
    for group in 0..<groups {
      for half in 0..<2 {
        for head in group * perGroup..<(group + 1) * perGroup {
          segments.append(Segment(part: 0, first: (2 * head + half) * headSize, count: headSize))
        }
      }
      for part in 1...2 {
        segments.append(Segment(part: part, first: group * headSize, count: headSize))
      }
    }
    return .rows(segments)
  }

  /// Parts' rows that alternate, gate, up, gate, up …, into all gates and then all ups.
  ///
  /// - Parameters:
  ///   - inner: the rows of each half.
  ///   - matrices: how many such matrices stand one after the other in the part.
  public static func alternating(inner: Int, matrices: Int = 1) -> Layout {
    .rows(
      (0..<matrices).flatMap { matrix in
        [0, 1].map { half in
          Segment(part: 0, first: 2 * inner * matrix + half, count: inner, stride: 2)
        }
      })
  }

  /// Blocks of `plain` rows that stay and `turning` rows that are two halves in the part and pairs of
  /// neighbours when packed, one of each half.
  public static func interleavingHalves(blocks: Int, plain: Int, turning: Int) -> Layout {
    .rows(
      (0..<blocks).flatMap { block in
        let first = block * (plain + turning)
        let halves = (0..<turning).map { row in
          Segment(part: 0, first: first + plain + row / 2 + row % 2 * (turning / 2), count: 1)
        }
        return [Segment(part: 0, first: first, count: plain)] + halves
      })
  }

  /// One part [all queries; all keys; all values] into the grouped order.
  public static func groupedFromStacked(heads: Int, groups: Int, headSize: Int) -> Layout {
    guard case .rows(let segments) = grouped(heads: heads, groups: groups, headSize: headSize)
    else { return .rows([]) }
    let start = [0, heads * headSize, (heads + groups) * headSize]
    return .rows(
      segments.map { Segment(part: 0, first: start[$0.part] + $0.first, count: $0.count) })
  }
}
