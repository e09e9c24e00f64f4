import Foundation
import Kernels
import Support
import Tensors
import Testing

/// Expected values are those of the defining formula, summed in double.
struct MergedBytesTests {
  /// A file with float32 numbers from a fixed sequence, and the numbers.
  private func matrix(_ count: Int, seed: UInt64) throws -> (ByteRuns, [Float]) {
    var state = seed
    let values = (0..<count).map { _ -> Float in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int64(bitPattern: state) >> 40) / Float(1 << 23)
    }
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try values.withUnsafeBytes { Data($0) }.write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let input = try InputFile(file.path)
    return (ByteRuns(ByteRun(file: input, offset: 0, length: count * 4)), values)
  }

  /// Sizes beyond one tile, and no multiples of it.
  @Test(arguments: [(300, 700, 5), (3, 5, 1), (128, 512, 32)])
  func theSumOfBaseAndProductIsRounded(_ rows: Int, _ columns: Int, _ rank: Int) throws {
    let (base, w) = try matrix(2 * rows * columns, seed: 1)
    let (left, b) = try matrix(rows * rank, seed: 2)
    let (right, a) = try matrix(rank * columns, seed: 3)
    let meter = ChangeMeter()
    let term = LowRankTerm(
      left: StoredMatrix(left, dtype: .float32, rows: rows, columns: rank),
      right: StoredMatrix(right, dtype: .float32, rows: rank, columns: columns), scale: 2,
      weight: 0.25)
    // The second of two matrices.
    let merged = try base.merged(
      dtype: .float32, height: rows, width: columns, terms: [1: [term]], meter: meter
    ).floats(dtype: .float32)
    #expect(Array(merged.prefix(rows * columns)) == Array(w.prefix(rows * columns)))
    var largest = 0.0
    for row in 0..<rows {
      for column in 0..<columns {
        var product = 0.0
        for index in 0..<rank {
          product += Double(b[row * rank + index]) * Double(a[index * columns + column])
        }
        largest = max(largest, abs(product / 2))
        let place = rows * columns + row * columns + column
        #expect(abs(Double(merged[place]) - Double(w[place]) - product / 2) < 1e-5)
      }
    }
    #expect(abs(Double(meter.largest) - largest) < 1e-5)
  }

  @Test(arguments: [false, true])
  func outputsGetTheirLearnedLength(_ outputsAreColumns: Bool) throws {
    let (rows, columns, rank) = (150, 530, 4)
    let outputs = outputsAreColumns ? columns : rows
    let (base, _) = try matrix(rows * columns, seed: 4)
    let (left, _) = try matrix(rows * rank, seed: 5)
    let (right, _) = try matrix(rank * columns, seed: 6)
    let (lengths, m) = try matrix(outputs, seed: 7)
    let term = LowRankTerm(
      left: StoredMatrix(left, dtype: .float32, rows: rows, columns: rank),
      right: StoredMatrix(right, dtype: .float32, rows: rank, columns: columns), scale: 1,
      lengths: StoredMatrix(lengths, dtype: .float32, rows: 1, columns: outputs),
      outputsAreColumns: outputsAreColumns)
    let merged = try base.merged(
      dtype: .float32, height: rows, width: columns, terms: [0: [term]], meter: ChangeMeter()
    ).floats(dtype: .float32)
    for output in 0..<outputs {
      let square = (0..<(outputsAreColumns ? rows : columns)).reduce(0.0) { sum, index in
        let place = outputsAreColumns ? index * columns + output : output * columns + index
        return sum + Double(merged[place]) * Double(merged[place])
      }
      #expect(abs(square.squareRoot() - Double(abs(m[output]))) < 1e-4)
    }
  }
}
