import Foundation
import HTTP
import Support
import Synchronization
import Tensors
import Testing

@Suite struct PatienceTests {
  let client = HTTPClient.plain()

  @Test func aSilentServerIsNamedWithTheSetting() throws {
    let server = try RawServer { _ in [.wait(60)] }
    let error = #expect(throws: HTTPError.self) {
      try client.send(.get(server.address + "/a?signature=1", patience: 0.2))
    }
    #expect(
      error
        == .stalled(
          url: server.address + "/a?signature=1", received: 0,
          patience: HTTPPatience(seconds: 0.2, setting: "PATIENCE")))
    #expect(
      error?.description
        == "\(server.address)/a sent nothing for 0.2 seconds, after 0 bytes. Try again later, or be more "
        + "patient: PATIENCE says how many seconds.")
  }

  @Test func aServerThatStopsInTheMiddleIsFoundAndWhatCameIsKept() throws {
    let server = try RawServer { _ in
      [
        .text("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        .bytes([UInt8](repeating: 1, count: 10)), .wait(60),
      ]
    }
    try Support.withTemporaryFolder { folder in
      let file = try HTTPFile(
        folder.appending(path: "a").path, size: 1000, digest: .sha256, keeping: true)
      #expect(
        throws: HTTPError.stalled(
          url: server.address + "/", received: 10,
          patience: HTTPPatience(seconds: 0.2, setting: "PATIENCE"))
      ) { try client.receive(.get(server.address, patience: 0.2), into: file) }
      #expect(file.received == 10)
    }
  }

  @Test func aSlowServerThatGoesOnIsWaitedFor() throws {
    let server = try RawServer { _ in
      [.text("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")]
        + (0..<10).flatMap { [.wait(0.1), .bytes([$0])] }
    }
    // Longer than the patience in all, but never silent for so long.
    let response = try client.send(.get(server.address, patience: 0.9))
    #expect(response.body == Array(0..<10))
  }

  @Test func aHostThatTakesNoConnectionIsFound() throws {
    let deaf = try DeafServer()
    #expect(
      throws: HTTPError.stalled(
        url: deaf.address + "/", received: 0,
        patience: HTTPPatience(seconds: 0.3, setting: "PATIENCE"))
    ) { try client.send(.get(deaf.address, patience: 0.3)) }
  }

  @Test(arguments: ["http", "https"]) func aProxyThatTakesNoConnectionIsNamed(_ scheme: String)
    throws
  {
    let deaf = try DeafServer()
    let client = HTTPClient.plain(["all_proxy": deaf.address])
    #expect(
      throws: HTTPError.proxy(
        url: "\(scheme)://hub.example/", proxy: HTTPSetting(name: "all_proxy", value: deaf.address),
        reason: "it takes no connection")
    ) { try client.send(.get("\(scheme)://hub.example", patience: 0.3)) }
  }

  @Test func aStopEndsAHangingRequest() throws {
    let server = try RawServer { _ in [.wait(60)] }
    let stop = HTTPStop()
    let began = ContinuousClock.now
    Thread.detachNewThread {
      while server.requests.isEmpty { usleep(1000) }
      stop.stop()
    }
    #expect(throws: HTTPError.interrupted) {
      try client.send(.get(server.address, patience: 1000), stop: stop)
    }
    // Far less than the patience, and than the server's silence.
    #expect(ContinuousClock.now - began < .seconds(30))
    // And at once, what comes after.
    #expect(throws: HTTPError.interrupted) { try client.send(.get(server.address), stop: stop) }
  }

  @Test func nobodyListeningIsUnreachable() throws {
    let server = try RawServer { _ in [] }
    let error = #expect(throws: HTTPError.self) {
      server.end()
      // The listener's thread ends it.
      while (try? client.send(.get(server.address, patience: 5))) != nil { usleep(1000) }
      return try client.send(.get(server.address, patience: 5))
    }
    guard case .unreachable(server.address + "/", _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.isTransient == true)
  }

  @Test(arguments: [
    "", "huggingface.co", "ftp://127.0.0.1/", "http://", "http://a\0b/", "http://[::1",
  ])
  func whatIsNoAddressIsSaidToBeNone(_ text: String) {
    #expect(throws: HTTPError.badAddress(text)) { try client.send(.get(text)) }
  }

  @Test func whatIsNoAnswerIsSaidToBeNone() throws {
    let server = try RawServer { request in
      switch request.target {
      case "/old": [.text("hello, I am older than HTTP/1\n"), .end]
      case "/fields":
        [.text("HTTP/1.1 200 OK\r\n")]
          + (0..<100).map { .text("X-\($0): \(String(repeating: "a", count: 8000))\r\n") }
          + [.text("\r\n"), .end]
      default: [.end]
      }
    }
    for target in ["/old", "/fields", "/nothing"] {
      let error = #expect(throws: HTTPError.self) {
        try client.send(.get(server.address + target, patience: 5))
      }
      switch (target, error) {
      case ("/old", .badAnswer), ("/nothing", .brokenOff): break
      // libcurl has a limit of its own, which is not far from ours.
      case ("/fields", .badAnswer), ("/fields", .brokenOff): break
      default: Issue.record("\(target): \(String(describing: error))")
      }
    }
  }
}
