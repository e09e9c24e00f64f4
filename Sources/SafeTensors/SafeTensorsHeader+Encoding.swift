import JSON
import Tensors

/// What a new header has to say about one tensor.
public struct TensorPlan: Hashable, Sendable {
  public var name: String
  public var dtype: DType
  public var shape: Shape

  public init(name: String, dtype: DType, shape: Shape) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
  }
}

extension SafeTensorsHeader {
  /// Builds a header as the reference writer does: compact JSON, the metadata first, padded with
  /// spaces so that the data starts at a multiple of eight.
  ///
  /// The tensors' data follow each other in the order given; the reference writer uses
  /// `referenceOrder(_:)`, which keeps every element aligned to its size.
  public static func encoded(
    tensors plans: [TensorPlan], metadata: Metadata = []
  ) throws(HeaderFault) -> SafeTensorsHeader {
    var object = JSONObject()
    if !metadata.isEmpty {
      var texts = JSONObject()
      for (name, value) in metadata {
        guard texts[name] == nil else { throw .nameTaken(name) }
        texts[name] = .string(value)
      }
      object[metadataName] = .object(texts)
    }
    var tensors: [TensorEntry] = []
    tensors.reserveCapacity(plans.count)
    var end = 0
    for plan in plans {
      guard plan.name != metadataName, object[plan.name] == nil else {
        throw .nameTaken(plan.name)
      }
      let size = try checkedSize(plan.name, plan.dtype, plan.shape)
      let (next, overflow) = end.addingReportingOverflow(size)
      if overflow { throw .tooLarge(tensor: plan.name, dtype: plan.dtype, shape: plan.shape) }
      object[plan.name] = .object(
        JSONObject([
          "dtype": .string(plan.dtype.rawValue),
          "shape": .array(plan.shape.dimensions.map(JSON.integer)),
          "data_offsets": .array([.integer(end), .integer(next)]),
        ]))
      tensors.append(
        TensorEntry(name: plan.name, dtype: plan.dtype, shape: plan.shape, range: end..<next))
      end = next
    }
    return SafeTensorsHeader(
      sorted: tensors, namesInHeaderOrder: plans.map(\.name), metadata: metadata,
      rawHeader: try framed(JSON.object(object).serializedBytes(.compact)))
  }

  private static func framed(_ text: [UInt8]) throws(HeaderFault) -> [UInt8] {
    let length = (text.count + 7) / 8 * 8
    guard length <= lengthLimit else { throw .tooLong(length: UInt64(length), limit: lengthLimit) }
    var raw = (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
    raw += text
    raw.append(contentsOf: repeatElement(UInt8(ascii: " "), count: length - text.count))
    return raw
  }

  /// The order in which the reference writer lays tensors out: wide elements first, then by name.
  public static func referenceOrder(_ plans: [TensorPlan]) -> [TensorPlan] {
    plans.sorted { left, right in
      let (leftRank, rightRank) = (ranks[left.dtype, default: 0], ranks[right.dtype, default: 0])
      if leftRank != rightRank { return leftRank > rightRank }
      return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
    }
  }

  private static let ranks = Dictionary(
    uniqueKeysWithValues: DType.allCases.enumerated().map { ($1, $0) })
}
