import Tensors

/// A small matrix where it lies, read as float32 when it is needed.
public struct StoredMatrix: Sendable {
  public let runs: ByteRuns
  public let dtype: DType
  /// The rows and columns it is used with.
  public let rows: Int
  public let columns: Int
  /// Whether it lies [columns, rows].
  public let isTransposed: Bool

  /// - Parameter runs: its elements, row-major.
  public init(
    _ runs: ByteRuns, dtype: DType, rows: Int, columns: Int, isTransposed: Bool = false
  ) {
    precondition(dtype.isFloat && runs.byteCount == rows * columns * dtype.byteWidth)
    self.runs = runs
    self.dtype = dtype
    self.rows = rows
    self.columns = columns
    self.isTransposed = isTransposed
  }

  /// Its numbers, row by row.
  ///
  /// - Throws: `FileError` if they cannot be read.
  public func values() throws(FileError) -> [Float] {
    let stored = try runs.floats(dtype: dtype)
    guard isTransposed, rows > 1, columns > 1 else { return stored }
    var turned = [Float](repeating: 0, count: stored.count)
    for column in 0..<columns {
      for row in 0..<rows { turned[row * columns + column] = stored[column * rows + row] }
    }
    return turned
  }
}
