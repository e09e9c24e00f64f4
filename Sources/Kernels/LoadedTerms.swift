import Synchronization
import Tensors

/// A term's numbers in memory.
struct LoadedTerm: Sendable {
  /// [rows, rank] and [rank, width].
  var left: [Float]
  var right: [Float]
  var rank: Int
  var width: Int
  var scale: Float
  var weight: Float
  /// m / ‖V‖ of each output, where lengths are learned.
  var factors: [Float]?
  var outputsAreColumns: Bool

  /// sum += factor · left · right, on a part of the matrix.
  func add(
    _ factor: Float, _ rows: Range<Int>, _ columns: Range<Int>,
    to sum: UnsafeMutableBufferPointer<Float>
  ) {
    left.withUnsafeBufferPointer { left in
      right.withUnsafeBufferPointer { right in
        guard let left = left.baseAddress, let right = right.baseAddress,
          let sum = sum.baseAddress
        else { return }
        MatrixProduct.add(
          factor, left + rows.lowerBound * rank, rank, right + columns.lowerBound, width,
          to: sum, columns.count, rows: rows.count, inner: rank, columns: columns.count)
      }
    }
  }
}

/// The terms of the matrix at work; those of the one before are let go.
final class LoadedTerms: Sendable {
  private let state = Mutex<(matrix: Int, terms: [LoadedTerm])?>(nil)

  func terms(
    of matrix: Int, load: () throws(FileError) -> [LoadedTerm]
  ) throws(FileError) -> [LoadedTerm] {
    if let found = state.withLock({ $0 }), found.matrix == matrix { return found.terms }
    let terms = try load()
    state.withLock { $0 = (matrix, terms) }
    return terms
  }
}
