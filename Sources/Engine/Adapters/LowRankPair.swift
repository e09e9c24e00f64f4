import Kernels

/// One pair of an adapter: W + scale · B · A on some rows of a parameter's matrix, or of each of a bank's.
///
/// B's rows stand in the packed order of the rows they change, not in a file's.
public final class LowRankPair {
  /// A, [rank, inputs]; where the experts of a bank have their own, one below the other.
  public let inputs: LearnedMatrix
  /// B, [rows, rank]; where the experts of a bank have their own, one below the other.
  public let outputs: LearnedMatrix
  /// The length of each changed row of weights (DoRA), [1, rows], [1, experts · rows] of a bank:
  /// W' = m · V / ‖V‖ with V = W + scale · B · A.
  public let magnitude: LearnedMatrix?
  public let place: AdapterPlace
  /// The packed rows of a matrix that it changes, and where in B theirs begin.
  package let spans: [Span]
  public let scale: Double
  public let rank: Int

  /// Consecutive packed rows of a matrix, and the first of B's rows that belong to them.
  package struct Span: Hashable, Sendable {
    package var packed: Range<Int>
    package var first: Int
  }

  init(
    _ place: AdapterPlace, _ spans: [Span], scale: Double, inputs: LearnedMatrix,
    outputs: LearnedMatrix, magnitude: LearnedMatrix?
  ) {
    self.place = place
    self.spans = spans
    self.scale = scale
    self.inputs = inputs
    self.outputs = outputs
    self.magnitude = magnitude
    rank = outputs.value.columns
  }

  /// How many rows B has for one matrix.
  public var height: Int { Span.height(spans) }

  var learned: [LearnedMatrix] { [inputs, outputs] + (magnitude.map { [$0] } ?? []) }
  var isTrained: Bool { learned.contains(where: \.isTrained) }

  /// The rows of A, and of B, that belong to one matrix of a bank, or to all.
  public func inputRows(_ expert: Int) -> Range<Int> {
    let first = inputs.value.rows > rank ? expert * rank : 0
    return first..<first + rank
  }

  public func outputRows(_ expert: Int) -> Range<Int> {
    let first = outputs.value.rows > height ? expert * height : 0
    return first..<first + height
  }

  /// Where in the row of magnitudes those of one matrix stand: each has its own.
  public func magnitudes(_ expert: Int) -> Range<Int> { expert * height..<(expert + 1) * height }
}
