import HubStandIn
import Testing

@Suite struct StandInFaultTests {
  /// A stand-in with one large file of 100,000 bytes, and where these lie.
  private func large() throws -> (HubStandIn, place: String, bytes: [UInt8]) {
    let hub = try HubStandIn()
    try hub.put("org/model", files: ["m.safetensors": .synthetic(size: 100_000, seed: 7)])
    let reply = try StandInClient.ask(
      "HEAD", "\(hub.endpoint)/org/model/resolve/main/m.safetensors")
    let place = try #require(reply.headers["location"])
    hub.forgetRequests()
    return (hub, place, HubStandIn.Contents.syntheticBytes(size: 100_000, seed: 7))
  }

  @Test func syntheticContentsArriveAsTheyAre() throws {
    let (hub, place, bytes) = try large()
    let reply = try StandInClient.ask("GET", place)
    #expect(reply.body == bytes)
    #expect(hub.requests.map(\.sent) == [100_000])
  }

  @Test func anAnswerIsCutOnceAndThenWhole() throws {
    let (hub, place, bytes) = try large()
    hub.fail(.storage, with: .cut(after: 12_345))
    let cut = try StandInClient.ask("GET", place)
    #expect(cut.headers["content-length"] == "100000")
    #expect(cut.body == Array(bytes[..<12_345]))
    #expect(try StandInClient.ask("GET", place).body == bytes)
    #expect(hub.sent == 112_345)
  }

  @Test func anAnswerStopsComing() throws {
    let (hub, place, bytes) = try large()
    hub.fail(.storage, with: .stall(after: 1000))
    #expect(try StandInClient.ask("GET", place).body == Array(bytes[..<1000]))
    hub.fail(with: .silence)
    #expect(throws: StandInClient.NoAnswer.self) { try StandInClient.ask("GET", place) }
  }

  @Test func oneByteIsWrong() throws {
    let (hub, place, bytes) = try large()
    hub.fail(.storage, with: .corrupt(at: 70_000), times: 2)
    for start in [0, 60_000] {
      let wrong = try StandInClient.ask("GET", place, ["Range": "bytes=\(start)-"]).body
      let right = Array(bytes[start...])
      #expect(wrong.count == right.count)
      #expect(wrong.indices.filter { wrong[$0] != right[$0] } == [70_000 - start])
    }
  }

  @Test func aRangeIsIgnoredOrAnotherOne() throws {
    let (hub, place, bytes) = try large()
    hub.fail(.init(ranged: true), with: .ignoreRange)
    let whole = try StandInClient.ask("GET", place, ["Range": "bytes=500-"])
    #expect(whole.status == 200)
    #expect(whole.body == bytes)
    hub.fail(.init(ranged: true), with: .otherRange(from: 400))
    let other = try StandInClient.ask("GET", place, ["Range": "bytes=500-"])
    #expect(other.headers["content-range"] == "bytes 400-99999/100000")
    #expect(other.body == Array(bytes[400...]))
  }

  @Test func answersComeInChunksAndCompressed() throws {
    let hub = try HubStandIn()
    try hub.put("org/model", files: ["a": "hello\n"])
    let url = "\(hub.endpoint)/org/model/resolve/main/a"
    hub.fail(.path("/a"), with: .chunked)
    let chunked = try StandInClient.ask("GET", url)
    #expect(chunked.headers["content-length"] == nil)
    #expect(chunked.text == "6\r\nhello\n\r\n0\r\n\r\n")
    hub.fail(.path("/a"), with: .gzip, times: 2)
    #expect(try StandInClient.ask("GET", url).text == "hello\n")
    let packed = try StandInClient.ask("GET", url, ["Accept-Encoding": "gzip"])
    #expect(packed.headers["content-encoding"] == "gzip")
    // What `gzip -d` takes: a stored block of 6 bytes, their CRC-32 363a3020 and their count.
    #expect(
      packed.body.dropFirst("1d\r\n".utf8.count + 10).prefix(19)
        == [1, 6, 0, 0xf9, 0xff] + Array("hello\n".utf8)[...] + [
          0x20, 0x30, 0x3a, 0x36, 6, 0, 0, 0,
        ])
  }

  @Test func aLimitSaysWhenToComeBack() throws {
    let hub = try HubStandIn()
    hub.fail(with: .tooMany(retryAfter: 7))
    hub.fail(with: .tooMany(rateLimitSeconds: 55))
    let first = try StandInClient.ask("GET", "\(hub.endpoint)/api/whoami-v2")
    #expect(first.status == 429)
    let second = try StandInClient.ask("GET", "\(hub.endpoint)/api/whoami-v2")
    #expect(first.headers["retry-after"] == "7")
    #expect(second.headers["ratelimit"] == "\"resolvers\";r=0;t=55")
  }

  @Test func connectionsAreRefusedAndTakenAgain() throws {
    let hub = try HubStandIn()
    try hub.put("org/model", files: ["a": "1"])
    let url = "\(hub.endpoint)/org/model/resolve/main/a"
    try hub.refuse()
    #expect(throws: (any Error).self) { try StandInClient.ask("GET", url) }
    #expect(hub.connectionCount == 0)
    try hub.refuse(false)
    #expect(try StandInClient.ask("GET", url).text == "1")
  }

  @Test func onlyWhatMatchesFails() throws {
    let hub = try HubStandIn()
    try hub.put("org/model", files: ["a": "1", "b": "2"])
    hub.fail(.init(method: "GET", path: "/b"), with: .status(503))
    let url = "\(hub.endpoint)/org/model/resolve/main"
    #expect(try StandInClient.ask("GET", "\(url)/a").status == 200)
    #expect(try StandInClient.ask("HEAD", "\(url)/b").status == 200)
    #expect(try StandInClient.ask("GET", "\(url)/b").status == 503)
    #expect(try StandInClient.ask("GET", "\(url)/b").status == 200)
  }
}
