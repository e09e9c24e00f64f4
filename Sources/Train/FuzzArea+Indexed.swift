import Console
import Data
import Glibc
import Tensors

/// What reads Megatron's data sets, their cached indices, and packs.
extension FuzzArea {
  /// An `.idx` beside a `.bin` of 4 KiB, read as a whole and sampled.
  static let indexed = FuzzArea(name: "indexed") { bytes in
    let prefix = "\(Environment.temporaryFolder)/isthmus-fuzz-indexed-\(getpid())"
    defer { for ending in [".bin", ".idx"] { unlink(prefix + ending) } }
    try write(Array(repeating: 7, count: 4096), to: prefix + ".bin")
    try write(bytes, to: prefix + ".idx")
    let dataset = try IndexedDataset(prefix)
    for sequence in 0..<min(64, dataset.count) { _ = try? dataset.tokens(sequence) }
    var request = SampleIndices.Request(
      prefix: prefix, sequences: 0..<dataset.count, split: .valid, samples: 5, length: 8, seed: 1)
    request.dropsRest = false
    let data = try GPTDataset(dataset, request)
    for index in 0..<min(5, data.count) { _ = try data.window(index) }
  }

  /// An `.npy` file, read as packs and as numbers.
  static let arrays = FuzzArea(name: "arrays") { bytes in
    let path = "\(Environment.temporaryFolder)/isthmus-fuzz-array-\(getpid())"
    defer { unlink(path) }
    try write(bytes, to: path)
    if let numbers = try? IndexNumbers(file: path, types: ["<i4", "<u4", "<i8"], columns: 2) {
      precondition(numbers.array.count == numbers.count, "numbers got lost")
      return
    }
    let packs = try PackedFile.read(path)
    _ = try PackedBatch(packs, PackedBatch.Options(length: 64, end: 2))
  }

  private static func write(_ bytes: [UInt8], to path: String) throws {
    try Folder.removeFile(path)
    try OutputFile(creating: path).write(bytes, at: 0)
  }
}
