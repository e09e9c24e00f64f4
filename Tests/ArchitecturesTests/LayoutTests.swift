import Architectures
import Blueprint
import Foundation
import Support
import Tensors
import Testing

struct LayoutTests {
  @Test(arguments: Case.huggingFace + Case.bridge)
  func everyRowOfEveryPartIsTakenExactlyOnce(_ item: Case) throws {
    for placed in try item.blueprint().slots {
      let slot = placed.slot
      let segments: [Segment]
      switch slot.layout {
      case .rows(let found), .transposed(let found, _): segments = found
      case .filled:
        #expect(slot.parts.isEmpty, "\(slot.role)")
        continue
      }
      var taken = slot.parts.map { [Int](repeating: 0, count: $0.shape.count / slot.rowWidth) }
      for segment in segments where segment.use == .own {
        for index in 0..<segment.count {
          taken[segment.part][segment.first + index * segment.stride] += 1
        }
      }
      #expect(taken.allSatisfy { $0.allSatisfy { $0 == 1 } }, "\(slot.role)")
      #expect(segments.reduce(0) { $0 + $1.count } == slot.rows, "\(slot.role)")
    }
  }

  @Test(arguments: Case.huggingFace + Case.bridge)
  func unpackingWhatWasPackedGivesTheParts(_ item: Case) throws {
    var seen: Set<Layout> = []
    let slots = try item.blueprint().slots.map(\.slot)
    for slot in slots where !slot.parts.isEmpty && seen.insert(slot.layout).inserted {
      try Support.withTemporaryFolder { folder in
        let rowBytes = slot.rowWidth * 2
        let parts = try slot.parts.enumerated().map { index, part in
          try bytes(count: part.shape.count * 2, seed: index, folder)
        }
        let packed = slot.layout.pack(parts.map(\.runs), rowBytes: rowBytes, dtype: .bfloat16)
        #expect(packed.byteCount == slot.rows * rowBytes)
        for (index, part) in parts.enumerated() {
          let unpacked = slot.layout.unpack(
            packed, part: index, rowBytes: rowBytes, dtype: .bfloat16)
          let buffer = ByteBuffer(capacity: unpacked.byteCount)
          try buffer.fill(unpacked)
          #expect(buffer.bytes(0..<unpacked.byteCount) == part.bytes, "\(slot.role)")
        }
      }
    }
  }

  /// Bytes that differ from place to place and part to part, in a file.
  private func bytes(
    count: Int, seed: Int, _ folder: URL
  ) throws -> (bytes: [UInt8], runs: ByteRuns) {
    var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
    let bytes = (0..<count).map { _ -> UInt8 in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 33)
    }
    let path = folder.appending(path: "\(seed)").path
    try Data(bytes).write(to: URL(filePath: path))
    let file = try InputFile(path)
    return (bytes, ByteRuns(ByteRun(file: file, offset: 0, length: count)))
  }
}
