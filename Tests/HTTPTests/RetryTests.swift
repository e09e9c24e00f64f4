import Foundation
import HTTP
import Support
import Synchronization
import Testing

@Suite struct RetryTests {
  private let retries = HTTPRetries(attempts: 4, firstWait: 0.01)

  private func response(_ status: Int, _ headers: HTTPHeaders = [:]) -> HTTPResponse {
    HTTPResponse(status: status, headers: headers, body: [], url: "http://h/")
  }

  /// Goes through answers, and says what was waited for.
  private func run(
    _ answers: [Result<HTTPResponse, HTTPError>], _ retries: HTTPRetries,
    bytes: [Int] = []
  ) throws -> (status: Int, waits: [HTTPRetries.Wait], requests: Int) {
    var count = 0
    var waits: [HTTPRetries.Wait] = []
    let response = try retries.run(
      progress: { count == 0 || bytes.isEmpty ? 0 : bytes[count - 1] },
      waiting: { waits.append($0) }
    ) { () throws(HTTPError) in
      count += 1
      return try answers[count - 1].get()
    }
    return (response.status, waits, count)
  }

  private let broken = Result<HTTPResponse, HTTPError>.failure(
    .brokenOff(url: "http://h/", received: 0, reason: ""))

  @Test func waitsDoubleToEightTimes() throws {
    var retries = retries
    retries.attempts = 7
    let found = try run(
      [Int](repeating: 503, count: 6).map { .success(response($0)) } + [.success(response(200))],
      retries)
    #expect(found.status == 200)
    #expect(found.waits.map(\.seconds) == [0.01, 0.02, 0.04, 0.08, 0.08, 0.08])
    #expect(found.waits.map(\.attempt) == [2, 3, 4, 5, 6, 7])
  }

  @Test(arguments: [408, 429, 500, 502, 503, 504]) func whatPassesIsAskedAgain(_ status: Int) throws
  {
    let found = try run([.success(response(status)), .success(response(200))], retries)
    #expect(found.status == 200 && found.requests == 2)
  }

  @Test(arguments: [200, 206, 302, 400, 401, 403, 404, 409, 416, 501])
  func whatStaysIsNot(_ status: Int) throws {
    let found = try run([.success(response(status))], retries)
    #expect(found.status == status && found.waits.isEmpty)
  }

  @Test func theLastAnswerOrErrorComesBack() throws {
    let found = try run([Int](repeating: 429, count: 4).map { .success(response($0)) }, retries)
    #expect(found.status == 429 && found.requests == 4)
    #expect(throws: HTTPError.self) {
      try run([Result<HTTPResponse, HTTPError>](repeating: broken, count: 4), retries)
    }
    #expect(throws: HTTPError.interrupted) { try run([.failure(.interrupted)], retries) }
  }

  @Test func whatBroughtBytesDoesNotCount() throws {
    let found = try run(
      [broken, broken, broken, broken, broken, .success(response(200))], retries,
      bytes: [1, 2, 3, 4, 5, 6])
    #expect(found.status == 200)
    // Each wait is a first one.
    #expect(found.waits.map(\.seconds) == [0.01, 0.01, 0.01, 0.01, 0.01])
  }

  @Test func startingOverAgainAndAgainCounts() throws {
    #expect(throws: HTTPError.self) {
      try run(
        [broken, broken, broken, broken, broken, .success(response(200))], retries,
        bytes: [5, 3, 4, 5, 2, 6])
    }
  }

  @Test func theServersWaitIsKept() throws {
    let then = DateFormatter()
    then.locale = Locale(identifier: "en_US_POSIX")
    then.timeZone = TimeZone(secondsFromGMT: 0)
    then.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    let past = then.string(from: Date(timeIntervalSinceNow: -100))
    let cases: [(Int, HTTPHeaders, Double)] = [
      (429, ["RateLimit": "\"api\";r=0;t=0", "Retry-After": "7000"], 0.01),
      (429, ["RateLimit": "\"api\";r=3;t=9", "Retry-After": "0"], 0.01),
      (503, ["Retry-After": "0"], 0.01),
      (503, ["Retry-After": past], 0.01),
      (503, ["Retry-After": "soon"], 0.01),
      (503, ["Retry-After": "-5"], 0.01),
      (429, ["RateLimit": "\"api\"; r = 0 ; t = 1"], 1.01),
    ]
    for (status, headers, seconds) in cases {
      let found = try run(
        [.success(response(status, headers)), .success(response(200))], retries)
      #expect(found.waits.map(\.seconds) == [seconds], "\(headers)")
    }
  }

  @Test func aDateIsWaitedFor() throws {
    var asked: Double?
    let stop = HTTPStop()
    let then = DateFormatter()
    then.locale = Locale(identifier: "en_US_POSIX")
    then.timeZone = TimeZone(secondsFromGMT: 0)
    then.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    let date = then.string(from: Date(timeIntervalSinceNow: 100))
    #expect(throws: HTTPError.interrupted) {
      try retries.run(
        stop: stop,
        waiting: {
          asked = $0.seconds
          stop.stop()
        }
      ) { () throws(HTTPError) in response(503, ["Retry-After": date]) }
    }
    #expect((95...100.01).contains(try #require(asked)))
  }

  @Test func aWaitThatIsTooLongIsNotBegun() throws {
    for headers in [["Retry-After": "3600"], ["RateLimit": "\"api\";r=0;t=99999999999"]]
      as [HTTPHeaders]
    {
      let found = try run([.success(response(429, headers))], retries)
      #expect(found.status == 429 && found.waits.isEmpty)
    }
  }

  @Test func aWaitEndsWhenStopped() throws {
    let stop = HTTPStop()
    let began = ContinuousClock.now
    #expect(throws: HTTPError.interrupted) {
      try HTTPRetries(attempts: 2, firstWait: 1000).run(
        stop: stop,
        waiting: { _ in
          Thread.detachNewThread {
            usleep(10_000)
            stop.stop()
          }
        }
      ) { () throws(HTTPError) in response(503) }
    }
    #expect(ContinuousClock.now - began < .seconds(30))
  }
}
