import Foundation
import JSON
import Support
import Testing

@testable import Data

/// A file of the fixtures as JSON.
func fixture(_ path: String) throws -> JSONObject {
  let bytes = try Foundation.Data(contentsOf: Support.fixtures.appending(path: path))
  return try #require(try JSON(parsing: Array(bytes)).object)
}

extension JSON {
  var numbers: [Int] { (array ?? []).compactMap(\.integer) }
}

@Suite struct OrderTests {
  @Test("orders are those that PyTorch and NumPy draw")
  func orders() throws {
    let expected = try fixture("rows/orders.json")
    for (key, order) in try #require(expected["torch"]?.object).members {
      let parts = key.split(separator: ",").compactMap { UInt64($0) }
      #expect(
        SampleOrder.torch(seed: parts[0]).indices(epoch: 0, count: Int(parts[1])) == order.numbers)
    }
    // An epoch adds to the seed; the loader `cyclic` has the epoch for a seed.
    let torch = SampleOrder.torch(seed: 42)
    #expect(torch.indices(epoch: 1, count: 10) == SampleOrder.cyclic.indices(epoch: 43, count: 10))
    for (key, order) in try #require(expected["default_rng"]?.object).members {
      let parts = key.split(separator: ",").compactMap { UInt64($0) }
      var random = NumPyGenerator(seed: parts[0])
      #expect(random.permutation(Int(parts[1])) == order.numbers)
    }
  }

  @Test("samples come in the order of Megatron-Bridge's mapping, however many are wanted")
  func blocks() throws {
    for (key, order) in try #require(fixture("rows/samples.json")["blocks"]?.object).members {
      let parts = key.split(separator: ",").compactMap { Int($0) }
      let walk = try SampleWalk(count: parts[0], order: .blocks(samples: parts[1], seed: 1))
      #expect(Array(walk) == order.numbers)
    }
  }

  @Test(
    "stopped anywhere and gone on with, a walk takes the same samples",
    arguments: [
      SampleOrder.stored, .torch(seed: 5), .cyclic, .blocks(samples: 25, seed: 1),
    ])
  func resumption(order: SampleOrder) throws {
    let whole = Array(try SampleWalk(count: 7, order: order).prefix(25))
    #expect(whole.count == 25)
    for stop in 0...25 {
      var first = try SampleWalk(count: 7, order: order)
      let before = (0..<stop).compactMap { _ in first.next() }
      var second = try SampleWalk(count: 7, order: order, from: first.position)
      let after = (stop..<25).compactMap { _ in second.next() }
      #expect(before + after == whole)
    }
    // Each epoch takes every sample once.
    if case .blocks = order { return }
    #expect(Set(whole[..<7]) == Set(0..<7))
    #expect(Set(whole[7..<14]) == Set(0..<7))
  }

  @Test("a position of another data set is refused")
  func foreignPositions() {
    for position in [DataPosition(epoch: -1), DataPosition(index: 8), DataPosition(index: -1)] {
      #expect(throws: DataError.self) {
        try SampleWalk(count: 7, order: .stored, from: position)
      }
    }
  }

  @Test("rows are held out as datasets.train_test_split does")
  func holdout() throws {
    let expected = try #require(fixture("rows/splits.json")["train_test_split"]?.object)
    for (key, parts) in expected.members {
      let numbers = key.split(separator: ",")
      let (count, share, seed) = try (
        #require(Int(numbers[0])), #require(Double(numbers[1])), #require(UInt64(numbers[2]))
      )
      let split = Holdout.split(count: count, share: share, seed: seed)
      #expect(split.train == parts.object?["train"]?.numbers)
      #expect(split.held == parts.object?["held"]?.numbers)
    }
  }

  @Test("slices of splits take the rows that datasets takes")
  func slices() throws {
    for (key, bounds) in try #require(fixture("rows/splits.json")["slices"]?.object).members {
      let parts = key.split(separator: " ")
      let count = try #require(Int(parts[1]))
      let split = try #require(DataSplit(parsing: String(parts[0])))
      let expected = bounds.numbers
      #expect(split.range(of: count) == expected[0]..<max(expected[0], expected[1]), "\(key)")
    }
    for text in ["train[", "train[1]", "[:3]", "train[a:]", "tr ain", "train[:101%]", ""] {
      #expect(DataSplit(parsing: text) == nil, "\(text)")
    }
  }

  @Test("made-up tokens are those that the peers make up")
  func mock() throws {
    let expected = try fixture("rows/mock.json")
    let documents = MockData.Documents(vocabulary: 100, end: 7)
    #expect(Array(documents.lengths[..<40]) == expected["lengths"]?.numbers)
    #expect(documents.tokens(0).count == documents.lengths[0])
    #expect(documents.tokens(0).last == 7)
    let uniform = MockData.uniform(vocabulary: 1000, length: 6, count: 3, seed: 7)
    #expect(
      try (0..<3).map { try uniform.sample($0).tokens } == expected["randint"]?.array?.map(\.ids))
    let sentences = MockData.sentences(count: 4, vocabulary: 50)
    #expect(
      try (0..<4).map { try sentences.sample($0).tokens }
        == expected["sentences"]?.array?.map(\.ids))
  }
}
