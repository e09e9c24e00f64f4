/// 4-bit numbers as float32: 32 in a row share a power of two (MXFP4 of the OCP Microscaling Formats).
///
/// A byte holds two numbers, the first in its low half. value = number · 2^(scale - 127); a scale of
/// 255 makes all 32 no numbers.
final class MicroscaledBytes: ComputedBytes {
  private let codes: ByteRuns
  private let scales: ByteRuns
  private let blocks: Int

  /// The numbers that share a scale.
  private static let block = 32
  private static let codeBytes = block / 2

  var byteCount: Int { codes.byteCount * 8 }
  var rowBytes: Int { blocks * Self.block * 4 }
  let cut = ComputedCut.rows

  /// - Parameter blocks: how many blocks make a row.
  init(_ codes: ByteRuns, scales: ByteRuns, blocks: Int) {
    self.codes = codes
    self.scales = scales
    self.blocks = blocks
    precondition(codes.byteCount == scales.byteCount * Self.codeBytes)
  }

  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) throws(FileError) {
    precondition(columns.lowerBound % 4 == 0 && columns.count % 4 == 0)
    let wanted = columns.lowerBound / 4..<columns.upperBound / 4
    let values = target.assumingMemoryBound(to: Float.self)
    let first = wanted.lowerBound / Self.block
    let last = (wanted.upperBound - 1) / Self.block
    let widest = scratch.capacity / (Self.codeBytes + 1)
    for left in stride(from: first, to: last + 1, by: widest) {
      let part = left..<min(last + 1, left + widest)
      // Rows between those that are wanted are read as well: they are small.
      let most = max(1, widest / part.count / rows.step)
      for start in stride(from: 0, to: rows.count, by: most) {
        let count = min(most, rows.count - start)
        let span = (count - 1) * rows.step + 1
        let found = rows[start] * blocks..<(rows[start] + span) * blocks
        try scratch.fill(
          codes.slice(found.lowerBound * Self.codeBytes..<found.upperBound * Self.codeBytes)
            .columns(
              part.lowerBound * Self.codeBytes..<part.upperBound * Self.codeBytes,
              rowBytes: blocks * Self.codeBytes))
        let room = span * part.count * Self.codeBytes
        try scratch.fill(scales.slice(found).columns(part, rowBytes: blocks), at: room)
        for row in 0..<count {
          for block in part {
            let place = row * rows.step * part.count + block - part.lowerBound
            let cut = (block * Self.block..<(block + 1) * Self.block).clamped(to: wanted)
            Self.decode(
              scratch.memory, place * Self.codeBytes, cut.lowerBound - block * Self.block,
              scale: Float8.powerOfTwo(scratch.memory[room + place]),
              values, (start + row) * wanted.count + cut.lowerBound - wanted.lowerBound, cut.count)
          }
        }
      }
    }
  }

  /// Decodes `count` numbers of one block from number `first` on.
  private static func decode(
    _ codes: UnsafeMutableRawBufferPointer, _ start: Int, _ first: Int, scale: Float,
    _ values: UnsafeMutableBufferPointer<Float>, _ place: Int, _ count: Int
  ) {
    numbers.withUnsafeBufferPointer { numbers in
      if count == block {
        for index in 0..<codeBytes {
          let code = codes[start + index]
          values[place + 2 * index] = numbers[Int(code & 0xF)] * scale
          values[place + 2 * index + 1] = numbers[Int(code >> 4)] * scale
        }
        return
      }
      for index in 0..<count {
        let code = codes[start + (first + index) / 2]
        let nibble = (first + index) % 2 == 0 ? code & 0xF : code >> 4
        values[place + index] = numbers[Int(nibble)] * scale
      }
    }
  }

  /// E2M1: sign, two bits of exponent, one of fraction.
  private static let numbers: [Float] = [
    0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6,
  ]
}

extension ByteRuns {
  /// The float32 values of blocks of 32 numbers of four bits, and a scale for each block.
  ///
  /// - Parameter blocks: how many blocks make a row.
  public static func microscaled(_ codes: ByteRuns, scales: ByteRuns, blocks: Int) -> ByteRuns {
    ByteRuns(computed: MicroscaledBytes(codes, scales: scales, blocks: blocks))
  }
}
