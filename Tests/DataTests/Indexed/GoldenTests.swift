import Foundation
import JSON
import Support
import Testing

@testable import Data

/// `reference/gptdataset`, where it is there: indices that megatron-core 0.16.1 built.
private let folder = Support.reference?.appending(path: "gptdataset")

private func golden() throws -> JSONObject {
  let url = try #require(folder).appending(path: "golden.json")
  return try #require(try JSON(parsing: Array(Data(contentsOf: url))).object)
}

private func numbers(_ value: JSON?) -> [Int] { value?.array?.compactMap(\.integer) ?? [] }

@Test(.enabled(if: folder != nil), arguments: ["a", "b"])
func readsTheReferenceDataSets(name: String) throws {
  let expected = try #require(try golden()[name]?.object)
  let dataset = try IndexedDataset(try #require(folder).appending(path: name).path)
  #expect(dataset.documentCount == expected["docs"]?.integer)
  #expect(dataset.tokenCount == expected["tokens"]?.integer)
  #expect(
    (0..<dataset.count).map { Int(dataset.lengths[$0]) } == numbers(expected["sequence_lengths"]))
  #expect(
    (0..<dataset.bounds.count).map { Int(dataset.bounds[$0]) }
      == numbers(expected["document_indices"]))
  #expect(try dataset.tokens(0).map(Int.init) == numbers(expected["first"]))
  let shares = try SplitShares("90,8,2")
  let ranges = Split.allCases.map { shares.range(of: $0, in: dataset.count) ?? 0..<0 }
  #expect(
    ranges.map { [$0.lowerBound, $0.upperBound] }
      == expected["split 90,8,2"]?.array?.map { numbers($0) })
}

@Test(.enabled(if: folder != nil), arguments: ["a", "b"])
func buildsTheReferenceIndices(name: String) throws {
  let dataset = try IndexedDataset(try #require(folder).appending(path: name).path)
  let lengths = dataset.lengths.array(0..<dataset.count)
  var compared = 0
  let cases = try #require(try golden()[name]?.object)
  for (key, value) in cases.members where key.hasPrefix("seed") {
    let expected = try #require(value.object)
    let words = key.split(separator: "_")
    let request = SampleIndices.Request(
      sequences: 0..<dataset.count, samples: Int(words[2].dropFirst()),
      length: try #require(Int(words[1].dropFirst())),
      seed: try #require(UInt32(words[0].dropFirst(4))))
    let epochs = try SampleIndices.epochs(request, lengths: lengths)
    #expect(epochs.count == expected["epochs"]?.integer, "\(name) \(key)")
    #expect(epochs.separatesLast == expected["separate_final"]?.bool, "\(name) \(key)")
    let indices = try SampleIndices(request, lengths: lengths)
    #expect(indices.documents.array == numbers(expected["doc"]), "\(name) \(key)")
    #expect(indices.shuffle.array == numbers(expected["shuffle"]), "\(name) \(key)")
    let rows = (0...indices.count).map { [indices.samples[2 * $0], indices.samples[2 * $0 + 1]] }
    #expect([rows.count, 2] == numbers(expected["sample_shape"]))
    let heads = try #require(expected["sample_head"]?.array?.map { numbers($0) })
    #expect(Array(rows.prefix(heads.count)) == heads, "\(name) \(key)")
    let tails = try #require(expected["sample_tail"]?.array?.map { numbers($0) })
    #expect(Array(rows.suffix(tails.count)) == tails, "\(name) \(key)")
    // Of the numbers as 64-bit integers.
    let bytes = rows.joined().flatMap { number in
      (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
    #expect(sha256(bytes) == expected["sample_sha"]?.string, "\(name) \(key)")
    compared += 1
  }
  #expect(compared == 16)
}

@Test(.enabled(if: folder != nil))
func blendsAsTheReferenceDoes() throws {
  var compared = 0
  for (key, value) in try golden().members where key.hasPrefix("blend") {
    let expected = try #require(value.object)
    let weights = try #require(
      try JSON(parsing: Array(key.dropFirst("blend ".count).utf8)).array?.compactMap(\.double))
    let datasets = numbers(expected["dataset"])
    let indices = BlendIndices(weights: weights, count: datasets.count)
    #expect(indices.datasets.array == datasets)
    #expect(indices.samples.array == numbers(expected["sample"]))
    compared += 1
  }
  #expect(compared == 3)
}

@Test func hashesAsTheStandardSays() {
  #expect(
    sha256(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
}
