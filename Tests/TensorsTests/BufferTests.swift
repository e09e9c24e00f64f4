import Foundation
import Support
import Tensors
import Testing

/// Checksums, comparisons, shapes and types.
@Suite struct BufferTests {
  /// Published check values of CRC-32/ISO-HDLC, and zlib's for the rest.
  @Test(
    arguments: [
      ("123456789", 0xCBF4_3926), ("", 0), ("a", 0xE8B7_BE43),
      ("The quick brown fox jumps over the lazy dog", 0x414F_A339),
    ] as [(String, UInt32)]) func crc32HasItsKnownValues(_ text: String, _ expected: UInt32)
  {
    #expect(crc32(Array(text.utf8)) == expected)
  }

  @Test func crc32ContinuesAcrossAnyCut() throws {
    let text = Array("123456789".utf8)
    for cut in 0...text.count {
      let first = crc32(Array(text[..<cut]))
      #expect(crc32(Array(text[cut...]), continuing: first) == 0xCBF4_3926)
    }
    try Support.withTemporaryFolder { folder in
      let buffer = try filled(text, in: folder)
      #expect(buffer.crc32(0..<9) == 0xCBF4_3926)
      #expect(buffer.crc32(4..<9, continuing: buffer.crc32(0..<4)) == 0xCBF4_3926)
    }
  }

  private func filled(_ bytes: [UInt8], in folder: URL) throws -> ByteBuffer {
    let buffer = ByteBuffer(capacity: max(1, bytes.count))
    try buffer.fill(
      ByteRuns(ByteRun(file: inputFile(bytes, in: folder), offset: 0, length: bytes.count)))
    return buffer
  }

  private func filled(_ values: [Float], in folder: URL) throws -> ByteBuffer {
    try filled(values.flatMap { value in withUnsafeBytes(of: value) { Array($0) } }, in: folder)
  }

  @Test func differencesNameTheirNumberTheFirstAndTheLargest() throws {
    try Support.withTemporaryFolder { folder in
      let left = try filled([1, 2, 3, .nan, 5, -0.0], in: folder)
      let right = try filled([1, 2.5, 3, .nan, 1, 0], in: folder)
      let bits = left.differences(right, count: 6, dtype: .float32)
      // Zeros of two signs differ in their bits only.
      #expect(bits.count == 3)
      #expect(bits.first == 1)
      #expect(bits.largest == 4)
      #expect(bits.largestAt == 4)
      let near = left.differences(right, count: 6, .float32, .float32, tolerance: 0.5)
      #expect(near.count == 1)
      #expect(near.first == 4)
      #expect(left.equals(right, 0..<4))
      #expect(!left.equals(right, 0..<8))
      let odd = try filled([1, .nan, 3, 4, 5, 0], in: folder)
      #expect(
        left.differences(odd, count: 3, .float32, .float32, tolerance: 9).largest == .infinity)
    }
  }

  @Test func numbersOfTwoTypesAreComparedAsNumbers() throws {
    try Support.withTemporaryFolder { folder in
      // 1, -2 and 0.5 as bfloat16 and as float8_e4m3fn.
      let wide = try filled([0x80, 0x3F, 0x00, 0xC0, 0x00, 0x3F] as [UInt8], in: folder)
      let narrow = try filled([0x38, 0xC0, 0x30] as [UInt8], in: folder)
      let none = wide.differences(narrow, count: 3, .bfloat16, .float8E4M3, tolerance: 0)
      #expect(none == .init())
    }
  }

  @Test func shapesCountWithoutOverflowing() {
    #expect(Shape([]).checkedCount == 1)
    #expect(Shape([3, 0, 5]).checkedCount == 0)
    #expect(Shape([1 << 40, 1 << 40]).checkedCount == nil)
    #expect(Shape([2, -1]).checkedCount == nil)
    #expect(Shape([1 << 61]).checkedByteCount(.float64) == nil)
    #expect(Shape([3]).checkedByteCount(.float4) == nil)
    #expect(Shape([4]).checkedByteCount(.float4) == 2)
    #expect(Shape([5, 7]).checkedByteCount(.float32) == 140)
    #expect(Shape([2, 3, 4]).strides == [12, 4, 1])
    #expect(Shape([2, 0, 4]).strides == [4, 4, 1])
    #expect("\(Shape([2, 3]))" == "[2, 3]")
  }

  @Test func everyTypeThatPyTorchNamesIsFoundByThatName() {
    for dtype in DType.allCases {
      if let name = dtype.torchName { #expect(DType(torchName: name) == dtype) }
      #expect(dtype.isSubByte == (dtype.torchName == nil))
    }
    #expect(DType(torchName: "float8_e4m3fn") == .float8E4M3)
    #expect(DType(torchName: "half") == nil)
  }
}
