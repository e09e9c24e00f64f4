import Foundation
import HTTP
import Support
import Tensors
import Testing

extension HTTPRequest {
  /// A request with the patience of a test.
  static func get(
    _ url: String, token: String? = nil, redirects: Redirects = .sameOrigin, patience: Double = 20
  ) -> HTTPRequest {
    HTTPRequest(
      .get, url, token: token, redirects: redirects,
      patience: HTTPPatience(seconds: patience, setting: "PATIENCE"))
  }
}

extension HTTPClient {
  static func plain(_ environment: [String: String] = [:]) -> HTTPClient {
    HTTPClient(userAgent: "isthmus-test/1", environment: environment)
  }
}

@Suite struct HTTPClientTests {
  @Test func anAnswerComesWithItsStatusFieldsAndBytes() throws {
    let server = try RawServer { _ in .answer(404, ["X-Error-Code": "  EntryNotFound "], [1, 2, 3])
    }
    let response = try HTTPClient.plain().send(.get(server.address + "/a?b=c", token: "secret"))
    #expect(response.status == 404)
    #expect(response.headers["x-error-code"] == "EntryNotFound")
    #expect(response.body == [1, 2, 3])
    #expect(response.url == server.address + "/a?b=c")
    let request = try #require(server.requests.first)
    #expect(request.line == "GET /a?b=c HTTP/1.1")
    #expect(request["User-Agent"] == "isthmus-test/1")
    #expect(request["Accept-Encoding"] == "identity")
    #expect(request["Authorization"] == "Bearer secret")
  }

  @Test func aConnectionIsUsedAgain() throws {
    let server = try RawServer { _ in .answer() }
    let client = HTTPClient.plain()
    for _ in 0..<5 { _ = try client.send(.get(server.address)) }
    #expect(server.requests.count == 5)
    #expect(server.connections == 1)
  }

  @Test func aConnectionThatTheServerClosedIsMadeAnew() throws {
    let server = try RawServer { _ in .answer(200, [:], [7]) + [.end] }
    let client = HTTPClient.plain()
    for _ in 0..<3 { #expect(try client.send(.get(server.address)).body == [7]) }
  }

  @Test func bytesAndStretchesOfFilesAreSent() throws {
    let server = try RawServer { .answer(200, [:], $0.body) }
    let client = HTTPClient.plain()
    let patience = HTTPPatience(seconds: 20, setting: "PATIENCE")
    let bytes = sampleBytes(300_000)
    let posted = HTTPRequest(
      .post, server.address, headers: ["Content-Type": "application/json"], body: .bytes(bytes),
      patience: patience)
    #expect(try client.send(posted).body == bytes)
    #expect(server.requests[0].method == "POST")
    #expect(server.requests[0]["Content-Type"] == "application/json")
    #expect(server.requests[0]["Expect"] == nil)
    try Support.withTemporaryFolder { folder in
      let file = folder.appending(path: "sent").path
      try Data(bytes).write(to: URL(filePath: file))
      var put = HTTPRequest(
        .put, server.address, body: .file(path: file, range: 1000..<250_000), patience: patience)
      #expect(try client.send(put).body == Array(bytes[1000..<250_000]))
      put.body = .file(path: file, range: 299_000..<301_000)
      #expect(
        throws: HTTPError.file(
          .endOfFile(path: file, wanted: 299_000..<301_000, size: 300_000))
      ) { try client.send(put) }
    }
    let empty = HTTPRequest(.post, server.address, body: .bytes([]), patience: patience)
    #expect(try client.send(empty).status == 200)
    #expect(server.requests.last?["Content-Length"] == "0")
  }

  @Test func aHeadRequestWaitsForNoBody() throws {
    let server = try RawServer { _ in .answer(200, ["Content-Length": "1000000"]) }
    let request = HTTPRequest(
      .head, server.address, patience: HTTPPatience(seconds: 20, setting: "PATIENCE"))
    #expect(try HTTPClient.plain().send(request).headers["Content-Length"] == "1000000")
  }

  @Test func tooLongAnAnswerIsAnErrorWhetherItSaysSoOrNot() throws {
    let server = try RawServer { request in
      request.target == "/chunks"
        ? [
          .text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n"),
          .text("8\r\n12345678\r\n0\r\n\r\n"),
        ] : .answer(200, [:], [UInt8](repeating: 1, count: 16))
    }
    let client = HTTPClient.plain()
    for target in ["/chunks", "/"] {
      #expect(try client.send(.get(server.address + target), limit: 16).body.count == 16)
      #expect(throws: HTTPError.tooLong(url: server.address + target, limit: 15)) {
        try client.send(.get(server.address + target), limit: 15)
      }
    }
  }

  @Test func aFieldWithTheEndOfALineIsNotSent() throws {
    let server = try RawServer { _ in .answer() }
    #expect(throws: HTTPError.badField(url: server.address + "/", name: "Authorization")) {
      try HTTPClient.plain().send(.get(server.address, token: "a\r\nX-Evil: 1"))
    }
    #expect(server.requests.isEmpty)
  }
}
