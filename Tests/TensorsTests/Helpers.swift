import Foundation
import Support
import Tensors

/// Writes bytes to a new file below `folder` and opens it.
func inputFile(_ bytes: [UInt8], in folder: URL, name: String = UUID().uuidString) throws
  -> InputFile
{
  let url = folder.appending(path: name)
  try Data(bytes).write(to: url)
  return try InputFile(url.path)
}

extension ByteRuns {
  /// The concatenated bytes, through a buffer that is no larger than needed.
  func materialised() throws -> [UInt8] {
    let buffer = ByteBuffer(capacity: max(1, byteCount))
    try buffer.fill(self)
    return buffer.bytes(0..<byteCount)
  }
}

/// The same sequence for the same seed, on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    // SplitMix64.
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}
