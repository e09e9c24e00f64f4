import Blueprint
import Foundation
import Support
import Tensors
import Testing

/// Layouts that no registered family has yet, on bytes.
struct PackingTests {
  private func bytes(_ runs: ByteRuns) throws -> [UInt8] {
    let buffer = ByteBuffer(capacity: runs.byteCount)
    try buffer.fill(runs)
    return buffer.bytes(0..<runs.byteCount)
  }

  private func withRuns(_ bytes: [UInt8], _ body: (ByteRuns) throws -> Void) throws {
    try Support.withTemporaryFolder { folder in
      let file = folder.appending(path: "bytes")
      try Data(bytes).write(to: file)
      try body(
        ByteRuns(ByteRun(file: InputFile(file.path), offset: 0, length: bytes.count)))
    }
  }

  @Test func everySecondRowGoesToEachHalfAndBack() throws {
    // Phi-3-small: rows 0, 2, 4 … are the gate, 1, 3, 5 … the up projection.
    let layout = Layout.rows([
      Segment(part: 0, first: 0, count: 3, stride: 2),
      Segment(part: 0, first: 1, count: 3, stride: 2),
    ])
    try withRuns(Array(0..<12)) { part in
      let packed = layout.pack([part], rowBytes: 2, dtype: .uint8)
      let fused = try bytes(packed)
      #expect(fused == [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11])
      let back = layout.unpack(packed, part: 0, rowBytes: 2, dtype: .uint8)
      let parts = try bytes(back)
      #expect(parts == Array(0..<12))
    }
  }

  @Test func aTransposedMatrixTurnsAndTurnsBack() throws {
    // The part is [3, 2] of two-byte elements, the packed matrix [2, 3].
    try withRuns([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) { part in
      let layout = Layout.conv1D(2)
      let packed = layout.pack([part], rowBytes: 6, dtype: .bfloat16)
      let fused = try bytes(packed)
      #expect(fused == [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11])
      let back = layout.unpack(packed, part: 0, rowBytes: 6, dtype: .bfloat16)
      let parts = try bytes(back)
      #expect(parts == Array(0..<12))
    }
  }

  @Test func gatesAndUpsThatAlternateInColumnsOfTransposedExpertsPartAndComeBack() throws {
    // GPT-OSS: the part is [experts 2, columns 3, 2 · inner 4]; packed is [2, 4, 3], gates first.
    try withRuns(Array(0..<24)) { part in
      let layout = Layout.alternating(inner: 2, matrices: 2).transposed(stack: 2)
      let packed = layout.pack([part], rowBytes: 3, dtype: .uint8)
      let fused = try bytes(packed)
      #expect(
        fused == [
          0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11, 12, 16, 20, 14, 18, 22, 13, 17, 21, 15, 19, 23,
        ])
      let back = layout.unpack(packed, part: 0, rowBytes: 3, dtype: .uint8)
      let parts = try bytes(back)
      #expect(parts == Array(0..<24))
    }
  }

  @Test func transposedQueriesKeysAndValuesInterleaveByGroup() throws {
    // GPT-2's c_attn: columns [queries; keys; values] of two heads of one element, width 2.
    let layout = Layout.groupedFromStacked(heads: 2, groups: 2, headSize: 1).transposed()
    try withRuns([0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]) { part in
      let packed = layout.pack([part], rowBytes: 2, dtype: .uint8)
      let fused = try bytes(packed)
      #expect(fused == [0, 10, 2, 12, 4, 14, 1, 11, 3, 13, 5, 15])
      let parts = try bytes(layout.unpack(packed, part: 0, rowBytes: 2, dtype: .uint8))
      #expect(parts == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15])
    }
  }

  @Test func whatIsFilledHasNoParts() throws {
    let slot = Slot(.finalNorm(.weight), [4], filledWith: 1)
    #expect(slot.parameters == 0 && slot.parts.isEmpty && slot.rows == 4)
    let packed = slot.layout.pack(rows: 1..<4, rowBytes: 2, dtype: .bfloat16) {
      _ throws(Never) in ByteRuns()
    }
    #expect(try bytes(packed) == [0x80, 0x3F, 0x80, 0x3F, 0x80, 0x3F])
  }
}
