import Foundation
import JSON
import Support
import Testing

@testable import Data

/// Small data sets that megatron-core wrote, and what it draws from them; see fixtures/generate_indexed.py.
private let folder = Support.fixtures.appending(path: "indexed")

private func expected(_ key: String) throws -> [JSONObject] {
  let url = folder.appending(path: "sampling.json")
  let root = try #require(try JSON(parsing: Array(Data(contentsOf: url))).object)
  return try #require(root[key]?.array).compactMap(\.object)
}

private func numbers(_ value: JSON?) -> [Int] { value?.array?.compactMap(\.integer) ?? [] }

private func bytes(_ path: String) throws -> [UInt8] {
  try Array(Data(contentsOf: URL(filePath: path)))
}

private let sets: [(name: String, type: TokenType)] = [
  ("mixed", .uint16), ("bytes", .uint8), ("signed", .int8), ("short", .int16), ("wide", .int32),
  ("long", .int64), ("double", .float64), ("single", .float32), ("modes", .int32),
  ("none", .uint16),
  ("merged", .int32),
]

@Test(arguments: sets)
func writesEveryDataSetAsMegatronDoes(name: String, type: TokenType) throws {
  let dataset = try IndexedDataset(folder.appending(path: name).path)
  #expect(dataset.type == type)
  try Support.withTemporaryFolder { place in
    let prefix = place.appending(path: "copy").path
    let writer = try IndexedDatasetWriter(prefix, type: type, hasModes: dataset.modes != nil)
    for document in 0..<dataset.documentCount {
      for sequence in Int(dataset.bounds[document])..<Int(dataset.bounds[document + 1]) {
        try writer.add(try dataset.tokens(sequence), mode: dataset.modes?[sequence] ?? 0)
      }
      writer.endDocument()
    }
    try writer.finish()
    for ending in [".bin", ".idx"] {
      #expect(try bytes(prefix + ending) == bytes(folder.path + "/" + name + ending))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).count == 2)
  }
}

@Test func mergesAsMegatronDoes() throws {
  let wide = try IndexedDataset(folder.appending(path: "wide").path)
  try Support.withTemporaryFolder { place in
    let prefix = place.appending(path: "merged").path
    try IndexedDataset.merge([wide, wide], to: prefix)
    for ending in [".bin", ".idx"] {
      #expect(try bytes(prefix + ending) == bytes(folder.path + "/merged" + ending))
    }
    #expect(throws: IndexedError.self) { try IndexedDataset.merge([wide], to: prefix) }
    let other = try IndexedDataset(folder.appending(path: "mixed").path)
    #expect(throws: IndexedError.self) {
      try IndexedDataset.merge([wide, other], to: place.appending(path: "x").path)
    }
  }
}

@Test func samplesAsMegatronDoes() throws {
  for expected in try expected("samplings") {
    let name = try #require(expected["name"]?.string)
    let dataset = try IndexedDataset(folder.appending(path: name).path)
    let shares = try SplitShares(try #require(expected["split"]?.string))
    let split: Split =
      expected["part"] == .string("train")
      ? .train : expected["part"] == .string("valid") ? .valid : .test
    let range = try #require(shares.range(of: split, in: dataset.count))
    #expect([range.lowerBound, range.upperBound] == numbers(expected["sequences"]))
    var request = SampleIndices.Request(
      prefix: name, sequences: range, split: split, samples: expected["count"]?.integer,
      length: try #require(expected["length"]?.integer),
      seed: UInt32(try #require(expected["seed"]?.integer)))
    request.hasExtraToken = expected["add_extra_token_to_sequence"]?.bool ?? true
    request.dropsRest = expected["drop_last_partial_validation_sequence"]?.bool ?? true
    var data = try GPTDataset(dataset, request)
    data.ends = DocumentEnds(
      token: 7, isMasked: expected["eod_mask_loss"]?.bool ?? false,
      resetsPositions: expected["reset_position_ids"]?.bool ?? false,
      resetsAttention: expected["reset_attention_mask"]?.bool ?? false)
    data.padding = DocumentEnds.padding(
      expected["pad"]?.integer.map { Int32($0) }, others: [7])
    #expect(data.count == expected["size"]?.integer, "\(name) \(request)")
    let indices = data.indices
    #expect(Array(indices.documents.array.prefix(12)) == numbers(expected["documents"]))
    #expect(Array(indices.samples.array.prefix(12)) == numbers(expected["samples"]))
    #expect(Array(indices.shuffle.array.prefix(12)) == numbers(expected["shuffle"]))
    let all = indices.documents.array + indices.samples.array + indices.shuffle.array
    let hashed = all.flatMap { number in
      (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
    #expect(sha256(hashed) == expected["sha"]?.string, "\(name) \(request)")
    for (index, item) in zip(numbers(expected["shown"]), try #require(expected["items"]?.array)) {
      #expect(try json(data.window(index)) == item, "\(name) \(index)")
    }
    let items = try JSON.array((0..<data.count).map { try json(data.window($0)) })
    #expect(sha256(items.serializedBytes()) == expected["itemsha"]?.string, "\(name) \(request)")
  }
}

/// A window as the generator writes a sample.
private func json(_ window: TokenWindow) -> JSON {
  func list(_ numbers: [Int]) -> JSON { .array(numbers.map { .integer($0) }) }
  return .object([
    "tokens": list(window.inputs.map(Int.init)), "labels": list(window.labels.map(Int.init)),
    "loss": list(window.counted.map { $0 ? 1 : 0 }),
    "positions": list(window.positions.map(Int.init)), "starts": list(window.starts),
  ])
}

@Test func sumsWeightsAsNumPyDoes() throws {
  for expected in try expected("sums") {
    if let weights = expected["weights"]?.array?.compactMap(\.double) {
      #expect(normalized(weights) == expected["normalized"]?.array?.compactMap(\.double))
    } else {
      let count = try #require(expected["seed"]?.integer)
      var random = NumPyRandom(seed: UInt32(count))
      let weights = (0..<count).map { _ in random.fraction() }
      let sum = try #require(expected["sum"]?.double)
      #expect(normalized(weights) == weights.map { $0 / sum })
    }
  }
}

@Test func blendsAndCachesAsMegatronDoes() throws {
  for expected in try expected("plans") {
    let words = try #require(expected["words"]?.array)
    let source: PretrainingPlan.Source
    if let split = expected["split"]?.string {
      source = .shared(try Blend(words.compactMap(\.string)), try SplitShares(split))
    } else {
      source = .perSplit(try words.map { try $0.array.map { try Blend($0.compactMap(\.string)) } })
    }
    try Support.withTemporaryFolder { place in
      var plan = PretrainingPlan(
        source, length: 8, samples: try #require(expected["sizes"]?.array).map(\.integer))
      plan.folder = folder.path + "/"
      plan.cache = IndexCache(folder: place.appending(path: "a/b").path)
      plan.tokenizer = .object([
        "class": .string("small.Tokenizer"), "tokenizer_path": .array([.string("für"), .null]),
      ])
      for _ in 0..<2 {
        // The second time everything comes from the cache.
        let built = try plan.build()
        #expect(built.map { $0?.count } == expected["counts"]?.array?.map(\.integer))
        #expect(
          try built.map { try $0?.window(0).inputs.map(Int.init) }
            == expected["first"]?.array?.map { $0.isNull ? nil : numbers($0) })
        #expect(
          try built.map { data in try data.map { try $0.window($0.count - 1).inputs.map(Int.init) }
          }
            == expected["last"]?.array?.map { $0.isNull ? nil : numbers($0) })
      }
      let cache = place.appending(path: "a/b").path
      let files = try #require(expected["files"]?.object)
      #expect(try Set(FileManager.default.contentsOfDirectory(atPath: cache)) == Set(files.keys))
      for name in files.keys {
        let path = cache + "/" + name
        guard FileManager.default.fileExists(atPath: path) else { continue }
        #expect(try sha256(bytes(path)).prefix(16) == files[name]?.string ?? "", "\(name)")
      }
    }
  }
}

@Test func makesUpDocumentsAsMegatronDoes() throws {
  let plan = PretrainingPlan(
    .mock(MockDocuments(vocabulary: 300, end: 7)), length: 64, samples: [40, 6, 3])
  for (data, expected) in zip(try plan.build(), try expected("mock")) {
    let data = try #require(data)
    #expect(data.count == expected["count"]?.integer)
    let items = try [0, 1, data.count - 1].map { index in
      JSON.array(try data.window(index).inputs.map { .integer(Int($0)) })
    }
    #expect(sha256(JSON.array(items).serializedBytes()) == expected["sha"]?.string)
  }
}
