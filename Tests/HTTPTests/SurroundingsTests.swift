import HTTP
import Testing

@testable import struct HTTP.HTTPAddress
@testable import struct HTTP.HTTPSurroundings

@Suite struct SurroundingsTests {
  @Test func aProxyIsAskedForTheWholeAddress() throws {
    let proxy = try RawServer { _ in .answer(200, [:], [1]) }
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
      // With the scheme and without, as people write it.
      for value in [proxy.address, "127.0.0.1:\(proxy.port)"] {
        let client = HTTPClient.plain([name: value])
        #expect(try client.send(.get("http://hub.example:8080/a?b=c")).body == [1])
        let request = try #require(proxy.requests.last)
        #expect(request.line == "GET http://hub.example:8080/a?b=c HTTP/1.1")
        #expect(request["Host"] == "hub.example:8080")
      }
    }
  }

  @Test func aHostThatNoProxyNamesIsAskedItself() throws {
    let proxy = try RawServer { _ in .answer(500) }
    let server = try RawServer { _ in .answer(200) }
    let client = HTTPClient.plain(["http_proxy": proxy.address, "NO_PROXY": "a.b, 127.0.0.1"])
    #expect(try client.send(.get(server.address)).status == 200)
    #expect(proxy.requests.isEmpty)
  }

  @Test(
    arguments: [
      ("hub.example", true), ("example", true), (".example", true), ("*.example", true),
      ("HUB.Example", true), ("*", true), ("hub.example:8080", true), ("https://hub.example", true),
      ("hub.example:80", false), ("ub.example", false), ("hub.example.org", false), ("", false),
      ("other,hub.example", true), ("other hub.example", true),
    ])
  func namesInNoProxyHoldThoseBelowThem(_ value: String, _ isHeld: Bool) throws {
    let surroundings = HTTPSurroundings(["http_proxy": "p:1", "no_proxy": value])
    let address = try #require(HTTPAddress("http://hub.example:8080/"))
    #expect((surroundings.proxy(to: address) == nil) == isHeld)
  }

  @Test(
    arguments: [
      ("http://10.1.2.3/", "10.0.0.0/8", true), ("http://11.1.2.3/", "10.0.0.0/8", false),
      ("http://10.1.2.3/", "0.0.0.0/0", true), ("http://10.1.2.3/", "10.1.2.3/32", true),
      ("http://10.1.2.4/", "10.1.2.3/32", false), ("http://10.1.2.3/", "10.1.2.3/33", false),
      ("http://[::1]:8080/", "::1", true), ("http://[::1]:8080/", "[::1]:8080", true),
      ("http://[::1]:8080/", "[::1]:80", false), ("http://a10.0.0.0/", "10.0.0.0/8", false),
    ])
  func addressesInNoProxyMayBeBlocks(_ url: String, _ value: String, _ isHeld: Bool) throws {
    let surroundings = HTTPSurroundings(["all_proxy": "p:1", "no_proxy": value])
    let address = try #require(HTTPAddress(url))
    #expect((surroundings.proxy(to: address) == nil) == isHeld)
  }

  @Test func eachSchemeHasItsProxy() throws {
    let http = try #require(HTTPAddress("http://h/"))
    let https = try #require(HTTPAddress("https://h/"))
    let both = HTTPSurroundings(["http_proxy": "a", "HTTPS_PROXY": "b", "ALL_PROXY": "c"])
    #expect(both.proxy(to: http)?.value == "a")
    #expect(both.proxy(to: https) == HTTPSetting(name: "HTTPS_PROXY", value: "b"))
    let one = HTTPSurroundings(["http_proxy": "a"])
    #expect(one.proxy(to: https) == nil)
    // The lower case counts, even to say that there is none.
    let none = HTTPSurroundings(["http_proxy": "", "HTTP_PROXY": "a"])
    #expect(none.proxy(to: http) == nil)
    // Somebody who asks a web server for "Proxy:" must not choose ours.
    let forged = HTTPSurroundings(["HTTP_PROXY": "a", "REQUEST_METHOD": "GET"])
    #expect(forged.proxy(to: http) == nil)
  }

  @Test func aProxyThatIsNotThereIsNamed() throws {
    let error = #expect(throws: HTTPError.self) {
      try HTTPClient.plain(["HTTP_PROXY": "http://name:secret@127.0.0.1:1"]).send(
        .get("http://hub.example/a", patience: 5))
    }
    guard case .proxy("http://hub.example/a", let proxy, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(proxy.name == "HTTP_PROXY")
    let text = try #require(error?.description)
    #expect(text.contains("the proxy http://127.0.0.1:1, which HTTP_PROXY names"))
    #expect(!text.contains("secret"))
  }

  @Test(arguments: ["http", "https"]) func aProxyThatRefusesIsNamed(_ scheme: String) throws {
    let proxy = try RawServer { _ in .answer(407) + [.end] }
    let error = #expect(throws: HTTPError.self) {
      try HTTPClient.plain(["all_proxy": proxy.address]).send(
        .get("\(scheme)://hub.example/a", token: "secret", patience: 5))
    }
    guard case .proxy("\(scheme)://hub.example/a", _, let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(!reason.isEmpty)
    if scheme == "https" {
      // Only where to go, and nothing for there.
      #expect(proxy.requests[0].line == "CONNECT hub.example:443 HTTP/1.1")
      #expect(proxy.requests[0]["Authorization"] == nil)
    }
  }

  @Test func theQueryAndThePasswordAreNotShown() {
    for (text, shown) in [
      ("https://h/a/b?X-Amz-Signature=1#c", "https://h/a/b"),
      ("http://u:p@h:1/@x", "http://h:1/@x"),
      ("http://u:p@h", "http://h"), ("nothing", "nothing"), ("http://a@b@h/", "http://h/"),
    ] {
      #expect(HTTPAddress.shown(text) == shown)
    }
  }
}
