import Foundation
import Support
import Tensors
import Testing

/// Matrices larger than what is turned at a time, of every element size.
@Suite struct ComputedBytesTests {
  private func numbers(_ count: Int) -> [UInt8] {
    var random = SeededGenerator(UInt64(count))
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  private func turned(
    _ bytes: [UInt8], matrices: Int, height: Int, width: Int, _ size: Int
  ) -> [UInt8] {
    var result: [UInt8] = []
    for matrix in 0..<matrices {
      for column in 0..<width {
        for row in 0..<height {
          let start = ((matrix * height + row) * width + column) * size
          result += bytes[start..<start + size]
        }
      }
    }
    return result
  }

  @Test(
    arguments: [1, 2, 4, 8], [(1, 1000, 70), (3, 37, 500), (2, 8, 1), (5, 1, 64), (1, 2, 40_000)])
  func matricesOfAnySizeTurn(_ size: Int, _ shape: (Int, Int, Int)) throws {
    let (matrices, height, width) = shape
    let bytes = numbers(matrices * height * width * size)
    let expected = turned(bytes, matrices: matrices, height: height, width: width, size)
    try Support.withTemporaryFolder { folder in
      let source = ByteRuns(
        ByteRun(file: try inputFile(bytes, in: folder), offset: 0, length: bytes.count))
      let runs = source.transposed(matrices: matrices, height: height, elementSize: size)
      #expect(try runs.materialised() == expected)
      // A second turn undoes the first, through computed bytes out of computed bytes.
      let back = runs.transposed(matrices: matrices, height: width, elementSize: size)
      #expect(try back.materialised() == bytes)
      // Every third row, and a few columns of all.
      let rowBytes = height * size
      let lines = (0..<matrices * width).map {
        Array(expected[$0 * rowBytes..<($0 + 1) * rowBytes])
      }
      let thirds = stride(from: 0, to: lines.count, by: 3).map { lines[$0] }
      let rows = runs.rows(first: 0, count: thirds.count, stride: 3, rowBytes: rowBytes)
      #expect(try rows.materialised() == Array(thirds.joined()))
      let columns = (height / 3 * size)..<((height + 1) / 2 * size)
      let cut = lines.map { Array($0[columns]) }
      let found = try runs.columns(columns, rowBytes: rowBytes).materialised()
      #expect(found == Array(cut.joined()))
    }
  }

  @Test(arguments: [50, 64, 200, 777, 4000])
  func stripsFollowTheRowsAndLeaveNothingOut(_ limit: Int) throws {
    let bytes = numbers(3 * 16 * 20 * 2)
    try Support.withTemporaryFolder { folder in
      let file = try inputFile(bytes, in: folder)
      let plain = ByteRuns(ByteRun(file: file, offset: 0, length: bytes.count))
      // Rows of 32 bytes, 20 in each of three matrices.
      let turned = plain.transposed(matrices: 3, height: 16, elementSize: 2)
      var list = plain.slice(0..<70)
      list.append(turned.rows(first: 1, count: 30, stride: 2, rowBytes: 32))
      list.append(turned.columns(8..<20, rowBytes: 32))
      list.append(turned.slice(10..<1000))
      list.append(.zeros(90))
      for runs in [plain, turned, list] {
        let whole = try runs.materialised()
        var made: [UInt8] = []
        while made.count < whole.count {
          let length = runs.strip(from: made.count, limit: limit)
          #expect(length > 0 && length <= limit)
          made += try runs.slice(made.count..<made.count + length).materialised()
        }
        #expect(made == whole)
      }
      #expect(turned.prefersStrips && list.prefersStrips && !plain.prefersStrips)
      // Four strips of five rows rather than three of six and one of two.
      #expect(turned.strip(from: 0, limit: 200) == 160)
      #expect(turned.strip(from: 15 * 32, limit: 200) == 160)
      // All that is left of a matrix, and no part of the next.
      #expect(turned.strip(from: 18 * 32, limit: 200) == 64)
      #expect(turned.strip(from: 0, limit: 1400) == 40 * 32)
    }
  }

  @Test func rowsLargerThanTheScratchAlternate() throws {
    let rowBytes = ByteBuffer.scratchSize + 1000
    let bytes = numbers(6 * rowBytes)
    try Support.withTemporaryFolder { folder in
      let source = ByteRuns(
        ByteRun(file: try inputFile(bytes, in: folder), offset: 0, length: bytes.count))
      let runs = source.spread(
        [
          .init(source: 0, first: 0, count: 3, stride: 2),
          .init(source: 3, first: 1, count: 3, stride: 2),
        ], rowBytes: rowBytes)
      #expect(
        try runs.materialised()
          == [0, 3, 1, 4, 2, 5].flatMap { bytes[$0 * rowBytes..<($0 + 1) * rowBytes] })
    }
  }

  @Test(arguments: [
    (DType.bfloat16, [0xC0, 0x3F] as [UInt8]), (.float16, [0x00, 0x3E]),
    (.float32, [0, 0, 0xC0, 0x3F]), (.float64, [0, 0, 0, 0, 0, 0, 0xF8, 0x3F]),
  ])
  func aConstantIsTheNumberInEveryType(_ dtype: DType, _ one: [UInt8]) throws {
    let runs = ByteRuns(repeating: 1.5, count: 5, dtype: dtype)
    #expect(runs.byteCount == 5 * one.count)
    #expect(try runs.materialised() == (0..<5).flatMap { _ in one })
    #expect(
      try runs.slice(one.count..<3 * one.count).materialised() == (0..<2).flatMap { _ in one })
  }
}
