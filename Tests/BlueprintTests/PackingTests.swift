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
      let packed = layout.pack([part], rowBytes: 2, elementSize: 1)
      let fused = try bytes(packed)
      #expect(fused == [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11])
      let back = layout.unpack(packed, part: 0, rowBytes: 2, elementSize: 1)
      let parts = try bytes(back)
      #expect(parts == Array(0..<12))
    }
  }

  @Test func aTransposedMatrixTurnsAndTurnsBack() throws {
    // The part is [3, 2] of two-byte elements, the packed matrix [2, 3].
    try withRuns([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) { part in
      let packed = Layout.transposed.pack([part], rowBytes: 6, elementSize: 2)
      let fused = try bytes(packed)
      #expect(fused == [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11])
      let back = Layout.transposed.unpack(packed, part: 0, rowBytes: 6, elementSize: 2)
      let parts = try bytes(back)
      #expect(parts == Array(0..<12))
    }
  }
}
