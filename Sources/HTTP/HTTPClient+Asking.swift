import CHTTP
import Glibc
import Tensors

extension HTTPClient {
  /// What one request to one address brought.
  struct Outcome {
    var response: HTTPResponse
    /// The server sent another part of the file than was asked for; nothing was written.
    var isOfAnotherRange = false
  }

  /// Asks once, and follows nothing.
  ///
  /// - Parameter isFirst: Whether the address has the origin that the caller named; others get no token.
  func ask(
    _ request: HTTPRequest, _ address: HTTPAddress, _ isFirst: Bool, range: String?,
    into target: Target?, limit: Int, stop: HTTPStop?
  ) throws(HTTPError) -> Outcome {
    let line = try takeLine()
    defer { giveBack(line) }
    chttp_line_begin(line, request.method.rawValue, address.text)
    for field in try fields(request, address, isFirst, range: range) {
      chttp_line_header(line, field)
    }
    let proxy = surroundings.proxy(to: address)
    if let proxy { chttp_line_proxy(line, proxy.value) }
    if let authorities = surroundings.authorities {
      chttp_line_authorities(line, authorities.value, Folder.isFolder(authorities.value))
    }
    try attach(request.body, to: line)
    let outcome = chttp_line_run(
      line, target?.file.handle ?? chttp_file(value: 0), target?.until ?? -1, limit,
      request.patience.seconds, stop.handle)
    let ending = Ending(
      line: line, outcome: outcome, request: request, address: address, proxy: proxy,
      authorities: surroundings.authorities, target: target, limit: limit)
    return try ending.settled()
  }

  private func fields(
    _ request: HTTPRequest, _ address: HTTPAddress, _ isFirst: Bool, range: String?
  ) throws(HTTPError) -> [String] {
    var fields = HTTPHeaders()
    fields.add("User-Agent", userAgent)
    // Compressed, a file could neither be gone on with nor checked against its size.
    fields.add("Accept-Encoding", "identity")
    if let range { fields.add("Range", range) }
    if isFirst, let token = request.token { fields.add("Authorization", "Bearer \(token)") }
    var lines: [String] = []
    let own = fields.fields.filter { request.headers[$0.name] == nil }
    for field in own + request.headers.fields {
      let isSecret = ["authorization", "cookie"].contains(field.name.lowercased())
      if isSecret && !isFirst { continue }
      let line = field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)"
      guard !line.utf8.contains(where: { $0 == 10 || $0 == 13 || $0 == 0 }) else {
        throw .badField(url: address.text, name: field.name)
      }
      lines.append(line)
    }
    // libcurl would wait a second for servers that do not know what it asks for with that field.
    return lines + ["Expect:"]
  }

  private func attach(_ body: HTTPRequest.Body, to line: chttp_line) throws(HTTPError) {
    switch body {
    case .none: break
    case .bytes(let bytes): chttp_line_send_bytes(line, bytes, bytes.count)
    case .file(let path, let range, let sent):
      let failure = chttp_line_send_file(
        line, path, range.lowerBound, range.count, sent?.handle ?? chttp_count(value: 0))
      guard failure == 0 else { throw .file(.cannotOpen(path: path, errno: failure)) }
    }
  }
}

/// How a request ended, in Swift's words.
private struct Ending {
  let line: chttp_line
  let outcome: chttp_outcome
  let request: HTTPRequest
  let address: HTTPAddress
  let proxy: HTTPSetting?
  let authorities: HTTPSetting?
  let target: HTTPClient.Target?
  let limit: Int

  func settled() throws(HTTPError) -> HTTPClient.Outcome {
    let url = address.text
    switch outcome.end {
    case CHTTP_DONE:
      if outcome.status == 407, let proxy {
        throw .proxy(url: url, proxy: proxy, reason: "it asks for a name and a password")
      }
      return HTTPClient.Outcome(response: response())
    case CHTTP_WRONG_RANGE:
      return HTTPClient.Outcome(response: response(), isOfAnotherRange: true)
    case CHTTP_UNREACHABLE:
      // Nobody but the proxy was spoken to.
      if let proxy { throw .proxy(url: url, proxy: proxy, reason: reason) }
      throw .unreachable(url: url, reason: reason)
    case CHTTP_BAD_PROXY:
      guard let proxy else { throw .unreachable(url: url, reason: reason) }
      throw .proxy(url: url, proxy: proxy, reason: reason)
    case CHTTP_STALLED:
      if let proxy, !outcome.has_connected {
        throw .proxy(url: url, proxy: proxy, reason: "it takes no connection")
      }
      throw .stalled(url: url, received: outcome.received, patience: request.patience)
    case CHTTP_UNTRUSTED: throw .untrusted(url: url, reason: reason, authorities: authorities)
    case CHTTP_BAD_ADDRESS: throw .badAddress(url)
    case CHTTP_TOO_LONG: throw .tooLong(url: url, limit: target?.file.size ?? limit)
    case CHTTP_BAD_ANSWER: throw .badAnswer(url: url, reason: reason)
    case CHTTP_CANNOT_WRITE, CHTTP_CANNOT_READ: throw .file(fileError)
    case CHTTP_STOPPED: throw .interrupted
    case CHTTP_NO_LIBRARY: throw .noLibrary("libcurl.so.4")
    default: throw .brokenOff(url: url, received: outcome.received, reason: reason)
    }
  }

  private var fileError: FileError {
    if outcome.end == CHTTP_CANNOT_WRITE, let target {
      return target.file.failure(outcome.failure)
    }
    guard case .file(let path, let range, _) = request.body else {
      return .cannotRead(path: address.text, offset: 0, errno: outcome.failure)
    }
    guard outcome.failure == -1 else {
      return .cannotRead(path: path, offset: range.lowerBound, errno: outcome.failure)
    }
    return .endOfFile(path: path, wanted: range, size: Folder.size(path) ?? 0)
  }

  /// libcurl's words, without the full stop that some end with.
  private var reason: String {
    let text = copied(outcome.reason_count) { chttp_line_copy_reason(line, &$0) }
    return String(decoding: text.last == 46 ? text.dropLast() : text[...], as: UTF8.self)
  }

  private func response() -> HTTPResponse {
    var headers = HTTPHeaders()
    let head = copied(outcome.head_count) { chttp_line_copy_head(line, &$0) }
    for field in head.split(separator: 10) {
      guard let colon = field.firstIndex(of: 58) else { continue }
      let value = String(decoding: field[field.index(after: colon)...], as: UTF8.self)
      headers.add(
        String(decoding: field[..<colon], as: UTF8.self),
        String(value.trimming { $0.isWhitespace }))
    }
    return HTTPResponse(
      status: Int(outcome.status), headers: headers,
      body: copied(outcome.body_count) { chttp_line_copy_body(line, &$0) }, url: address.text)
  }

  private func copied(_ count: Int, _ copy: (inout [UInt8]) -> Void) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    if count > 0 { copy(&bytes) }
    return bytes
  }
}
