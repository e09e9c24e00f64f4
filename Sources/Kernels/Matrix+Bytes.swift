import CKernels
import Tensors

/// Matrices as bytes that files are made of, and the way back.
extension Matrix {
  /// The numbers where they lie, row by row.
  ///
  /// Nobody writes them while the runs are in use.
  public var bytes: ByteRuns {
    precondition(isDense)
    let rowBytes = columns * numbers.byteWidth
    return ByteRuns(
      memory: start, byteCount: count * numbers.byteWidth, rowBytes: rowBytes, of: memory)
  }
}

/// The float32 numbers that bfloat16 ones and what they lack are together, made as they are read.
private final class JoinedBytes: ComputedBytes {
  private let upper: Matrix
  private let remainder: Matrix

  var byteCount: Int { upper.count * 4 }
  var rowBytes: Int { upper.columns * 4 }

  init(_ upper: Matrix, _ remainder: Matrix) {
    self.upper = upper
    self.remainder = remainder
  }

  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) {
    precondition(columns.lowerBound % 4 == 0 && columns.count % 4 == 0)
    let first = columns.lowerBound / 4
    for index in 0..<rows.count {
      guard let place = target.baseAddress else { return }
      join_remainders(
        upper.address(rows[index], first).assumingMemoryBound(to: UInt16.self),
        remainder.address(rows[index], first).assumingMemoryBound(to: Int16.self),
        (place + index * columns.count).assumingMemoryBound(to: Float.self), columns.count / 4)
    }
  }
}

extension ByteRuns {
  /// float32 numbers of which bfloat16 holds the nearest, and a matrix of 16-bit numbers what that lacks.
  package init(joining upper: Matrix, _ remainder: Matrix) {
    precondition(
      upper.numbers == .bfloat16 && upper.count == remainder.count && upper.isDense
        && remainder.isDense)
    self.init(computed: JoinedBytes(upper, remainder))
  }
}
