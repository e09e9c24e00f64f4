import Foundation
import Glibc
import Support
import Testing

@testable import Data

private let folder = Support.fixtures.appending(path: "indexed")

/// Calls `body` with a prefix whose index is a fixture's, changed.
private func withIndex(
  of name: String = "mixed", _ change: (inout [UInt8]) -> Void, _ body: (String) throws -> Void
) throws {
  var bytes = try [UInt8](Data(contentsOf: folder.appending(path: name + ".idx")))
  change(&bytes)
  try Support.withTemporaryFolder { place in
    let prefix = place.appending(path: "set").path
    try Data(bytes).write(to: URL(filePath: prefix + ".idx"))
    try FileManager.default.copyItem(
      at: folder.appending(path: name + ".bin"), to: URL(filePath: prefix + ".bin"))
    try body(prefix)
  }
}

private let sequences = 15
private let pointers = 34 + 4 * sequences
private let bounds = pointers + 8 * sequences

/// What is changed, and a part of the sentence that says so.
private let lies: [(place: Int, value: UInt64, width: Int, sentence: String)] = [
  (0, 0x4D, 2, "begins with other bytes"), (9, 2, 8, "version is 2"), (17, 0, 1, "type is 0"),
  (17, 9, 1, "type is 9"), (18, 16, 8, "16 sequences"), (18, 1 << 61, 8, "2305843009213693952"),
  (18, .max, 8, "18446744073709551615"), (26, 0, 8, "0 document bounds"),
  (26, 1 << 60, 8, "1152921504606846976"), (34 + 12, 0xFFFF_FFFF, 4, "sequence_lengths[3] is -1"),
  (34 + 12, 0x7FFF_FFFF, 4, "sequence_pointers[3]"),
  (pointers, .max, 8, "sequence_pointers[0] is -1"),
  (pointers + 8, 5000, 8, "sequence_pointers[1] is 5000"),
  (pointers + 8, 0x7FFF_FFFF_FFFF_FFFF, 8, "sequence_pointers[1]"),
  (bounds, 1, 8, "document_indices[0] is 1"), (bounds + 16, 9, 8, "document_indices[3] is 3"),
  (bounds + 8 * sequences, 14, 8, "document_indices[15] is 14"),
  (bounds + 8 * sequences, 16, 8, "document_indices[15] is 16"),
]

@Test(arguments: lies)
func saysWhereAnIndexLies(place: Int, value: UInt64, width: Int, sentence: String) throws {
  try withIndex { bytes in
    for index in 0..<width {
      bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  } _: { prefix in
    let error = #expect(throws: IndexedError.self) { try IndexedDataset(prefix) }
    let said = try "\(#require(error))"
    #expect(said.contains(sentence), "\(said)")
  }
}

@Test func refusesIndicesOfAnotherLength() throws {
  for count in [0, 9, 33, 34, 341] {
    try withIndex {
      $0.removeLast($0.count - count)
    } _: { prefix in
      #expect(throws: IndexedError.self) { try IndexedDataset(prefix) }
    }
  }
  try withIndex {
    $0 += [0]
  } _: { prefix in
    #expect(throws: IndexedError.self) { try IndexedDataset(prefix) }
  }
  #expect(throws: IndexedError.self) { try IndexedDataset("/nowhere/at/all") }
}

@Test func endsNoProcessWithChangedIndices() throws {
  var random = NumPyRandom(seed: 17)
  try Support.withTemporaryFolder { place in
    let prefix = place.appending(path: "set").path
    try FileManager.default.copyItem(
      at: folder.appending(path: "mixed.bin"), to: URL(filePath: prefix + ".bin"))
    let seeds = try ["mixed", "modes", "bytes", "double", "none"].map { name in
      try [UInt8](Data(contentsOf: folder.appending(path: name + ".idx")))
    }
    var accepted = 0
    for _ in 0..<3000 {
      var bytes = seeds[random.integer(in: 0..<seeds.count)]
      change(&bytes, &random)
      try write(bytes, to: prefix + ".idx")
      guard let dataset = try? IndexedDataset(prefix) else { continue }
      accepted += 1
      for sequence in 0..<dataset.count { _ = try? dataset.tokens(sequence) }
      let request = SampleIndices.Request(
        sequences: 0..<dataset.count, samples: 5, length: 8, seed: 1)
      guard let data = try? GPTDataset(dataset, request) else { continue }
      for index in 0..<min(5, data.count) { _ = try? data.window(index) }
    }
    #expect(accepted > 0 && accepted < 3000)
  }
}

@Test func endsNoProcessWithChangedArrays() throws {
  var random = NumPyRandom(seed: 18)
  try Support.withTemporaryFolder { place in
    let path = place.appending(path: "a.npy").path
    let index = place.appending(path: "index.npy").path
    try IndexNumbers.int32(Array(0..<40)).save(to: index, columns: 2)
    let seeds = try [folder.appending(path: "packed.npy").path, index].map { path in
      try [UInt8](Data(contentsOf: URL(filePath: path)))
    }
    var accepted = 0
    for _ in 0..<3000 {
      var bytes = seeds[random.integer(in: 0..<seeds.count)]
      change(&bytes, &random)
      try write(bytes, to: path)
      if let packs = try? PackedFile.read(path) {
        accepted += 1
        _ = try? PackedBatch(packs, PackedBatch.Options(length: 64, end: 2))
      }
      if let numbers = try? IndexNumbers(file: path, types: ["<i4", "<i8"], columns: 2) {
        accepted += 1
        #expect(numbers.array.count == numbers.count)
      }
    }
    #expect(accepted > 0 && accepted < 3000)
  }
}

/// Writes a new file without waiting for the disk, as Foundation does.
private func write(_ bytes: [UInt8], to path: String) throws {
  unlink(path)
  let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
  defer { close(descriptor) }
  try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
}

/// Changes a few bytes, or the length.
private func change(_ bytes: inout [UInt8], _ random: inout NumPyRandom) {
  for _ in 0...random.integer(in: 0..<3) where !bytes.isEmpty {
    let place = random.integer(in: 0..<bytes.count)
    switch random.integer(in: 0..<5) {
    case 0: bytes[place] = UInt8(random.integer(in: 0..<256))
    case 1: bytes[place] ^= 1 << UInt8(random.integer(in: 0..<8))
    case 2: bytes.removeLast(random.integer(in: 0..<min(20, bytes.count)))
    case 3: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 8)], at: place)
    default:
      for index in place..<min(bytes.count, place + 8) {
        bytes[index] = index % 2 == 0 ? 0xFF : 0x7F
      }
    }
  }
}

@Test func refusesHeadsThatAreNoPlainLiteral() throws {
  let heads = [
    "{'descr': '<i4', 'fortran_order': False, 'shape': (__import__('os'),), }",
    "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<i4', 'shape': (1,), }", "{'descr': '<i4', 'descr': '<i4', 'shape': (1,), }",
    "{'descr': '<i4', 'fortran_order': 0, 'shape': (1,), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
    "{'descr': '<i4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "", "{",
    "None",
  ]
  try Support.withTemporaryFolder { place in
    let path = place.appending(path: "a.npy").path
    for head in heads {
      let bytes = NumPyHeader.magic + [1, 0, UInt8(head.utf8.count), 0] + Array(head.utf8)
      try Data(bytes + [0, 0, 0, 0]).write(to: URL(filePath: path))
      #expect(throws: IndexedError.self, "\(head)") {
        try IndexNumbers(file: path, types: ["<i4"])
      }
    }
    try Data("PAR1....PAR1".utf8).write(to: URL(filePath: path))
    let error = #expect(throws: PackingError.self) { try PackedFile.read(path) }
    let said = try "\(#require(error))"
    #expect(said.contains("pyarrow"))
  }
}

@Test func refusesTokensThatDoNotFit() throws {
  try Support.withTemporaryFolder { place in
    let writer = try IndexedDatasetWriter(place.appending(path: "x").path, type: .uint16)
    #expect(throws: IndexedError.self) { try writer.add([65536]) }
    #expect(throws: IndexedError.self) { try writer.add([-1]) }
    writer.discard()
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).isEmpty)
  }
}
