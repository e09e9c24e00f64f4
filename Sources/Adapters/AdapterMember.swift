import Blueprint

/// One pair of matrices of a layer's adapter: the layer's whole one, or that of one of its parts.
package enum AdapterMember: String, CaseIterable, Sendable {
  case whole = ""
  case query = "adapter_q"
  case key = "adapter_k"
  case value = "adapter_v"
  case gate = "adapter_gate"
  case up = "adapter_up"

  /// What stands before the names of its tensors, behind `.adapter.`.
  package var prefix: String { self == .whole ? "" : rawValue + "." }

  /// Whether a name behind `.adapter.` is that of one of its tensors.
  func owns(_ name: String) -> Bool {
    self == .whole ? !name.hasPrefix("adapter_") : name.hasPrefix(prefix)
  }

  /// The settings' word for it among the targets of training.
  package var target: String? {
    switch self {
    case .whole: nil
    case .query: "linear_q"
    case .key: "linear_k"
    case .value: "linear_v"
    case .gate: "linear_fc1_gate"
    case .up: "linear_fc1_up"
    }
  }

  /// Why a layer has no such part.
  package struct Fault: Error {
    package var reason: String
  }

  /// The packed rows it has the outputs for, in its own order: those of one matrix of an expert bank.
  package func rows(of slot: Slot, _ attention: Attention?) -> Result<[Range<Int>], Fault> {
    let height = slot.matrixRows
    switch self {
    case .whole: return .success([0..<height])
    case .gate, .up:
      guard slot.fragments.count == 2, slot.fragments[0].rows * 2 == height else {
        return .failure(Fault(reason: "the layer has no gate in this model"))
      }
      return .success([self == .gate ? 0..<height / 2 : height / 2..<height])
    case .query, .key, .value:
      guard let attention, !attention.isGated,
        height == (attention.heads + 2 * attention.groups) * attention.headSize
      else {
        return .failure(
          Fault(reason: "the layer does not hold queries, keys and values alone in this model"))
      }
      let queries = attention.heads / attention.groups * attention.headSize
      let size = attention.headSize
      return .success(
        (0..<attention.groups).map { group in
          let start = group * (queries + 2 * size)
          return switch self {
          case .query: start..<start + queries
          case .key: start + queries..<start + queries + size
          default: start + queries + size..<start + queries + 2 * size
          }
        })
    }
  }
}

/// The attention that each fused projection of a model belongs to.
package struct AttentionTable {
  /// By the name of the projection's first Hugging Face tensor.
  private var layers: [String: Attention] = [:]

  package init(_ blueprint: Blueprint) {
    let blocks = blueprint.blocks + blueprint.predictors.flatMap(\.blocks)
    for block in blocks {
      for case let attention as Attention in block.leaves {
        for slot in attention.slots where slot.role == .queryKeyValue(.weight) {
          if let part = slot.parts.first { layers[block.prefix + part.name] = attention }
        }
      }
    }
  }

  package subscript(slot: Slot) -> Attention? {
    guard case .queryKeyValue = slot.role else { return nil }
    return slot.parts.first.flatMap { layers[$0.name] }
  }
}

extension Slot {
  /// The rows of the matrix, or of each expert's.
  package var matrixRows: Int { split.isExpert ? shape[1] : shape[0] }
}

extension Layout {
  /// Where the packed rows come from; none where no tensor holds them.
  var segments: [Segment] {
    switch self {
    case .rows(let segments), .transposed(let segments, _): segments
    case .filled: []
    }
  }

  /// The same rows out of parts that hold their matrices as they are multiplied.
  var untransposed: Layout {
    if case .transposed(let segments, _) = self { .rows(segments) } else { self }
  }

  /// Whether some of these packed rows stand for others as well.
  func copiesRows(among ranges: [Range<Int>]) -> Bool {
    var start = 0
    return segments.contains { segment in
      defer { start += segment.count }
      return segment.use == .copy
        && ranges.contains { $0.overlaps(start..<start + segment.count) }
    }
  }
}
