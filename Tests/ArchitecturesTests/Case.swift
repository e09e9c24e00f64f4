import Architectures
import Blueprint
import Foundation
import JSON
import SafeTensors
import Support
import Testing

/// A small checkpoint of another program.
struct Case: CustomTestStringConvertible, Sendable {
  /// `hf/NAME` or `bridge/NAME`.
  var path: String
  var folder: URL { Support.model(path) }
  var name: String { path.split(separator: "/").last.map(String.init) ?? path }
  var testDescription: String { path }

  func configuration() throws -> JSONObject {
    try readObject(Support.data(path + "/hf/config.json"))
  }

  /// The model, without predictors where the files leave them out.
  func blueprint() throws -> Blueprint {
    let source = try ShardedFolder(folder.path)
    var blueprint = try Registry.blueprint(configuration()) { source[$0] != nil }.blueprint
    let predicted = blueprint.slots.filter(\.isPredictor).flatMap(\.slot.parts)
    if !predicted.isEmpty, predicted.allSatisfy({ source[$0.name] == nil }) {
      blueprint.predictors = []
    }
    return blueprint
  }

  static let huggingFace = all(in: "hf")
  static let bridge = all(in: "bridge")

  private static func all(in folder: String) -> [Case] {
    Support.names(in: folder).map { Case(path: "\(folder)/\($0)") }
  }
}

extension Case {
  /// What a case's configuration is refused with when one key has another value; `nil` if it is not.
  static func refusal(_ name: String, _ key: String, _ value: JSON) throws -> ConfigError? {
    var configuration = try Case(path: "hf/" + name).configuration()
    configuration[key] = value
    do {
      _ = try Registry.blueprint(configuration)
      return nil
    } catch {
      return error
    }
  }
}

func readObject(_ file: URL) throws -> JSONObject {
  let json = try JSON(parsing: [UInt8](Data(contentsOf: file)), allowingNonFinite: true)
  struct NoObject: Error {}
  guard let object = json.object else { throw NoObject() }
  return object
}
