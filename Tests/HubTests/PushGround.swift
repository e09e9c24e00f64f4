import Foundation
import Hub
import HubStandIn
import Support

/// A stand-in, someone who may write there, and a folder to push.
final class PushGround: Sendable {
  let standIn: HubStandIn
  let place: URL
  static let token = "hf_someone"

  /// A folder like a model's: settings, two shards and their index, something below.
  static let model: [String: [UInt8]] = [
    "config.json": Array(#"{"architectures":["LlamaForCausalLM"]}"#.utf8),
    "README.md": Array("---\nlicense: mit\n---\n# Mine\n".utf8),
    "model-00001-of-00002.safetensors": noise(70_000, 1),
    "model-00002-of-00002.safetensors": noise(30_001, 2),
    "model.safetensors.index.json": Array(#"{"weight_map":{}}"#.utf8),
    "assets/empty.txt": [],
  ]

  static func noise(_ count: Int, _ seed: UInt8) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ Int(seed)) }
  }

  init(_ change: @Sendable (inout HubStandIn.Settings) -> Void = { _ in }) throws {
    standIn = try HubStandIn()
    standIn.set(change)
    place = FileManager.default.temporaryDirectory
      .appending(path: "isthmus-push-\(UUID().uuidString)")
    standIn.know(Self.token, as: .init("someone", organizations: ["org"]))
  }

  deinit {
    standIn.stop()
    try? FileManager.default.removeItem(at: place)
  }

  /// A hub whose waits are short.
  func hub(
    token: String? = PushGround.token, _ change: (inout HubSettings) -> Void = { _ in }
  ) -> Hub {
    var settings = HubSettings(
      home: place.appending(path: "home").path, cache: place.appending(path: "cache").path)
    settings.endpoint = standIn.endpoint
    settings.token = token.map { HubToken(value: $0, source: "HF_TOKEN") }
    settings.firstWait = 0.01
    settings.attempts = 3
    change(&settings)
    return Hub(settings, environment: [:])
  }

  /// A folder with these files.
  func folder(
    _ files: [String: [UInt8]] = PushGround.model, _ name: String = "model"
  ) throws -> String {
    let folder = place.appending(path: name)
    for (path, bytes) in files {
      let file = folder.appending(path: path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(bytes).write(to: file)
    }
    return folder.path
  }

  /// Looks, and pushes.
  @discardableResult func push(
    _ folder: String, to text: String = "org/new", isPrivate: Bool = false,
    overwrites: Bool = false,
    hub: Hub? = nil
  ) throws -> HubPushed {
    let hub = hub ?? self.hub()
    let target = try hub.target(text, isPrivate: isPrivate, overwrites: overwrites)
    return try hub.push(
      try HubFolder(folder), to: target, summary: "Upload", details: "With Isthmus")
  }

  /// What lies in the repository besides what the hub itself puts there.
  func files(of name: String = "org/new", revision: String = "main") -> [String: [UInt8]] {
    standIn.files(of: name, revision: revision).filter { $0.key != ".gitattributes" }
  }

  /// The requests as `POST /api/repos/create`, without queries.
  var requests: [String] {
    standIn.requests.map { "\($0.method) \($0.path)" }
  }
}

/// The error that work ends with.
func failure(_ work: () throws -> Void) -> (any Error)? {
  do { try work() } catch { return error }
  return nil
}
