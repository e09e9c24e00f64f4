import HTTP
import Testing

@Suite struct RedirectTests {
  let client = HTTPClient.plain()

  /// An answer that leads elsewhere.
  private func leading(to place: String, _ status: Int = 302) -> [RawServer.Step] {
    .answer(status, ["Location": place, "X-Linked-Size": "7"])
  }

  @Test(arguments: [301, 302, 303, 307, 308])
  func aRelativeOneIsFollowedWithTheToken(_ status: Int) throws {
    let server = try RawServer { request in
      switch request.target {
      case "/a/b?c": leading(to: "../renamed/b?d=1", status)
      case "/renamed/b?d=1": .answer(200, [:], [1])
      default: .answer(404)
      }
    }
    let response = try client.send(.get(server.address + "/a/b?c", token: "secret"))
    #expect(response.status == 200 && response.body == [1])
    #expect(response.url == server.address + "/renamed/b?d=1")
    #expect(server.requests.map { $0["Authorization"] } == ["Bearer secret", "Bearer secret"])
  }

  @Test func oneToAnotherPortLosesEverySecret() throws {
    let storage = try RawServer { _ in .answer(200, [:], [1]) }
    let hub = try RawServer { _ in leading(to: storage.address + "/blob?signature=x") }
    var request = HTTPRequest.get(hub.address, token: "secret", redirects: .all)
    request.headers.add("Cookie", "also=secret")
    request.headers.add("X-Open", "1")
    request.range = 5...
    #expect(try client.send(request).body == [1])
    #expect(hub.requests[0]["Authorization"] == "Bearer secret")
    #expect(hub.requests[0]["Cookie"] == "also=secret")
    let second = try #require(storage.requests.first)
    #expect(second["Authorization"] == nil && second["Cookie"] == nil)
    #expect(second["X-Open"] == "1" && second["Range"] == "bytes=5-")
  }

  @Test func anAuthorizationAmongTheFieldsStaysBehindToo() throws {
    let storage = try RawServer { _ in .answer() }
    let hub = try RawServer { _ in leading(to: storage.address) }
    var request = HTTPRequest.get(hub.address, redirects: .all)
    request.headers.add("authorization", "Basic secret")
    _ = try client.send(request)
    #expect(hub.requests[0]["Authorization"] == "Basic secret")
    #expect(storage.requests[0]["Authorization"] == nil)
  }

  @Test func oneBackToTheFirstHostBringsTheTokenAgain() throws {
    let back = try RawServer { request in leading(to: request["X-Back"] ?? "") }
    let hub = try RawServer { request in
      request.target == "/end" ? .answer() : leading(to: back.address)
    }
    var request = HTTPRequest.get(hub.address, token: "secret", redirects: .all)
    request.headers.add("X-Back", hub.address + "/end")
    _ = try client.send(request)
    #expect(back.requests[0]["Authorization"] == nil)
    #expect(hub.requests.map { $0["Authorization"] } == ["Bearer secret", "Bearer secret"])
  }

  @Test func whoWantsOnlyTheSameOriginSeesWhereAnotherIs() throws {
    let storage = try RawServer { _ in .answer() }
    let hub = try RawServer { _ in leading(to: storage.address + "/x") }
    let response = try client.send(.get(hub.address))
    #expect(response.status == 302)
    #expect(response.headers["location"] == storage.address + "/x")
    #expect(response.headers["X-Linked-Size"] == "7")
    #expect(storage.requests.isEmpty)
    let none = try client.send(.get(hub.address + "/a", redirects: .none))
    #expect(none.status == 302)
  }

  @Test func aRoundIsLeftAfterTen() throws {
    let server = try RawServer { _ in leading(to: "/again") }
    #expect(
      throws: HTTPError.badRedirect(
        url: server.address + "/", to: server.address + "/again", .tooMany(10))
    ) { try client.send(.get(server.address + "/")) }
    #expect(server.requests.count == 11)
  }

  @Test(arguments: ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://", "https://a b/"])
  func oneToWhatIsNoAddressIsNotFollowed(_ place: String) throws {
    let server = try RawServer { _ in leading(to: place) }
    #expect(throws: HTTPError.badRedirect(url: server.address + "/", to: place, .noAddress)) {
      try client.send(.get(server.address, redirects: .all))
    }
  }

  @Test func whatIsSentIsNotTurnedIntoAQuestion() throws {
    let server = try RawServer { request in
      request.target == "/kept" ? leading(to: "/end", 307) : leading(to: "/kept", 302)
    }
    func post(_ target: String) -> HTTPRequest {
      HTTPRequest(
        .post, server.address + target, body: .bytes([1, 2]),
        patience: HTTPPatience(seconds: 20, setting: "PATIENCE"))
    }
    #expect(try client.send(post("/lost")).status == 302)
    #expect(server.requests.count == 1)
    #expect(try client.send(post("/kept")).status == 302)
    #expect(server.requests[2].line == "POST /end HTTP/1.1")
    #expect(server.requests[2].body == [1, 2])
  }
}
