import Foundation
import Support
import Tensors
import Testing

/// Runs against the plainest model there is: an array of bytes.
@Suite struct ByteRunsTests {
  /// Runs with the bytes they must stand for.
  private struct Modelled {
    var runs = ByteRuns()
    var bytes: [UInt8] = []
  }

  private struct World {
    var files: [(file: InputFile, bytes: [UInt8])]
    var random: SeededGenerator

    mutating func number(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }

    /// One run, of any kind, of a random file.
    mutating func run() -> Modelled {
      let (file, bytes) = files[number(0...files.count - 1)]
      switch number(0...5) {
      case 0:
        let count = number(0...40)
        return Modelled(runs: ByteRuns(.zeros(count)), bytes: [UInt8](repeating: 0, count: count))
      case 1, 2:
        let offset = number(0...bytes.count - 1)
        let length = number(0...min(90, bytes.count - offset))
        return Modelled(
          runs: ByteRuns(ByteRun(file: file, offset: offset, length: length)),
          bytes: Array(bytes[offset..<offset + length]))
      default:
        // Pieces that touch, leave gaps, or overlap.
        let length = [1, 2, 4, 8, number(1...12)][number(0...4)]
        let stride = number(1...20)
        let count = number(1...9)
        let offset = number(0...bytes.count - (count - 1) * stride - length)
        return Modelled(
          runs: ByteRuns(
            ByteRun(file: file, offset: offset, length: length, count: count, stride: stride)),
          bytes: (0..<count).flatMap { bytes[offset + $0 * stride..<offset + $0 * stride + length] }
        )
      }
    }

    /// Matrices of bytes out of a list, each turned.
    mutating func turned() -> Modelled {
      let item = list(depth: 1)
      let (matrices, height) = (number(1...3), number(1...9))
      let width = item.bytes.count / (matrices * height)
      let size = matrices * height * width
      return Modelled(
        runs: item.runs.slice(0..<size)
          .transposed(matrices: matrices, height: height, elementSize: 1),
        bytes: (0..<size).map { place in
          let (matrix, inside) = place.quotientAndRemainder(dividingBy: height * width)
          let (column, row) = inside.quotientAndRemainder(dividingBy: height)
          return item.bytes[(matrix * height + row) * width + column]
        })
    }

    /// Two runs of rows out of a list, which alternate.
    mutating func alternating() -> Modelled {
      let item = list(depth: 1)
      let rowBytes = number(1...5)
      let half = item.bytes.count / (2 * rowBytes)
      return Modelled(
        runs: item.runs.spread(
          [
            .init(source: 0, first: 0, count: half, stride: 2),
            .init(source: half, first: 1, count: half, stride: 2),
          ], rowBytes: rowBytes),
        bytes: (0..<2 * half).flatMap { row in
          let source = row % 2 * half + row / 2
          return item.bytes[source * rowBytes..<(source + 1) * rowBytes]
        })
    }

    /// A few runs one after the other.
    mutating func list(depth: Int = 0) -> Modelled {
      var result = Modelled()
      for _ in 0..<number(1...6) {
        let kind = depth == 0 ? number(0...5) : 0
        let next = kind == 5 ? turned() : kind == 4 ? alternating() : run()
        result.runs.append(next.runs)
        result.bytes += next.bytes
      }
      return result
    }
  }

  private func world(_ folder: URL, seed: UInt64) throws -> World {
    var random = SeededGenerator(seed)
    let files = try (0..<3).map { _ in
      let bytes = (0..<400).map { _ in UInt8.random(in: 1...255, using: &random) }
      return (file: try inputFile(bytes, in: folder), bytes: bytes)
    }
    return World(files: files, random: random)
  }

  /// The same operation on runs and on bytes.
  private func step(_ item: inout Modelled, _ world: inout World) {
    let size = item.bytes.count
    switch world.number(0...3) {
    case 0:
      let from = world.number(0...size)
      let to = world.number(from...size)
      item = Modelled(runs: item.runs.slice(from..<to), bytes: Array(item.bytes[from..<to]))
    case 1:
      let other = world.list()
      item.runs.append(other.runs)
      item.bytes += other.bytes
    case 2:
      guard size > 0 else { return }
      let rowBytes = world.number(1...min(16, size))
      let stride = world.number(1...4)
      let first = world.number(0...size / rowBytes - 1)
      let count = world.number(0...(size / rowBytes - 1 - first) / stride + 1)
      item = Modelled(
        runs: item.runs.rows(first: first, count: count, stride: stride, rowBytes: rowBytes),
        bytes: (0..<count).flatMap { index in
          let row = first + index * stride
          return item.bytes[row * rowBytes..<(row + 1) * rowBytes]
        })
    default:
      let rowBytes = world.number(1...16)
      let rows = size / rowBytes
      let from = world.number(0...rowBytes)
      let to = world.number(from...rowBytes)
      // Columns are of whole rows.
      let runs = item.runs.slice(0..<rows * rowBytes)
      item = Modelled(
        runs: runs.columns(from..<to, rowBytes: rowBytes),
        bytes: (0..<rows).flatMap { item.bytes[$0 * rowBytes + from..<$0 * rowBytes + to] })
    }
  }

  @Test(arguments: 0..<20) func chainsOfOperationsMoveTheBytesTheyName(_ seed: Int) throws {
    try Support.withTemporaryFolder { folder in
      var world = try world(folder, seed: UInt64(seed))
      for round in 0..<200 {
        var item = world.list()
        for _ in 0..<world.number(1...5) { step(&item, &world) }
        guard item.runs.byteCount == item.bytes.count,
          try item.runs.materialised() == item.bytes
        else {
          Issue.record("round \(round) differs: \(item.runs.runs)")
          return
        }
      }
    }
  }

  @Test func regionsOfStridedArraysInAnyOrderOfAxes() throws {
    try Support.withTemporaryFolder { folder in
      var random = SeededGenerator(7)
      for _ in 0..<1_000 {
        let rank = Int.random(in: 0...4, using: &random)
        let width = [1, 2, 4, 8].randomElement(using: &random) ?? 1
        let stored = Shape((0..<rank).map { _ in Int.random(in: 1...5, using: &random) })
        // A permutation of the axes of a row-major array, as a transposed tensor has it.
        let order = Array(0..<rank).shuffled(using: &random)
        let shape = Shape(order.map { stored[$0] })
        let strides = order.map { stored.strides[$0] }
        let offset = Int.random(in: 0...9, using: &random)
        let bytes = (0..<offset + stored.count * width).map { _ in
          UInt8.random(in: 0...255, using: &random)
        }
        let region = shape.dimensions.map { count in
          let from = Int.random(in: 0...count, using: &random)
          return from..<Int.random(in: from...count, using: &random)
        }
        var expected: [UInt8] = []
        func visit(_ axis: Int, _ element: Int) {
          guard axis < rank else {
            expected += bytes[offset + element * width..<offset + (element + 1) * width]
            return
          }
          for index in region[axis] { visit(axis + 1, element + index * strides[axis]) }
        }
        visit(0, 0)
        let runs = ByteRuns(
          file: try inputFile(bytes, in: folder, name: "array"), offset: offset, shape: shape,
          strides: strides, elementSize: width, region: region)
        #expect(try runs.materialised() == expected)
      }
    }
  }

  @Test func aWholeArrayIsOneRunAndATransposedOneIsOneStridedRunPerRow() throws {
    try Support.withTemporaryFolder { folder in
      let file = try inputFile([UInt8](0..<96), in: folder)
      let whole = ByteRuns(
        file: file, offset: 0, shape: [2, 3, 4], strides: [12, 4, 1], elementSize: 4)
      #expect(whole.runs.count == 1)
      #expect(whole.runs[0].length == 96)
      let transposed = ByteRuns(
        file: file, offset: 0, shape: [4, 6], strides: [1, 4], elementSize: 4)
      #expect(transposed.runs.count == 4)
      #expect(transposed.runs.allSatisfy { $0.count == 6 && $0.length == 4 && $0.stride == 16 })
    }
  }

  @Test func neighboursInOneFileBecomeOneRun() throws {
    try Support.withTemporaryFolder { folder in
      let file = try inputFile([UInt8](0..<100), in: folder)
      let other = try inputFile([UInt8](0..<100), in: folder)
      var runs = ByteRuns(ByteRun(file: file, offset: 10, length: 5))
      runs.append(ByteRun(file: file, offset: 15, length: 5))
      #expect(runs.runs.count == 1)
      runs.append(ByteRun(file: other, offset: 20, length: 5))
      #expect(runs.runs.count == 2)
      runs.append(ByteRun(file: other, offset: 24, length: 5))
      #expect(runs.runs.count == 3)
      runs.append(.zeros(3))
      runs.append(.zeros(4))
      runs.append(.zeros(0))
      #expect(runs.runs.count == 4)
      #expect(runs.runs[3].length == 7)
      #expect(ByteRun(file: file, offset: 0, length: 6, count: 4, stride: 6).count == 1)
      #expect(runs.byteCount == 27)
    }
  }

  @Test func manyShortRunsAndLongRunsFillABufferAlike() throws {
    try Support.withTemporaryFolder { folder in
      var random = SeededGenerator(3)
      // Longer than what is read by position in one go.
      let bytes = (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &random) }
      let file = try inputFile(bytes, in: folder)
      var runs = ByteRuns()
      var expected: [UInt8] = []
      for length in [1, 16_383, 16_384, 16_385, 70_000] {
        runs.append(ByteRun(file: file, offset: 77 + length, length: length))
        expected += bytes[77 + length..<77 + 2 * length]
      }
      let buffer = ByteBuffer(capacity: expected.count + 8)
      try buffer.fill(runs, at: 5)
      #expect(buffer.bytes(5..<5 + expected.count) == expected)
    }
  }
}
