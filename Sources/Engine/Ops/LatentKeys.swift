import CKernels
import Kernels

extension Tape {
  /// Keys of latent attention: each plain head with the turned one that all share behind it.
  ///
  /// - Returns: heads side by side.
  func joined(_ plain: Heads, _ shared: Heads) -> Heads {
    let size = plain.headSize + shared.headSize
    let count = plain.count
    let y = node(plain.node.rows, count * size, from: [plain.node, shared.node])
    let type = numbers.kernel
    forward("join keys", y) {
      Team.split(y.rows, grain: Sums.rows(y.columns)) { rows in
        var (left, right) = (plain.place(plain.node.value), shared.place(shared.node.value))
        join_keys(
          type, &left, count, plain.headSize, &right, shared.headSize, y.value.start,
          y.value.stride, rows.lowerBound, rows.count)
      }
    }
    backward("join keys", y) { dy in
      func gradient(_ heads: Heads) -> Matrix {
        heads.node.isTracked
          ? heads.node.gradientSum() : Matrix(dy.rows, heads.node.columns, self.numbers)
      }
      let (ofPlain, ofShared) = (gradient(plain), gradient(shared))
      Team.split(dy.rows, grain: Sums.rows(dy.columns)) { rows in
        var (left, right) = (plain.place(ofPlain), shared.place(ofShared))
        join_keys_backward(
          type, dy.start, dy.stride, &left, count, plain.headSize, &right, shared.headSize,
          rows.lowerBound, rows.count)
      }
    }
    return Heads(y, count: count, headSize: size)
  }
}
