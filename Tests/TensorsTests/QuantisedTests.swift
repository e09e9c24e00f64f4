import Foundation
import Support
import Tensors
import Testing

/// Computed numbers against PyTorch's and transformers' (fixtures/quantised/generate.py).
@Suite struct QuantisedTests {
  /// The tensors of the fixture, without a reader of its format.
  private struct Numbers {
    struct Tensor {
      var shape: [Int]
      var bytes: [UInt8]
    }
    var tensors: [String: Tensor] = [:]

    init() throws {
      let data = try Data(
        contentsOf: Support.fixtures.appending(path: "quantised/numbers.safetensors"))
      let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
      let header = try JSONSerialization.jsonObject(with: data[8..<8 + length])
      for (name, value) in try #require(header as? [String: [String: Any]]) {
        guard let shape = value["shape"] as? [Int], let range = value["data_offsets"] as? [Int]
        else { continue }
        tensors[name] = Tensor(
          shape: shape, bytes: [UInt8](data[8 + length + range[0]..<8 + length + range[1]]))
      }
    }

    func callAsFunction(_ name: String) throws -> Tensor { try #require(tensors[name]) }
  }

  private func runs(_ bytes: [UInt8], _ folder: URL) throws -> ByteRuns {
    ByteRuns(ByteRun(file: try inputFile(bytes, in: folder), offset: 0, length: bytes.count))
  }

  /// The numbers in a type, as an import makes them: computed in float32 and rounded once.
  private func rounded(_ runs: ByteRuns, to dtype: DType) throws -> [UInt8] {
    let (source, target) = (
      ByteBuffer(capacity: runs.byteCount), ByteBuffer(capacity: runs.byteCount)
    )
    try source.fill(runs)
    source.convert(runs.byteCount / 4, from: .float32, to: dtype, into: target)
    return target.bytes(0..<runs.byteCount / 4 * dtype.byteWidth)
  }

  @Test func everyByteIsTheNumberThatPyTorchReads() throws {
    let numbers = try Numbers()
    try Support.withTemporaryFolder { folder in
      let one = try runs([0, 0, 0x80, 0x3F], folder)
      let found = try ByteRuns.blockScaled(
        runs(numbers("every.codes").bytes, folder), scales: one, .float32,
        .init(matrices: 1, rows: 16, columns: 16, blockRows: 16, blockColumns: 16)
      ).materialised()
      let expected = try numbers("every.float32").bytes
      for code in 0..<256 {
        let (a, b) = (
          found[code * 4..<code * 4 + 4].float, expected[code * 4..<code * 4 + 4].float
        )
        #expect(a.bitPattern == b.bitPattern || a.isNaN && b.isNaN, "code \(code): \(a), not \(b)")
        #expect(a.isNaN == (code & 0x7F == 0x7F))
      }
    }
  }

  @Test(
    arguments: [
      ("even", 4, 5, DType.float32), ("half", 4, 8, .bfloat16), ("ragged", 4, 6, .float32),
    ],
    [DType.bfloat16, .float16, .float32])
  func blocksTimesTheirScalesAreThoseOfTransformers(
    _ item: (name: String, rows: Int, columns: Int, scales: DType), _ dtype: DType
  ) throws {
    let numbers = try Numbers()
    let codes = try numbers("\(item.name).codes")
    try Support.withTemporaryFolder { folder in
      let blocks = ByteRuns.Blocks(
        matrices: 1, rows: codes.shape[0], columns: codes.shape[1], blockRows: item.rows,
        blockColumns: item.columns)
      let values = try ByteRuns.blockScaled(
        runs(codes.bytes, folder), scales: runs(numbers("\(item.name).scales").bytes, folder),
        item.scales, blocks)
      #expect(
        try rounded(values, to: dtype) == numbers("\(item.name).\(dtype.torchName ?? "")").bytes)
      try expectEveryCutIsACutOfTheWhole(values, rowBytes: 4 * blocks.columns)
    }
  }

  @Test(arguments: [DType.bfloat16, .float16, .float32])
  func microscaledNumbersAreThoseOfTransformers(_ dtype: DType) throws {
    let numbers = try Numbers()
    let codes = try numbers("fp4.blocks")
    try Support.withTemporaryFolder { folder in
      let values = try ByteRuns.microscaled(
        runs(codes.bytes, folder), scales: runs(numbers("fp4.scales").bytes, folder),
        blocks: codes.shape[2])
      // transformers gives each expert's matrix turned.
      let turned = values.transposed(
        matrices: codes.shape[0], height: codes.shape[1], elementSize: 4)
      #expect(
        try rounded(turned, to: dtype) == numbers("fp4.\(dtype.torchName ?? "")").bytes)
      try expectEveryCutIsACutOfTheWhole(values, rowBytes: 4 * 32 * codes.shape[2])
    }
  }

  @Test func aScaleThatIsNoNumberMakesNoNumbers() throws {
    try Support.withTemporaryFolder { folder in
      let values = try ByteRuns.microscaled(
        runs([UInt8](0..<16), folder), scales: runs([255], folder), blocks: 1)
      let found = try values.materialised()
      #expect(stride(from: 0, to: 128, by: 4).allSatisfy { found[$0..<$0 + 4].float.isNaN })
    }
  }

  @Test func scalesThatArePowersOfTwoAreRead() throws {
    try Support.withTemporaryFolder { folder in
      // 1.0 in eight bits, times 2^-1 and 2^3.
      let values = try ByteRuns.blockScaled(
        runs([0x38, 0x38], folder), scales: runs([126, 130], folder), .float8E8M0,
        .init(matrices: 1, rows: 1, columns: 2, blockRows: 1, blockColumns: 1))
      let found = try values.materialised()
      #expect(found[0..<4].float == 0.5 && found[4..<8].float == 8)
    }
  }

  @Test func matricesWiderThanTheScratchAreComputed() throws {
    let columns = ByteBuffer.scratchSize + 300
    let codes = (0..<2 * columns).map { UInt8(truncatingIfNeeded: $0 &* 7) & 0x77 }
    let scales = (0..<(columns + 127) / 128).flatMap { index in
      withUnsafeBytes(of: Float(index + 1)) { Array($0) }
    }
    try Support.withTemporaryFolder { folder in
      let values = try ByteRuns.blockScaled(
        runs(codes, folder), scales: runs(scales, folder), .float32,
        .init(matrices: 1, rows: 2, columns: columns, blockRows: 128, blockColumns: 128))
      let found = try values.materialised()
      let one = try ByteRuns.blockScaled(
        runs([UInt8](0...255), folder), scales: runs([0, 0, 0x80, 0x3F], folder), .float32,
        .init(matrices: 1, rows: 1, columns: 256, blockRows: 1, blockColumns: 256)
      ).materialised()
      for place in [0, 127, 128, columns - 1, columns, 2 * columns - 1] {
        let code = Int(codes[place])
        let expected = one[4 * code..<4 * code + 4].float * Float(place % columns / 128 + 1)
        #expect(found[4 * place..<4 * place + 4].float == expected, "\(place)")
      }
    }
  }

  @Test func plainNumbersAreWidened() throws {
    try Support.withTemporaryFolder { folder in
      let values = try runs([0x80, 0x3F, 0x00, 0xC0, 0x40, 0x40, 0, 0], folder)
        .converted(from: .bfloat16, to: .float32, width: 2)
      let found = try values.materialised()
      #expect((0..<4).map { found[4 * $0..<4 * $0 + 4].float } == [1, -2, 3, 0])
      try expectEveryCutIsACutOfTheWhole(values, rowBytes: 8)
    }
  }

  /// Rows, columns and stretches asked for alone are those of the whole.
  private func expectEveryCutIsACutOfTheWhole(_ values: ByteRuns, rowBytes: Int) throws {
    let whole = try values.materialised()
    for start in stride(from: 0, to: whole.count, by: 20) {
      let end = min(whole.count, start + 52)
      #expect(try values.slice(start..<end).materialised() == Array(whole[start..<end]))
    }
    let columns = rowBytes / 8 * 4..<rowBytes
    let cut = try values.columns(columns, rowBytes: rowBytes).materialised()
    let rows = (0..<whole.count / rowBytes).map { whole[$0 * rowBytes..<($0 + 1) * rowBytes] }
    #expect(cut == rows.flatMap { $0.dropFirst(columns.lowerBound) })
    let second = values.rows(first: 1, count: rows.count / 2, stride: 2, rowBytes: rowBytes)
    #expect(
      try second.materialised() == (0..<rows.count / 2).flatMap { Array(rows[1 + 2 * $0]) })
  }
}

extension ArraySlice<UInt8> {
  fileprivate var float: Float {
    Float(bitPattern: enumerated().reduce(0) { $0 | UInt32($1.element) << (8 * $1.offset) })
  }
}
