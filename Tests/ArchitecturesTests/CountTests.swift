import Architectures
import Foundation
import JSON
import Support
import Testing

/// Published models: expected numbers from transformers on the meta device (fixtures/counts/generate.py).
struct CountTests {
  static let names = Support.names(inFixture: "counts")

  @Test(arguments: names)
  func publishedModelsHaveTheirNumberOfParameters(_ name: String) throws {
    let file = try readObject(Support.fixtures.appending(path: "counts/\(name)"))
    let configuration = try #require(file["configuration"]?.object)
    let blueprint = try Registry.blueprint(configuration).blueprint
    let predicted = blueprint.slots.filter(\.isPredictor).reduce(0) { $0 + $1.slot.shape.count }
    let parameters = try #require(file["parameters"]?.integer)
    let corrections = try #require(file["correction_biases"]?.integer)
    #expect(blueprint.parameters - predicted == parameters + corrections)
  }

  @Test func theModelCardsNumbersOfActiveParametersAreMet() throws {
    // "3.3B activated" (Qwen3-30B-A3B), "37B activated" (DeepSeek-V3), "12.9B" (Mixtral 8x7B),
    // "3.5B active" (Nemotron 3 Nano): the cards of the models.
    let cards: KeyValuePairs = [
      "qwen3_30b_a3b": 3.25e9..<3.4e9, "deepseek_v3": 36.5e9..<38e9,
      "mixtral_8x7b": 12.8e9..<12.95e9, "nemotron_3_nano_30b_a3b": 3.4e9..<3.65e9,
    ]
    for (name, range) in cards {
      let file = try readObject(Support.fixtures.appending(path: "counts/\(name).json"))
      let configuration = try #require(file["configuration"]?.object)
      let active = try Registry.blueprint(configuration).blueprint.activeParameters
      #expect(range.contains(Double(active)), "\(name): \(active)")
    }
  }
}

extension Support {
  /// The names of the JSON files in a folder of the fixtures, sorted.
  static func names(inFixture folder: String) -> [String] {
    let names = try? FileManager.default.contentsOfDirectory(
      atPath: fixtures.appending(path: folder).path)
    return (names ?? []).filter { $0.hasSuffix(".json") }.sorted()
  }
}
