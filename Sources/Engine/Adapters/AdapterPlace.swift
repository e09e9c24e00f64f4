import Blueprint
import Kernels

/// Which rows of which parameter a low-rank pair changes.
public struct AdapterPlace: Hashable, Sendable {
  public enum Rows: Hashable, Sendable {
    /// All that stand for a tensor, as Megatron's fused adapters.
    case all
    /// Those of one of the slot's tensors, as PEFT's; in a bank that is stored expert by expert, those
    /// of one of each expert's tensors.
    case part(Int)
    /// These packed rows of each matrix, in order.
    case packed([Range<Int>])
  }

  /// The parameter's name.
  public var parameter: String
  public var rows: Rows
  /// Whether the experts of a bank have one A together, one B.
  public var sharesInputs = false
  public var sharesOutputs = false

  public init(
    _ parameter: String, _ rows: Rows = .all, sharesInputs: Bool = false,
    sharesOutputs: Bool = false
  ) {
    self.parameter = parameter
    self.rows = rows
    self.sharesInputs = sharesInputs
    self.sharesOutputs = sharesOutputs
  }
}

/// A low-rank pair that is to be attached.
public struct PlannedPair: Sendable {
  public var place: AdapterPlace
  public var rank: Int
  /// On B · A: alpha / rank, or what a format makes of them.
  public var scale: Double
  /// Whether the lengths of the changed rows are learned too (DoRA).
  public var hasMagnitude: Bool
  public var start: Start

  public enum Start: Sendable {
    /// A random and B zeros.
    case fresh(FreshInputs)
    /// As given, in the shapes of `LowRankPair`; without magnitudes they are the lengths of V's rows.
    case given(inputs: Matrix, outputs: Matrix, magnitude: Matrix?)
  }

  /// How a fresh A is drawn.
  public enum FreshInputs: Hashable, Sendable {
    /// Evenly between ±1 / √inputs: PEFT's own, and Megatron-Bridge's `kaiming`.
    case kaiming
    /// Normally, with √(2 / (inputs + rank)): Megatron-Bridge's `xavier`.
    case xavier
    /// Normally, with 0.2: Megatron-Bridge's `normal`.
    case normal
  }

  public init(
    _ place: AdapterPlace, rank: Int, scale: Double, hasMagnitude: Bool = false,
    start: Start = .fresh(.kaiming)
  ) {
    self.place = place
    self.rank = rank
    self.scale = scale
    self.hasMagnitude = hasMagnitude
    self.start = start
  }
}

extension PlannedPair.FreshInputs {
  func spread(inputs: Int, rank: Int) -> RandomStream.Spread {
    switch self {
    case .kaiming:
      let bound = 1 / Double(inputs).squareRoot()
      return .uniform(from: -bound, to: bound)
    case .xavier: return .normal(deviation: (2 / Double(inputs + rank)).squareRoot())
    case .normal: return .normal(deviation: 0.2)
    }
  }
}

extension Slot {
  /// Whether adapters can be put on it: whether the engine multiplies by it.
  public var takesAdapters: Bool {
    switch role {
    case .wordEmbeddings, .positionEmbeddings, .layerInput(.table), .outputLayer: false
    default: isMatrix
    }
  }

  /// The matrices that stand one below the other: of an expert bank its experts'.
  public var matrices: Int { split.isExpert ? shape[0] : 1 }

  /// How many tensors each matrix is made of.
  public var partsOfMatrix: Int {
    parts.count.isMultiple(of: matrices) ? parts.count / matrices : parts.count
  }

  /// For each row of B the packed row of a matrix that it changes, of copies the first; `nil` where the
  /// slot has no such rows.
  public func packedRows(_ rows: AdapterPlace.Rows) -> [Int]? {
    guard let spans = spans(rows) else { return nil }
    var result = [Int](repeating: -1, count: LowRankPair.Span.height(spans))
    for span in spans {
      for (offset, row) in span.packed.enumerated() where result[span.first + offset] < 0 {
        result[span.first + offset] = row
      }
    }
    return result
  }

  /// The packed rows of each matrix that belong to a place, each with its row of B: copies of rows
  /// share theirs, and rows that stand for no tensor have none.
  ///
  /// - Returns: `nil` where the slot has no such rows.
  func spans(_ rows: AdapterPlace.Rows) -> [LowRankPair.Span]? {
    let height = shape.count / max(1, rowWidth) / matrices
    if case .packed(let ranges) = rows {
      var first = 0
      let spans = ranges.map { range in
        defer { first += range.count }
        return LowRankPair.Span(packed: range, first: first)
      }
      let isInside = ranges.allSatisfy {
        !$0.isEmpty && $0.lowerBound >= 0 && $0.upperBound <= height
      }
      return isInside && !spans.isEmpty ? spans : nil
    }
    var found: [LowRankPair.Span] = []
    var owners: [Segment: Int] = [:]
    var (start, next) = (0, 0)
    let segments = layout.allSegments
    for segment in segments where start < height {
      let packed = start..<min(height, start + segment.count)
      start += segment.count
      if case .part(let part) = rows, segment.part != part { continue }
      var source = segment
      source.use = .own
      switch segment.use {
      case .zeros: continue
      case .copy:
        guard let first = owners[source] else { return nil }
        found.append(.init(packed: packed, first: first))
      case .own:
        owners[source] = next
        found.append(.init(packed: packed, first: next))
        next += packed.count
      }
    }
    return found.isEmpty ? nil : LowRankPair.Span.joined(found)
  }
}

extension LowRankPair.Span {
  /// How many rows B has.
  static func height(_ spans: [LowRankPair.Span]) -> Int {
    spans.reduce(0) { max($0, $1.first + $1.packed.count) }
  }

  /// The same with neighbours in one.
  static func joined(_ spans: [LowRankPair.Span]) -> [LowRankPair.Span] {
    var result: [LowRankPair.Span] = []
    for span in spans {
      if let last = result.last, last.packed.upperBound == span.packed.lowerBound,
        last.first + last.packed.count == span.first
      {
        result[result.count - 1].packed = last.packed.lowerBound..<span.packed.upperBound
      } else {
        result.append(span)
      }
    }
    return result
  }
}

extension Layout {
  /// Where the packed rows come from; none where no tensor holds them.
  var allSegments: [Segment] {
    switch self {
    case .rows(let segments), .transposed(let segments, _): segments
    case .filled: []
    }
  }
}
