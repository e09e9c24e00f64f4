import Checkpoints
import Tensors

/// An adapter and how much of it is taken.
public struct WeightedAdapter: Sendable {
  public var adapter: Adapter
  public var weight: Double

  public init(_ adapter: Adapter, weight: Double = 1) {
    self.adapter = adapter
    self.weight = weight
  }
}

/// What the user may say about a merge.
public struct MergeOptions: Sendable {
  public enum Output: String, Sendable, CaseIterable {
    case huggingFace = "hf"
    case megatron
  }

  public var output = Output.huggingFace
  /// The type of all floating-point tensors; `nil` keeps each tensor's own.
  public var dtype: DType?
  /// Merges factors with NaN and infinity in them.
  public var allowsNonFinite = false
  /// Refuses tensors and configuration keys that are not understood.
  public var isStrict = true

  public init() {}
}

/// Base and adapters → merged model: every file of the result, decided before the first byte is written.
public struct MergePlan: Sendable {
  public let transfer: Transfer
  /// What the user should know.
  public let notes: [String]
  /// What changes; the amounts are there once the transfer has run.
  public let changes: ChangeReport

  /// - Throws: `AdapterError`, `ConversionError`, `MegatronError`, `SafeTensorsError`.
  public init(
    _ adapters: [WeightedAdapter], into base: BaseModel, _ options: MergeOptions
  ) throws {
    throw AdapterError.unsupported(file: base.place, what: "nothing can be merged yet")
  }
}
