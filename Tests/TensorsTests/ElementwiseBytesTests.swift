import Support
import Tensors
import Testing

/// Sums as PyTorch computes them: in float32, rounded once to the tensor's type.
@Suite struct ElementwiseBytesTests {
  private func bytes<Bits: FixedWidthInteger>(_ bits: [Bits]) -> [UInt8] {
    bits.flatMap { value in
      (0..<Bits.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
  }

  private func expect(
    _ given: [UInt8], by shift: Double, _ dtype: DType, gives expected: [UInt8]
  ) throws {
    try Support.withTemporaryFolder { folder in
      let file = try inputFile(given, in: folder)
      let runs = ByteRuns(ByteRun(file: file, offset: 0, length: given.count))
        .shifted(by: shift, dtype: dtype)
      #expect(try runs.materialised() == expected, "\(dtype)")
      // Any stretch of them, and every second one.
      let width = dtype.byteWidth
      #expect(
        try runs.slice(width..<3 * width).materialised() == Array(expected[width..<3 * width]))
      let second = runs.rows(first: 1, count: 2, stride: 2, rowBytes: width)
      #expect(
        try second.materialised()
          == Array(expected[width..<2 * width] + expected[3 * width..<4 * width]))
    }
  }

  @Test func sumsAreRoundedOnceToTheirOwnType() throws {
    // 0.1, 3.7, 0.001, 1.25 and what torch makes of each less one.
    try expect(
      bytes([0x3DCD, 0x406D, 0x3A83, 0x3FA0] as [UInt16]), by: -1, .bfloat16,
      gives: bytes([0xBF66, 0x402D, 0xBF80, 0x3E80] as [UInt16]))
    try expect(
      bytes([0x2E66, 0x4366, 0x1419, 0x3D00] as [UInt16]), by: -1, .float16,
      gives: bytes([0xBB33, 0x4166, 0xBBFE, 0x3400] as [UInt16]))
    try expect(
      bytes([0x3DCC_CCCD, 0x406C_CCCD, 0x3A83_126F, 0x3FA0_0000] as [UInt32]), by: -1, .float32,
      gives: bytes([0xBF66_6666, 0x402C_CCCD, 0xBF7F_BE77, 0x3E80_0000] as [UInt32]))
    try expect(
      bytes([0.1, 3.7, 0.001, 1.25].map(\.bitPattern)), by: -1, .float64,
      gives: bytes([-0.9, 2.7, -0.999, 0.25].map(\.bitPattern)))
  }

  @Test func moreNumbersThanTheScratchHoldsAreAllShifted() throws {
    let count = ByteBuffer.scratchSize / 4 + 1000
    let given = (0..<count).map { (Float($0) / 8).bitPattern }
    let expected = (0..<count).map { (Float($0) / 8 + 1).bitPattern }
    try expect(bytes(given), by: 1, .float32, gives: bytes(expected))
  }
}
