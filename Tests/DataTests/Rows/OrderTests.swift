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

@Suite struct LoaderTests {
  private let dataset = Dataset(
    (1...9).map { index in
      Sample(
        tokens: (0...Int32(index)).map { 10 * Int32(index) + $0 },
        trained: Array(repeating: true, count: index + 1))
    }, origin: "test")

  private func batches(_ loader: SampleLoader, _ count: Int) throws -> [[Sample]] {
    var loader = loader
    return try (0..<count).compactMap { _ in try loader.next() }
  }

  @Test(
    "an epoch gives every sample once, in its order",
    arguments: [
      SampleLoader.Size.samples(1), .samples(4), .samples(20), .tokens(9), .tokens(12),
      .tokens(1000),
    ])
  func epochs(size: SampleLoader.Size) throws {
    let order = SampleOrder.torch(seed: 3)
    let all = try batches(SampleLoader(dataset, size: size, order: order), 30).flatMap { $0 }
    for epoch in 0..<2 {
      let expected = try order.indices(epoch: epoch, count: 9).map { try dataset.sample($0) }
      guard all.count >= 9 * (epoch + 1) else {
        #expect(epoch > 0)
        continue
      }
      #expect(Array(all[9 * epoch..<9 * (epoch + 1)]) == expected)
    }
  }

  @Test("packs are as full as the next sample lets them be, and never overfull")
  func packs() throws {
    let packs = try batches(SampleLoader(dataset, size: .tokens(12)), 5)
    #expect(packs.map { $0.map { $0.count - 1 } } == [[1, 2, 3, 4], [5, 6], [7], [8], [9]])
    // One that fits nowhere comes alone.
    let small = try batches(SampleLoader(dataset, size: .tokens(4)), 9)
    #expect(small.map(\.count) == [2, 1, 1, 1, 1, 1, 1, 1, 2])
  }

  @Test(
    "stopped after any batch and gone on with, the same batches follow",
    arguments: [
      SampleLoader.Size.samples(4), .tokens(12),
    ])
  func resumption(size: SampleLoader.Size) throws {
    let order = SampleOrder.torch(seed: 1)
    let whole = try batches(SampleLoader(dataset, size: size, order: order), 12)
    for stop in 0..<12 {
      var first = try SampleLoader(dataset, size: size, order: order)
      for _ in 0..<stop { _ = try first.next() }
      let second = try SampleLoader(dataset, size: size, order: order, from: first.position)
      #expect(try batches(second, 12 - stop) == Array(whole[stop...]))
    }
  }

  @Test("a walk that is to end does")
  func end() throws {
    var loader = try SampleLoader(dataset, size: .samples(4), order: .blocks(samples: 11, seed: 1))
    #expect(try (0..<5).map { _ in try loader.next()?.count } == [4, 4, 1, 2, nil])
    #expect(throws: DataError.self) { try SampleLoader(dataset, size: .samples(0)) }
  }
}
