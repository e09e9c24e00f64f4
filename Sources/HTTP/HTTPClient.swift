import CHTTP
import Glibc
import Synchronization
import Tensors

/// Asks servers over HTTP, and waits for their answers.
///
/// Many threads may ask at once. Connections are kept and used again by the next request to the same host.
/// Redirects are followed here rather than by libcurl, so that what goes to whom can be read in one place.
public final class HTTPClient: Sendable {
  /// As many redirects in a row are followed.
  static let redirectLimit = 10
  /// Of what servers say to a refusal, this much is kept where the answer was to go into a file.
  static let refusalLimit = 1 << 20

  let userAgent: String
  let surroundings: HTTPSurroundings
  private let idle = Mutex<[chttp_line]>([])

  /// A client without connections.
  ///
  /// - Parameter environment: Its proxies (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, in both cases) and
  ///   authorities (`SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_DIR`) are taken.
  public init(userAgent: String, environment: [String: String]) {
    self.userAgent = userAgent
    surroundings = HTTPSurroundings(environment)
  }

  deinit {
    idle.withLock { lines in
      for line in lines { chttp_line_free(line) }
    }
  }

  /// The answer to a request, whatever its status.
  ///
  /// - Parameter limit: A longer answer is an error, `HTTPError.tooLong`.
  public func send(_ request: HTTPRequest, limit: Int = 64 << 20, stop: HTTPStop? = nil)
    throws(HTTPError) -> HTTPResponse
  {
    try follow(request) { address, isFirst throws(HTTPError) in
      let outcome = try ask(
        request, address, isFirst, range: request.range.map { "bytes=\($0.lowerBound)-" },
        into: nil, limit: limit, stop: stop)
      return outcome.response
    }
  }

  /// Brings the bytes that a file lacks.
  ///
  /// What is there already is not asked for again. Where the server sends all of it nevertheless, or another part,
  /// the file starts over. Answers of other statuses than 200 and 206 leave the file as it is and come back with
  /// their bytes, cut at 1 MiB. (416 is one, for a file that is whole already.) The bytes that came before an error are kept: another call goes on behind them.
  ///
  /// - Parameters:
  ///   - request: Its `range` is not looked at.
  ///   - until: Ends as soon as the file has so many bytes.
  public func receive(
    _ request: HTTPRequest, into file: HTTPFile, until: Int? = nil, stop: HTTPStop? = nil
  ) throws(HTTPError) -> HTTPResponse {
    precondition(request.method == .get, "only GET brings a file")
    let target = Target(file: file, until: until)
    let response = try follow(request) { address, isFirst throws(HTTPError) in
      var outcome = try ask(
        request, address, isFirst, range: target.range, into: target, limit: Self.refusalLimit,
        stop: stop)
      if outcome.isOfAnotherRange {
        do throws(FileError) { try file.startOver() } catch { throw .file(error) }
        outcome = try ask(
          request, address, isFirst, range: target.range, into: target, limit: Self.refusalLimit,
          stop: stop)
        if outcome.isOfAnotherRange {
          throw .badAnswer(url: address.text, reason: "it is of another part of the file")
        }
      }
      return outcome.response
    }
    guard response.status == 200 || response.status == 206 else { return response }
    let wanted = until.map { min($0, file.size ?? $0) } ?? file.size
    if let wanted, file.received < wanted {
      throw .brokenOff(
        url: response.url, received: file.received, reason: "the file has \(wanted) bytes")
    }
    if file.isWhole { try file.catchUp(stop: stop) }
    return response
  }

  /// The file that bytes go to.
  struct Target {
    var file: HTTPFile
    var until: Int?

    /// What it lacks; `nil` for all.
    var range: String? {
      let received = file.received
      guard received > 0 || until != nil else { return nil }
      return "bytes=\(received)-" + (until.map { $0 > received ? "\($0 - 1)" : "" } ?? "")
    }
  }

  /// A line that nobody is on.
  func takeLine() throws(HTTPError) -> chttp_line {
    if let line = idle.withLock({ $0.popLast() }) { return line }
    let line = chttp_line_new()
    guard line.value != 0 else { throw .noLibrary("libcurl.so.4") }
    return line
  }

  func giveBack(_ line: chttp_line) { idle.withLock { $0.append(line) } }
}

// MARK: Redirects

extension HTTPClient {
  /// Asks at the request's address, and where the answers lead.
  private func follow(
    _ request: HTTPRequest,
    _ ask: (_ address: HTTPAddress, _ isFirst: Bool) throws(HTTPError) -> HTTPResponse
  ) throws(HTTPError) -> HTTPResponse {
    guard let first = HTTPAddress(request.url) else {
      guard chttp_has_library() else { throw .noLibrary("libcurl.so.4") }
      throw .badAddress(request.url)
    }
    var address = first
    for _ in 0...Self.redirectLimit {
      let response = try ask(address, address.hasOrigin(of: first))
      guard let next = try next(after: response, from: address, request) else { return response }
      address = next
    }
    throw .badRedirect(
      url: request.url, to: address.text, .tooMany(Self.redirectLimit))
  }

  /// Where an answer leads to, if it does and is to be followed.
  private func next(after response: HTTPResponse, from address: HTTPAddress, _ request: HTTPRequest)
    throws(HTTPError) -> HTTPAddress?
  {
    // After 301 to 303 most clients ask with GET, whatever they asked with: what is to be stored would be lost.
    let isFollowed: Bool =
      switch response.status {
      case 301, 302, 303: request.method == .get || request.method == .head
      case 307, 308: true
      default: false
      }
    guard isFollowed, request.redirects != .none, let location = response.headers["Location"]
    else { return nil }
    guard let next = HTTPAddress(location, from: address) else {
      throw .badRedirect(url: address.text, to: location, .noAddress)
    }
    if next.hasOrigin(of: address) { return next }
    guard request.redirects == .all else { return nil }
    guard address.scheme == "http" || next.scheme == "https" else {
      throw .badRedirect(url: address.text, to: next.text, .toPlainText)
    }
    return next
  }
}
