import CKernels
import Synchronization

/// Products of matrices, spread over the team.
public enum Product {
  /// The library that computes them.
  public enum Library: String, Sendable, CaseIterable {
    case oneDNN = "onednn"
    case openBLAS = "openblas"
  }

  private static let chosen = Mutex(Library.oneDNN)

  /// The library for all products from now on.
  public static var library: Library {
    get { chosen.withLock { $0 } }
    set { chosen.withLock { $0 = newValue } }
  }

  /// target = left · right, or the target plus that.
  ///
  /// - Parameters:
  ///   - left: [rows, inner], or [inner, rows] if transposed.
  ///   - right: [inner, columns], or [columns, inner] if transposed; of left's type.
  ///   - target: [rows, columns]; may be float32 where the others are bfloat16.
  public static func multiply(
    _ left: Matrix, leftTransposed leftTurns: Bool = false, by right: Matrix,
    rightTransposed rightTurns: Bool = false, into target: Matrix, accumulates: Bool = false
  ) {
    let inner = leftTurns ? left.rows : left.columns
    precondition(inner == (rightTurns ? right.columns : right.rows))
    precondition(target.rows == (leftTurns ? left.columns : left.rows))
    precondition(target.columns == (rightTurns ? right.rows : right.columns))
    precondition(left.numbers == right.numbers)
    let library = library == .oneDNN ? PRODUCT_ONEDNN : PRODUCT_OPENBLAS
    let done = matrix_product(
      library, operand(left, leftTurns), operand(right, rightTurns), target.start, target.stride,
      target.numbers.kernel, target.rows, inner, target.columns, accumulates)
    precondition(done, "no memory for a product of matrices")
  }

  private static func operand(_ matrix: Matrix, _ turns: Bool) -> operand {
    let stride = max(matrix.stride, matrix.columns)
    return CKernels.operand(
      start: matrix.start, row: turns ? 1 : stride, column: turns ? stride : 1,
      type: matrix.numbers.kernel)
  }
}
