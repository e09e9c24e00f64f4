import Engine
import Glibc
import Kernels

/// What this machine can do at best, measured beside the work that is held against it.
enum MachinePeak {
  /// Operations in a second of the best of some products of 2048 x 2048 matrices.
  static func products(_ numbers: Numbers) -> Double {
    let size = 2048
    func random(_ name: String) -> Matrix {
      let matrix = Matrix(size, size, numbers)
      RandomStream(seed: 0, name).fill(matrix, .normal(deviation: 1))
      return matrix
    }
    let (left, right) = (random("left"), random("right"))
    let result = Matrix(size, size, numbers)
    let seconds = best(of: 20) {
      Product.multiply(left, by: right, rightTransposed: true, into: result)
    }
    return 2 * Double(size * size * size) / seconds
  }

  /// Bytes in a second that all threads together read from memory, one after the other.
  static func reading() -> Double {
    let numbers = Matrix(1 << 12, 1 << 16, .float32)
    numbers.clear()
    let seconds = best(of: 8) { _ = Sums.areFinite(numbers) }
    return Double(numbers.count * numbers.numbers.byteWidth) / seconds
  }

  private static func best(of count: Int, _ body: () -> Void) -> Double {
    (0..<count).map { _ in seconds(body) }.min() ?? .infinity
  }

  /// How long something takes.
  static func seconds<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) -> Double
  {
    let start = now()
    try body()
    return now() - start
  }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
