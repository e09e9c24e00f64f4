import Architectures
import Blueprint
import Foundation
import JSON
import Support
import Testing

/// Published models: their numbers as other programs count them and as their makers state them
/// (fixtures/counts; the head of generate.py says where each number is from).
struct CountTests {
  struct Model: CustomTestStringConvertible, Sendable {
    var name: String
    var file: JSONObject
    var testDescription: String { name }
    var configuration: JSONObject { file["configuration"]?.object ?? JSONObject() }
    var className: String { configuration["architectures"]?.array?.first?.string ?? "" }
    var parameters: Int? { file["parameters"]?.integer }
    func blueprint() throws -> Blueprint { try Registry.blueprint(configuration).blueprint }
  }

  static let models = Support.names(inFixture: "counts").map { name in
    Model(
      name: String(name.dropLast(5)),
      file: (try? readObject(Support.fixtures.appending(path: "counts/\(name)"))) ?? JSONObject())
  }

  @Test(arguments: models) func publishedModelsHaveTheirNumberOfParameters(_ model: Model) throws {
    let blueprint = try model.blueprint()
    let expected = try #require(model.parameters) + #require(model.file["buffers"]?.integer)
    #expect(blueprint.parameters - blueprint.counts.predictors == expected)
  }

  /// "2.7B" is met by what rounds to it, up or down.
  private func meets(_ stated: String, _ count: Int) throws -> Bool {
    #expect(stated.hasSuffix("B"))
    let value = try #require(Double(stated.dropLast()))
    let decimals = stated.dropLast().split(separator: ".").dropFirst().first?.count ?? 0
    let unit = (0..<decimals).reduce(1.0) { unit, _ in unit / 10 }
    return abs(Double(count) / 1e9 - value) < unit
  }

  @Test(arguments: models) func theOtherProgramsCountIsWhatTheMakersState(_ model: Model) throws {
    let parameters = try #require(model.parameters)
    if let published = model.file["published"]?.integer { #expect(published == parameters) }
    if let stated = model.file["stated"]?.string { #expect(try meets(stated, parameters)) }
  }

  /// Cards count a token's parameters with both vocabulary tables, without the embedding's, or without
  /// both (`active_without`: 0, 1, 2).
  @Test(arguments: models.filter { $0.file["active"] != nil })
  func aTokenMeetsAsManyParametersAsTheCardStates(_ model: Model) throws {
    let blueprint = try model.blueprint()
    let tables = model.file["active_without"]?.integer ?? 0
    let vocabulary = tables * blueprint.frame.vocabulary * blueprint.frame.width
    let stated = try #require(model.file["active"]?.string)
    #expect(
      try meets(stated, blueprint.activeParameters - vocabulary),
      "\(stated), not \(blueprint.activeParameters) without \(tables) tables")
  }

  @Test func everyFamilyHasAPublishedModelAmongThem() {
    let names = Set(Self.models.map(\.className))
    for architecture in Registry.all {
      #expect(architecture.names.contains { names.contains($0) }, "\(architecture)")
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
