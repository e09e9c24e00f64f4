import Foundation
import HTTP
import HubStandIn
import Support
import Tensors
import Testing

/// Retries, redirects and files together, against a hub and its storage.
@Suite struct StorageTests {
  private let client = HTTPClient.plain()
  private let bytes = sampleBytes(300_000)

  private func hub() throws -> HubStandIn {
    let hub = try HubStandIn()
    hub.know("hf_test", as: HubStandIn.Account("org"))
    try hub.put(
      "org/model", files: ["model.safetensors": .bytes(bytes, large: true)], access: .private)
    return hub
  }

  private func receive(
    _ hub: HubStandIn, _ path: String, attempts: Int = 3,
    _ waits: (HTTPRetries.Wait) -> Void = { _ in }
  ) throws -> (status: Int, digest: String?) {
    let file = try HTTPFile(path, size: bytes.count, digest: .sha256, keeping: true)
    let request = HTTPRequest.get(
      hub.endpoint + "/org/model/resolve/main/model.safetensors", token: "hf_test",
      redirects: .all)
    let response = try HTTPRetries(attempts: attempts, firstWait: 0.01).run(
      progress: { file.received }, waiting: waits
    ) { () throws(HTTPError) in try client.receive(request, into: file) }
    return (response.status, try file.finish())
  }

  @Test func whatBreaksOffAgainAndAgainGoesOnWhereItWas() throws {
    let hub = try hub()
    defer { hub.stop() }
    hub.fail(.storage, with: .cut(after: 30_000), times: 5)
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "arriving").path
      var waits: [HTTPRetries.Wait] = []
      let found = try receive(hub, path) { waits.append($0) }
      #expect(found.status == 206)
      #expect(try Digest.of(file: path, .sha256) == found.digest)
      #expect([UInt8](try Data(contentsOf: URL(filePath: path))) == bytes)
      #expect(waits.count == 5 && waits.allSatisfy { $0.attempt == 1 })
    }
    let stored = hub.requests.filter { $0.server == .storage }
    #expect(stored.count == 6)
    // Nothing is sent twice.
    #expect(stored.map(\.sent).reduce(0, +) == bytes.count)
    #expect(stored.allSatisfy { $0.authorization == nil })
    #expect(
      hub.requests.filter { $0.server == .hub }.allSatisfy { $0.authorization != nil })
  }

  @Test func aRefusalThatPassesIsWaitedFor() throws {
    let hub = try hub()
    defer { hub.stop() }
    hub.fail(.any, with: .tooMany(rateLimitSeconds: 0), times: 1)
    hub.fail(.storage, with: .status(503), times: 1)
    try Support.withTemporaryFolder { folder in
      let path = folder.appending(path: "arriving").path
      var causes: [Int] = []
      let found = try receive(hub, path) {
        if case .status(let status) = $0.cause { causes.append(status) }
      }
      #expect(found.status == 200)
      #expect(causes == [429, 503])
      #expect(try Digest.of(file: path, .sha256) == found.digest)
    }
  }
}
