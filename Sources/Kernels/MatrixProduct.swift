import COpenBLAS

/// Products of float32 matrices, by OpenBLAS.
///
/// One thread each: whoever computes has a thread of his own for every core already, and two teams of
/// threads would fight.
enum MatrixProduct {
  private static let isSingle: Bool = {
    openblas_set_num_threads(1)
    return true
  }()

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
    guard isSingle, rows > 0, columns > 0, inner > 0 else { return }
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(rows), Int32(columns), Int32(inner), factor,
      left, Int32(leftRow), right, Int32(rightRow), 1, sum, Int32(sumRow))
  }
}
