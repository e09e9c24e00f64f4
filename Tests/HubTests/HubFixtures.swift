import Foundation
import Hub
import JSON
import Support
import Testing

/// What huggingface_hub made of settings, references, patterns and downloads: `fixtures/hub`.
enum HubFixtures {
  static func object(_ name: String) -> JSONObject {
    let path = Support.fixtures.appending(path: "hub/\(name).json")
    guard let data = try? Data(contentsOf: path) else { return [:] }
    return (try? JSON(parsing: Array(data)))?.object ?? [:]
  }

  /// The commits of the hub that it downloaded from.
  static let commits = object("cache")["commits"]?.object ?? [:]

  /// A cache's entries as text: what a path leads to, holds, or that it is an empty folder.
  static func entries(_ kind: String) -> [String: String] {
    var result: [String: String] = [:]
    for (path, entry) in object("cache")[kind]?.object?.members ?? [] {
      let entry = entry.object ?? [:]
      result[path] =
        if let target = entry["link"]?.string {
          "-> \(target)"
        } else if let text = entry["text"]?
          .string
        { (entry["mode"]?.string ?? "") + " " + text } else { "folder" }
    }
    return result
  }

  /// The same of a folder.
  static func entries(of folder: URL) throws -> [String: String] {
    var result: [String: String] = [:]
    let files = FileManager.default
    for path in try files.subpathsOfDirectory(atPath: folder.path) {
      let full = folder.path + "/" + path
      let facts = try files.attributesOfItem(atPath: full)
      switch facts[.type] as? FileAttributeType {
      case .typeSymbolicLink?:
        result[path] = "-> " + (try files.destinationOfSymbolicLink(atPath: full))
      case .typeDirectory?:
        if try files.contentsOfDirectory(atPath: full).isEmpty { result[path] = "folder" }
      default:
        let mode = (facts[.posixPermissions] as? Int) ?? 0
        let text = String(decoding: try Data(contentsOf: URL(filePath: full)), as: UTF8.self)
        result[path] = "0o" + String(mode, radix: 8) + " " + text
      }
    }
    return result
  }

  /// Lays a cache out as huggingface_hub left it.
  static func lay(_ kind: String, in folder: URL) throws {
    for (path, entry) in object("cache")[kind]?.object?.members ?? [] {
      let place = folder.appending(path: path)
      let files = FileManager.default
      try files.createDirectory(
        at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
      if let target = entry.object?["link"]?.string {
        try files.createSymbolicLink(atPath: place.path, withDestinationPath: target)
      } else if let text = entry.object?["text"]?.string {
        try Data(text.utf8).write(to: place)
      } else {
        try files.createDirectory(at: place, withIntermediateDirectories: true)
      }
    }
  }

  static func settings(_ folder: URL) -> HubSettings {
    HubSettings(home: folder.path, cache: folder.path)
  }
}
