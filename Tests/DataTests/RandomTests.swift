import Foundation
import JSON
import Support
import Testing

@testable import Data

/// What NumPy and PyTorch drew; see fixtures/generate_random.py.
private func drawn() throws -> JSONObject {
  let url = Support.fixtures.appending(path: "indexed/random.json")
  return try #require(try JSON(parsing: Array(Data(contentsOf: url))).object)
}

private func numbers(_ value: JSON?) -> [Int] { value?.array?.compactMap(\.integer) ?? [] }

@Test func drawsWhatNumPyDraws() throws {
  for entry in try #require(drawn()["numpy"]?.array) {
    let expected = try #require(entry.object)
    let seeds = numbers(expected["seed"])
    let isArray = expected["array"] == .bool(true)
    var random =
      isArray
      ? NumPyRandom(seeds: seeds.isEmpty ? Array(0..<700) : seeds.map(UInt32.init))
      : NumPyRandom(seed: UInt32(seeds[0]))
    #expect(random.permutation(20) == numbers(expected["permutation"]))
    var list = Array(0..<11)
    random.shuffle(&list)
    #expect(list == numbers(expected["list"]))
    var wide = Array(Int32(0)..<3000)
    random.shuffle(&wide)
    let told = try #require(expected["wide"]?.object)
    #expect(wide.prefix(8).map(Int.init) == numbers(told["head"]))
    #expect(wide.suffix(8).map(Int.init) == numbers(told["tail"]))
    #expect(zip(wide, 0...).reduce(0) { $0 + Int($1.0) * $1.1 } == told["sum"]?.integer)
    #expect((0..<6).map { _ in random.integer(in: 0..<1000) } == numbers(expected["integers"]))
    #expect((0..<6).map { _ in random.integer(in: -7..<5) } == numbers(expected["negative"]))
    let large = (0..<4).map { _ in "\(random.integer(in: 0..<1 << 40))" }
    #expect(large == expected["large"]?.array?.compactMap(\.string))
    #expect(
      (0..<4).map { _ in random.fraction() } == expected["fractions"]?.array?.compactMap(\.double))
    #expect(random.choice(50, size: 5) == numbers(expected["choice"]))
    #expect(random.distinctChoice(50, size: 5) == numbers(expected["distinct"]))
    #expect(random.choice(weights: [0.1, 0.2, 0.3, 0.4], size: 8) == numbers(expected["weighted"]))
    #expect(random.integer(in: 0..<1 << 31) == expected["after"]?.integer)
  }
}

@Test func permutesAsPyTorchDoes() throws {
  for entry in try #require(drawn()["torch"]?.array) {
    let expected = try #require(entry.object)
    var random = TorchRandom(seed: UInt64(try #require(expected["seed"]?.integer)))
    for order in try #require(expected["permutations"]?.array) {
      let order = numbers(order)
      #expect(random.permutation(order.count) == order)
    }
  }
}
