import Synchronization
import Tensors

/// What one adapter adds to one matrix, in the orientation the matrix is stored in.
///
/// weight · scale · left · right; or, with lengths, weight · (m · V / ‖V‖ - W), V = W + scale · left · right
/// (DoRA, arXiv 2402.09353), where the lengths are of rows, or of columns if the outputs are columns.
public struct LowRankTerm: Sendable {
  /// [rows, rank].
  public let left: StoredMatrix
  /// [rank, columns].
  public let right: StoredMatrix
  public let scale: Float
  /// How much of the adapter is taken.
  public let weight: Float
  /// The learned length of each output.
  public let lengths: StoredMatrix?
  /// Whether the outputs are the columns.
  public let outputsAreColumns: Bool

  public init(
    left: StoredMatrix, right: StoredMatrix, scale: Float, weight: Float = 1,
    lengths: StoredMatrix? = nil, outputsAreColumns: Bool = false
  ) {
    precondition(left.columns == right.rows)
    self.left = left
    self.right = right
    self.scale = scale
    self.weight = weight
    self.lengths = lengths
    self.outputsAreColumns = outputsAreColumns
  }
}

/// The largest change of any number of a tensor, gathered by all who compute parts of it.
public final class ChangeMeter: Sendable {
  private let bits = Atomic<UInt32>(0)

  public init() {}

  /// The largest change so far; infinite where a number became none.
  public var largest: Float { Float(bitPattern: bits.load(ordering: .relaxed)) }

  func note(_ change: Float) {
    // Numbers that are not negative are ordered as their bits are.
    let value = (change.isNaN ? Float.infinity : change.magnitude).bitPattern
    _ = bits.max(value, ordering: .relaxed)
  }
}
