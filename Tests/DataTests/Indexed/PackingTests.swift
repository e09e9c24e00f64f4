import Foundation
import JSON
import Support
import Testing

@testable import Data

/// What Megatron-Bridge and Automodel pack; see fixtures/generate_packing.py.
private let folder = Support.fixtures.appending(path: "indexed")

private func expected(_ key: String) throws -> JSON {
  let url = folder.appending(path: "packing.json")
  let root = try #require(try JSON(parsing: Array(Data(contentsOf: url))).object)
  return try #require(root[key])
}

private func numbers(_ value: JSON?) -> [Int] { value?.array?.compactMap(\.integer) ?? [] }

private func rows(_ value: JSON?) -> [[Int]] { value?.array?.map { numbers($0) } ?? [] }

private func packs(_ value: JSON?) -> [PackedSequence] {
  value?.array?.compactMap(\.object).map { pack in
    PackedSequence(
      tokens: numbers(pack["input_ids"]).map { Int32($0) },
      counted: pack["loss_mask"]?.array?.map { $0 == .bool(true) } ?? [],
      starts: numbers(pack["seq_start_id"]))
  } ?? []
}

@Test func packsAsBridgeDoes() throws {
  for entry in try #require(expected("packings").array) {
    let expected = try #require(entry.object)
    var random = NumPyRandom(seed: UInt32(try #require(expected["seed"]?.integer)))
    let packing = try Packing(
      counts: numbers(expected["counts"]), size: try #require(expected["size"]?.integer),
      method: try #require(Packing.Method(rawValue: expected["method"]?.string ?? "")),
      random: &random)
    #expect(packing.packs == rows(expected["packs"]))
    #expect(packing.metadata.json == expected["metadata"])
  }
}

@Test func packsBestFitWithoutLossAndNoWorse() throws {
  var random = NumPyRandom(seed: 3)
  for size in [1, 7, 64, 100] {
    let counts = (0..<500).map { _ in random.integer(in: 1..<size + 2) }
    func pack(_ method: Packing.Method) throws -> Packing {
      var random = NumPyRandom(seed: 1)
      return try Packing(counts: counts, size: size, method: method, random: &random)
    }
    let best = try pack(.bestFit)
    #expect(best.packs.joined().sorted() == Array(0..<500))
    #expect(best.packs.allSatisfy { $0.reduce(0) { $0 + counts[$1] - 1 } <= size })
    #expect(try best.packs.count <= pack(.firstFitShuffle).packs.count)
  }
}

@Test func refusesWhatCannotBePacked() {
  var random = NumPyRandom(seed: 0)
  for (counts, size) in [([5], 3), ([0], 3), ([], 3), ([1], 0)] {
    #expect(throws: PackingError.self) {
      try Packing(counts: counts, size: size, method: .bestFit, random: &random)
    }
  }
}

@Test func keepsPacksAsBridgeDoes() throws {
  let expected = try #require(expected("packed").object)
  let samples = try #require(expected["samples"]?.array).compactMap(\.object).map { sample in
    Sample(
      tokens: numbers(sample["input_ids"]).map { Int32($0) },
      trained: sample["loss_mask"]?.array?.map { $0 == .bool(true) } ?? [])
  }
  var random = NumPyRandom(seed: 0)
  let packing = try Packing(
    counts: samples.map(\.count), size: 12, method: .firstFitShuffle, random: &random)
  #expect(packing.sequences(samples) == packs(expected["packs"]))
  let read = try PackedFile.read(folder.appending(path: "packed.npy").path)
  #expect(read == packs(expected["packs"]))
  // The first token of a sample never counts; all else comes back.
  let back = read.flatMap(\.samples)
  let given = packing.packs.joined().map { index in
    Sample(tokens: samples[index].tokens, trained: [false] + samples[index].trained.dropFirst())
  }
  #expect(back == given)
  let bytes = try [UInt8](Data(contentsOf: folder.appending(path: "packed.npy")))
  #expect(PackedFile.bytes(read, module: "numpy._core.multiarray") == bytes)
  try Support.withTemporaryFolder { place in
    let path = place.appending(path: "p.npy").path
    try PackedFile.write(read, to: path)
    #expect(try PackedFile.read(path) == read)
    let notes = place.appending(path: "m.json").path
    try PackedFile.append(packing.metadata, to: notes)
    try PackedFile.append(packing.metadata, to: notes)
    #expect(try PackedFile.readMetadata(notes) == [packing.metadata, packing.metadata])
    #expect(packing.metadata.json == expected["metadata"])
  }
}

private let formats = Support.reference?.appending(path: "formats")

@Test(
  .enabled(if: formats != nil), arguments: ["packed_list_of_dicts", "packed_list_of_dicts_intmask"])
func readsTheReferencePacks(name: String) throws {
  let formats = try #require(formats)
  let read = try PackedFile.read(formats.appending(path: name + ".npy").path)
  let url = formats.appending(path: "packed.expected.json")
  let expected = try #require(try JSON(parsing: Array(Data(contentsOf: url))).array).compactMap(
    \.object)
  #expect(read.map { $0.tokens.map(Int.init) } == expected.map { numbers($0["input_ids"]) })
  #expect(read.map { $0.counted.map { $0 ? 1 : 0 } } == expected.map { numbers($0["loss_mask"]) })
  #expect(read.map(\.starts) == expected.map { numbers($0["seq_start_id"]) })
}

@Test func collatesAsBridgeDoes() throws {
  let packs = try PackedFile.read(folder.appending(path: "packed.npy").path)
  let metadata = try PackingMetadata(
    try #require(expected("packed").object?["metadata"]), file: "packing.json")
  for entry in try #require(expected("collated").array) {
    let given = try #require(entry.object?["options"]?.object)
    let expected = try #require(entry.object?["batch"]?.object)
    var options = PackedBatch.Options(length: given["max_seq_length"]?.integer ?? 64, end: 2)
    options.padsToLength = given["pad_to_max_length"]?.bool ?? false
    options.multiple = given["pad_seq_length_to_mult"]?.integer ?? 16
    options.countsAnswersOnly = given["answer_only_loss"]?.bool ?? true
    options.sequenceMultiple = given["pad_seq_to_mult"]?.integer ?? 1
    options.metadata = given["pad_cu_seqlens"]?.bool == true ? [metadata] : nil
    let batch = try PackedBatch(packs, options)
    func whole(_ rows: [[Int32]]) -> [[Int]] { rows.map { $0.map(Int.init) } }
    #expect(whole(batch.inputs) == rows(expected["tokens"]))
    #expect(whole(batch.labels) == rows(expected["labels"]))
    #expect(batch.counted.map { $0.map { $0 ? 1 : 0 } } == rows(expected["loss_mask"]), "\(given)")
    #expect(whole(batch.positions) == rows(expected["position_ids"]))
    #expect(batch.counts == numbers(expected["token_count"]))
    #expect(whole(batch.bounds) == rows(expected["cu_seqlens"]), "\(given)")
    #expect(batch.boundCounts.map { [$0] } == rows(expected["cu_seqlens_argmin"]))
    #expect(
      batch.unpaddedBounds.map(whole) == expected["cu_seqlens_unpadded"].map { rows($0) },
      "\(given)")
    #expect(
      batch.unpaddedBoundCounts?.map { [$0] }
        == expected["cu_seqlens_unpadded_argmin"].map { rows($0) })
    let longest = expected["max_seqlen"]?.array?.map { $0.array?.first?.integer ?? $0.integer }
    #expect(batch.longest == longest?.compactMap { $0 }, "\(given)")
  }
}

@Test func packsInOrderAsAutomodelDoes() throws {
  for entry in try #require(expected("sequential").array) {
    let given = try #require(entry.object?["options"]?.object)
    var packing = try SequentialPacking(
      size: try #require(given["packed_sequence_size"]?.integer),
      multiple: given["pad_to_multiple_of"]?.integer ?? 1,
      contextParallel: given["cp_size"]?.integer ?? 1)
    packing.padding = Int32(given["padding_idx"]?.integer ?? 0)
    packing.limit = given["max_packs"]?.integer
    for sample in try #require(entry.object?["samples"]?.array) {
      try packing.add(
        inputs: numbers(sample.object?["input_ids"]).map { Int32($0) },
        labels: numbers(sample.object?["labels"]).map { Int32($0) })
    }
    packing.finish()
    let expected = try #require(entry.object?["packs"]?.array).compactMap(\.object)
    #expect(
      packing.packs.map { $0.inputs.map(Int.init) } == expected.map { numbers($0["input_ids"]) })
    #expect(packing.packs.map { $0.labels.map(Int.init) } == expected.map { numbers($0["labels"]) })
    #expect(
      packing.packs.map { $0.positions.map(Int.init) }
        == expected.map { numbers($0["position_ids"]) })
    #expect(packing.packs.map(\.lengths) == expected.map { numbers($0["seq_lens"]) })
    #expect(packing.packs.map(\.paddedLengths) == expected.map { numbers($0["seq_lens_padded"]) })
  }
}
