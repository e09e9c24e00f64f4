import CHTTP
import Glibc
import Synchronization

/// Asks again, after waits that grow, what servers refuse for the moment or what broke off.
///
/// Source of the statuses and waits: huggingface_hub 2.4.0, `utils/_http.py`; a `Retry-After` may be a date here.
public struct HTTPRetries: Sendable {
  /// How often a request is made in a row without bringing anything new.
  public var attempts: Int
  /// The first wait, in seconds; each next one is twice as long, to at most eight times.
  public var firstWait: Double
  /// How often a server is tried that cannot be reached: one whose name is wrong never can.
  public var attemptsToReach = Int.max
  /// The longest wait that a server may ask for, in seconds; the hub counts its requests in windows of 300.
  public var longestWait = 330.0

  public init(attempts: Int, firstWait: Double) {
    self.attempts = attempts
    self.firstWait = firstWait
  }

  /// What went wrong for the moment.
  public enum Cause: Sendable {
    case status(Int)
    case error(HTTPError)
  }

  /// A wait before the next attempt.
  public struct Wait: Sendable {
    public var cause: Cause
    public var seconds: Double
    /// The attempt that comes then, counted from 1, and how many there are.
    public var attempt: Int
    public var attempts: Int
  }

  /// Makes a request until there is an answer that asking again would not change.
  ///
  /// - Parameters:
  ///   - progress: How many bytes are there; attempts are counted anew once there are more than ever before.
  ///   - waiting: Told of each wait before it begins.
  /// - Returns: the answer; one of a passing refusal (429, 503 …) after the last attempt, or where the server asks
  ///   for a longer wait than `longestWait`.
  /// - Throws: the error of the last attempt; `HTTPError.interrupted` if `stop` was while waiting.
  public func run(
    stop: HTTPStop? = nil, progress: () -> Int = { 0 }, waiting: (Wait) -> Void = { _ in },
    _ request: () throws(HTTPError) -> HTTPResponse
  ) throws(HTTPError) -> HTTPResponse {
    var attempt = 1
    var most = progress()
    while true {
      var response: HTTPResponse?
      let cause: Cause
      do throws(HTTPError) {
        let answer = try request()
        guard Self.passing.contains(answer.status) else { return answer }
        (response, cause) = (answer, .status(answer.status))
      } catch {
        guard error.isTransient else { throw error }
        cause = .error(error)
      }
      let now = progress()
      if now > most { (most, attempt) = (now, 0) }
      attempt += 1
      let asked = response.flatMap { Self.wait(askedBy: $0) }
      var limit = attempts
      if case .error(.unreachable) = cause { limit = min(limit, attemptsToReach) }
      if attempt > limit || (asked ?? 0) > longestWait {
        if let response { return response }
        if case .error(let error) = cause { throw error }
      }
      // Servers count in whole seconds: one of them may not be over yet.
      let seconds = asked.map { $0 + min(firstWait, 1) } ?? backOff(before: attempt)
      waiting(Wait(cause: cause, seconds: seconds, attempt: attempt, attempts: limit))
      chttp_stop_wait(stop.handle, seconds)
      if let stop, stop.isStopped { throw .interrupted }
    }
  }

  /// The statuses that pass.
  static let passing: Set<Int> = [408, 429, 500, 502, 503, 504]

  private func backOff(before attempt: Int) -> Double {
    firstWait * Double(1 << max(0, min(attempt - 2, 3)))
  }

  /// The seconds that a server asks to wait: the hub's `RateLimit: "api";r=0;t=55` (none remain, anew in 55), or
  /// `Retry-After` with seconds or a date.
  static func wait(askedBy response: HTTPResponse) -> Double? {
    if response.status == 429, let limit = response.headers["RateLimit"] {
      var values: [Substring: Int] = [:]
      for part in limit.split(separator: ";") {
        let pair = part.split(separator: "=", maxSplits: 1).map {
          $0.trimming { $0.isWhitespace }
        }
        if pair.count == 2 { values[pair[0]] = Int(pair[1]) }
      }
      if values["r"] == 0, let seconds = values["t"], seconds >= 0 { return Double(seconds) }
    }
    guard let text = response.headers["Retry-After"] else { return nil }
    if let seconds = Int(text) { return seconds >= 0 ? Double(seconds) : nil }
    let date = chttp_date(text)
    return date >= 0 ? Double(max(0, date - time(nil))) : nil
  }
}
