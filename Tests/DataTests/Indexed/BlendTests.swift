import Foundation
import JSON
import Support
import Testing

@testable import Data

@Test func readsBlendsInAllSpellings() throws {
  let plain = Blend(prefixes: ["a", "b"])
  #expect(try Blend(["a", "b"]) == plain)
  #expect(try Blend(["a"]) == Blend(prefixes: ["a"]))
  #expect(try Blend(["1", "2", "3"]) == Blend(prefixes: ["1", "2", "3"]))
  #expect(
    try Blend(["30", " a ", "70.5", "b"]) == Blend(prefixes: ["a", "b"], weights: [30, 70.5]))
  #expect(
    try Blend(["1e2", "a", " 1_0 ", "b"]) == Blend(prefixes: ["a", "b"], weights: [100, 10]))
  #expect(try Blend(["0x1", "a"]) == Blend(prefixes: ["0x1", "a"]))
  for words in [
    [], ["1", "a", "b", "c"], ["-1", "a", "2", "b"], ["nan", "a"], ["inf", "a"], ["0", "a"],
  ] {
    #expect(throws: IndexedError.self, "\(words)") { try Blend(words) }
  }
}

@Test func readsBlendsFromFiles() throws {
  try Support.withTemporaryFolder { place in
    let path = place.appending(path: "f").path
    func write(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: path)) }
    try write("30 a\n70\tb\n")
    #expect(try Blend.arguments(file: path) == Blend(prefixes: ["a", "b"], weights: [30, 70]))
    try write(#"{"train": ["0.5", "a", "0.5", "b"], "valid": "c d", "test": null}"#)
    #expect(
      try Blend.perSplit(file: path)
        == [Blend(prefixes: ["a", "b"], weights: [0.5, 0.5]), Blend(prefixes: ["c", "d"]), nil])
    try write(#"{"train": [30, "a", 70, "b"], "valid": [], "test": ["c"]}"#)
    #expect(
      try Blend.perSplit(file: path)
        == [Blend(prefixes: ["a", "b"], weights: [30, 70]), nil, Blend(prefixes: ["c"])])
    for text in [
      "", "[]", #"{"train": "a", "valid": "b"}"#, #"{"train": 1, "valid": "b", "test": "c"}"#,
      #"{"train": [["a"]], "valid": "b", "test": "c"}"#,
    ] {
      try write(text)
      #expect(throws: IndexedError.self, "\(text)") { try Blend.perSplit(file: path) }
    }
  }
}

@Test func refusesSplitsThatAreNone() throws {
  for text in ["", "0,0,0", "1,2,3,4", "1..2", "x"] {
    #expect(throws: IndexedError.self, "\(text)") { try SplitShares(text) }
  }
  let shares = try SplitShares("969, 30, 1")
  #expect(shares.range(of: .train, in: 1000) == 0..<969)
  #expect(shares.range(of: .test, in: 1000) == 999..<1000)
  #expect(try SplitShares("1").range(of: .valid, in: 10) == nil)
}

@Test func refusesSamplesOfNothing() throws {
  let none = try IndexedDataset(Support.fixtures.appending(path: "indexed/none").path)
  func data(_ samples: Int?) throws -> GPTDataset {
    try GPTDataset(
      none, SampleIndices.Request(sequences: 0..<0, samples: samples, length: 4, seed: 1))
  }
  #expect(try data(nil).count == 0)
  #expect(try data(0).count == 0)
  // megatron-core counts epochs for ever here.
  #expect(throws: IndexedError.self) { try data(1) }
  let mixed = try IndexedDataset(Support.fixtures.appending(path: "indexed/mixed").path)
  for (samples, length) in [(Int.max, 2), (1 << 55, 1), (1 << 50, 8)] {
    #expect(throws: IndexedError.self) {
      try GPTDataset(
        mixed,
        SampleIndices.Request(sequences: 0..<mixed.count, samples: samples, length: length, seed: 1)
      )
    }
  }
}

@Test func makesBatchesAsBridgeDoes() throws {
  let url = Support.fixtures.appending(path: "indexed/packing.json")
  let root = try #require(try JSON(parsing: Array(Data(contentsOf: url))).object)
  for entry in try #require(root["orders"]?.array).compactMap(\.object) {
    let given = try #require(entry["given"]?.array)
    let numbers = given.compactMap(\.integer)
    let kind: BatchOrder.Kind =
      switch entry["kind"]?.string {
      case "single": .single
      case "batch": .batch(globalSize: 2 * numbers[2] * numbers[4])
      case "cyclic": .cyclic(isSharded: false)
      default: .cyclic(isSharded: true)
      }
    var order = try BatchOrder(
      kind, total: numbers[0], consumed: numbers[1], microBatch: numbers[2], rank: numbers[3],
      workers: numbers[4], dropsLast: given[5] == .bool(true))
    let batches = try #require(entry["batches"]?.array).map {
      $0.array?.compactMap(\.integer) ?? []
    }
    for batch in batches { #expect(order.nextBatch() == batch, "\(entry)") }
    if entry["kind"]?.string == "single" || entry["kind"]?.string == "batch" {
      #expect(order.nextBatch() == nil)
    }
  }
  for (total, consumed, micro) in [(0, 0, 1), (5, 5, 1), (5, 0, 0), (5, -1, 1)] {
    #expect(throws: IndexedError.self) {
      try BatchOrder(.single, total: total, consumed: consumed, microBatch: micro)
    }
  }
}
