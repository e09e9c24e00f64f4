import Architectures
import Engine
import Foundation
import JSON
import Support
import Testing

@testable import Training

/// How many numbers adapters learn, told without a model, is how many there are on one.
@Suite struct LearnedCountTests {
  @Test(
    "the count is that of the attached pairs",
    arguments: [AdapterSettings.Kind.lora, .dora, .canonical, .parts])
  func counts(kind: AdapterSettings.Kind) throws {
    let file = Support.fixtures.appending(path: "demo/config.json")
    let config = try #require(try JSON(parsing: Array(Data(contentsOf: file))).object)
    let blueprint = try Registry.blueprint(config).blueprint
    var settings = AdapterSettings()
    settings.kind = kind
    settings.rank = 4
    settings.targets =
      switch kind {
      case .lora, .dora: ["linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"]
      case .canonical: ["linear_q", "linear_v", "linear_fc1_gate", "linear_fc2"]
      case .parts: ["q_proj", "down_proj"]
      }
    let model = try Model(blueprint, .float32, seed: 1)
    try model.attach(settings.pairs(on: model), seed: 1)
    // Of a frozen base only the pairs learn.
    let pairs = model.learned.filter { !($0 is Parameter) }
    #expect(try settings.learnedCount(on: blueprint) == pairs.reduce(0) { $0 + $1.value.count })
  }
}
