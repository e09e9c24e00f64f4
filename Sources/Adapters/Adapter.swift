import Tensors

/// What a fine-tuning changes in a model, by the Hugging Face tensors it changes.
///
/// All formats of adapters are read into this one value, and written out of it. It knows nothing of
/// files' spellings; what belongs together (A, B, their factor) stands together.
public struct Adapter: Sendable {
  /// The format it was read from, and where.
  public var source: String
  /// What it does to each tensor, by the tensor's Hugging Face name.
  public var changes: [String: [Change]] = [:]
  /// What the user should know.
  public var notes: [String] = []

  public init(source: String) { self.source = source }
}

/// What is done to a tensor, or to one matrix of a stack of them.
public struct Change: Sendable {
  public enum Kind: Sendable {
    case lowRank(LowRank)
    /// Added as it is: the bias that belongs to B.
    case addition(Factor, scale: Double)
    /// Put in its place: a module that was trained as a whole.
    case replacement(Factor)
  }

  public var kind: Kind
  /// The matrices it concerns, where the tensor is a stack [count, rows, columns]; `nil` is the tensor.
  public var matrix: Int?

  public init(_ kind: Kind, matrix: Int? = nil) {
    self.kind = kind
    self.matrix = matrix
  }
}

/// W + scale · B · A, perhaps with its outputs scaled to a learned length (DoRA).
public struct LowRank: Sendable {
  /// [rank, inputs].
  public var a: Factor
  /// [outputs, rank].
  public var b: Factor
  /// alpha / rank, or what the format makes of them.
  public var scale: Double
  /// The length of each output's row of weights, W' = m · V / ‖V‖ with V = W + scale · B · A.
  public var magnitude: Factor?
  /// Whether the tensor is stored [inputs, outputs] (GPT-2's Conv1D, an embedding).
  public var isTransposed: Bool

  public init(
    a: Factor, b: Factor, scale: Double, magnitude: Factor? = nil, isTransposed: Bool = false
  ) {
    self.a = a
    self.b = b
    self.scale = scale
    self.magnitude = magnitude
    self.isTransposed = isTransposed
  }

  public var rank: Int { a.shape[0] }
}

/// A small tensor of an adapter that is read when it is needed.
public struct Factor: Sendable {
  /// Its name where it was read from, for messages.
  public var name: String
  public var dtype: DType
  public var shape: Shape
  /// Its elements, row-major.
  public var runs: @Sendable () throws -> ByteRuns

  public init(
    name: String, dtype: DType, shape: Shape, runs: @escaping @Sendable () throws -> ByteRuns
  ) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.runs = runs
  }
}
