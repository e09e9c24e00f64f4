import CKernels
import Kernels
import Testing

/// Expected values are plain loops over whole numbers in double.
///
/// The numbers are small and whole, so that every sum is exact in float32 however it is ordered: what
/// comes out must be equal, not near.
@Suite(.serialized)
struct ProductTests {
  struct Shape: Sendable, CustomStringConvertible {
    var rows: Int
    var inner: Int
    var columns: Int
    var description: String { "\(rows) × \(inner) × \(columns)" }
  }

  /// One row, a few rows with ends of every length, more; sums long enough to be cut into pieces;
  /// matrices larger than a block on processors without bfloat16.
  static let shapes = [
    Shape(rows: 1, inner: 1, columns: 1), Shape(rows: 1, inner: 7, columns: 33),
    Shape(rows: 1, inner: 4165, columns: 9), Shape(rows: 2, inner: 65, columns: 70),
    Shape(rows: 3, inner: 130, columns: 31), Shape(rows: 4, inner: 97, columns: 64),
    Shape(rows: 5, inner: 64, columns: 3), Shape(rows: 37, inner: 19, columns: 1),
    Shape(rows: 65, inner: 3100, columns: 2), Shape(rows: 3, inner: 1029, columns: 9),
    Shape(rows: 1030, inner: 5, columns: 3), Shape(rows: 6, inner: 3, columns: 1030),
  ]

  /// A matrix of whole numbers from -3 to 3, in rows longer than it is wide.
  private func matrix(_ rows: Int, _ columns: Int, _ numbers: Numbers, seed: Int) -> Matrix {
    let wide = Matrix(rows + 1, columns + 5, numbers)
    for row in 0..<wide.rows {
      // What lies around is no number, so that reading it is noticed.
      for column in 0..<wide.columns { wide[row, column] = .nan }
    }
    let part = wide.columns(3..<3 + columns).rows(0..<rows)
    var state = UInt64(truncatingIfNeeded: seed)
    for row in 0..<rows {
      for column in 0..<columns {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        part[row, column] = Double(Int(state >> 33) % 7 - 3)
      }
    }
    return part
  }

  private func transposed(_ values: [Double], rows: Int) -> [Double] {
    let columns = values.count / rows
    return (0..<values.count).map { values[$0 % rows * columns + $0 / rows] }
  }

  private func check(
    _ shape: Shape, _ numbers: Numbers, target type: Numbers, leftTurns: Bool, rightTurns: Bool,
    accumulates: Bool
  ) {
    let (rows, inner, columns) = (shape.rows, shape.inner, shape.columns)
    let left = matrix(leftTurns ? inner : rows, leftTurns ? rows : inner, numbers, seed: 1)
    let right = matrix(rightTurns ? columns : inner, rightTurns ? inner : columns, numbers, seed: 2)
    let target = matrix(rows, columns, type, seed: 3)
    let a = leftTurns ? transposed(left.values, rows: inner) : left.values
    let b = rightTurns ? right.values : transposed(right.values, rows: inner)
    var expected = target.values
    for row in 0..<rows {
      for column in 0..<columns {
        var sum = accumulates ? expected[row * columns + column] : 0
        for k in 0..<inner { sum += a[row * inner + k] * b[column * inner + k] }
        expected[row * columns + column] = sum
      }
    }
    Product.multiply(
      left, leftTransposed: leftTurns, by: right, rightTransposed: rightTurns, into: target,
      accumulates: accumulates)
    // The target's type holds sums rounded once.
    let rounded = Matrix(expected, type)
    #expect(
      target.values == rounded.values,
      "\(shape) of \(numbers) into \(type), \(leftTurns) \(rightTurns) \(accumulates)")
  }

  private func checkAll(_ shape: Shape, _ numbers: Numbers) {
    let targets = numbers == .bfloat16 ? [numbers, .float32] : [numbers]
    for target in targets {
      for turns in 0..<4 {
        for accumulates in [false, true] {
          check(
            shape, numbers, target: target, leftTurns: turns & 1 == 1, rightTurns: turns & 2 == 2,
            accumulates: accumulates)
        }
      }
    }
  }

  @Test(arguments: shapes, Product.Library.allCases)
  func everyLibraryComputesEveryProduct(_ shape: Shape, _ library: Product.Library) {
    let before = Product.library
    Product.library = library
    defer { Product.library = before }
    for numbers in Numbers.allCases { checkAll(shape, numbers) }
  }

  @Test(arguments: shapes, Product.Library.allCases)
  func processorsWithoutBFloat16ComputeInFloat32(_ shape: Shape, _ library: Product.Library) {
    let before = Product.library
    Product.library = library
    products_pretend_old(true)
    defer {
      Product.library = before
      products_pretend_old(false)
    }
    checkAll(shape, .bfloat16)
  }

  @Test func aSumOfNothingIsZeroOrWhatWasThere() {
    for numbers in Numbers.allCases {
      let target = Matrix(2, 3, numbers)
      for row in 0..<2 { for column in 0..<3 { target[row, column] = 7 } }
      let (left, right) = (Matrix(2, 0, numbers), Matrix(0, 3, numbers))
      Product.multiply(left, by: right, into: target, accumulates: true)
      #expect(target.values == [Double](repeating: 7, count: 6))
      Product.multiply(left, by: right, into: target)
      #expect(target.values == [Double](repeating: 0, count: 6))
    }
  }

  @Test func productsWithinTheTeamAreTheSame() {
    let left = matrix(40, 70, .bfloat16, seed: 4)
    let right = matrix(50, 70, .bfloat16, seed: 5)
    let together = Matrix(40, 50, .float32)
    Product.multiply(left, by: right, rightTransposed: true, into: together)
    let apart = Matrix(40, 50, .float32)
    Team.forEach(4) { part in
      let rows = part * 10..<part * 10 + 10
      Product.multiply(left.rows(rows), by: right, rightTransposed: true, into: apart.rows(rows))
    }
    #expect(apart.values == together.values)
  }

  /// Sums of many different numbers: float32 has 24 bits, and 4,000 terms may lose some of them.
  @Test(arguments: Product.Library.allCases)
  func sumsAreOfFloat32(_ library: Product.Library) {
    let before = Product.library
    Product.library = library
    defer { Product.library = before }
    let (rows, inner, columns) = (70, 4000, 3)
    let left = Matrix(rows, inner, .bfloat16)
    let right = Matrix(inner, columns, .bfloat16)
    for row in 0..<rows { for k in 0..<inner { left[row, k] = 1 / Double(1 + (row + k) % 97) } }
    for k in 0..<inner { for j in 0..<columns { right[k, j] = 1 / Double(1 + (7 * k + j) % 89) } }
    let target = Matrix(rows, columns, .float32)
    Product.multiply(left, by: right, into: target)
    let (a, b, c) = (left.values, right.values, target.values)
    for row in 0..<rows {
      for j in 0..<columns {
        var sum = 0.0
        for k in 0..<inner { sum += a[row * inner + k] * b[k * columns + j] }
        #expect(abs(c[row * columns + j] / sum - 1) < 1e-5)
      }
    }
  }
}
