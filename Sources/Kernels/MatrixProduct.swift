import CKernels

/// Products of float32 matrices, by OpenBLAS.
///
/// One thread each: whoever computes has a thread of his own for every core already, and two teams of
/// threads would fight.
enum MatrixProduct {
  /// sum += factor · left · right, row-major, with the distance of each one's rows.
  ///
  /// - Parameters:
  ///   - left: [rows, inner].
  ///   - right: [inner, columns].
  static func add(
    _ factor: Float, _ left: UnsafePointer<Float>, _ leftRow: Int, _ right: UnsafePointer<Float>,
    _ rightRow: Int, to sum: UnsafeMutablePointer<Float>, _ sumRow: Int, rows: Int, inner: Int,
    columns: Int
  ) {
    guard rows > 0, columns > 0, inner > 0 else { return }
    single_product(
      factor, left, leftRow, right, rightRow, sum, sumRow, rows, inner, columns)
  }
}
