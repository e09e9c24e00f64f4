import Foundation

/// One request as it arrived.
struct Question: Sendable {
  var server: HubStandIn.Server
  var method: String
  /// As the client wrote it: path and query, percent signs and all.
  var target: String
  /// `http://host:port`, as the client knows this server.
  var origin: String
  /// The whole address was asked for, as one asks a proxy.
  var isProxied = false
  /// Names in small letters.
  var headers: [String: String]
  var body: Body = .bytes([])
  /// Its number among the recorded requests.
  var index = 0
  /// What is known of the token, if there is one.
  var account: HubStandIn.Account?

  enum Body: Sendable {
    case bytes([UInt8])
    case file(path: String, size: Int)
  }

  /// The parts of the path, still with percent signs: a part may hold a slash.
  var segments: [String] {
    target.prefix { $0 != "?" }.split(separator: "/").map(String.init)
  }

  /// The path, percent signs resolved.
  var path: String { Self.decoded(String(target.prefix { $0 != "?" })) }

  var query: [String: String] {
    guard let mark = target.firstIndex(of: "?") else { return [:] }
    return Self.form(String(target[target.index(after: mark)...])).reduce(into: [:]) {
      $0[$1.0] = $1.1
    }
  }

  var bytes: [UInt8] {
    switch body {
    case .bytes(let bytes): bytes
    case .file(let path, _): FileManager.default.contents(atPath: path).map { [UInt8]($0) } ?? []
    }
  }

  var object: [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(bytes))) as? [String: Any] ?? [:]
  }

  var token: String? {
    guard let text = headers["authorization"], text.hasPrefix("Bearer ") else { return nil }
    return String(text.dropFirst(7))
  }

  static func decoded(_ text: String) -> String { text.removingPercentEncoding ?? text }

  static func encoded(_ text: String, slashes: Bool = false) -> String {
    var allowed = CharacterSet.alphanumerics
    allowed.insert(charactersIn: "-._~" + (slashes ? "/" : ""))
    return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
  }

  /// Names and values of a form or a query.
  static func form(_ text: String) -> [(String, String)] {
    text.split(separator: "&").map { pair in
      let parts = pair.replacing("+", with: "%20").split(
        separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (decoded(String(parts[0])), parts.count > 1 ? decoded(String(parts[1])) : "")
    }
  }
}

/// What is answered.
struct Answer: Sendable {
  var status: Int
  var headers: [(String, String)] = []
  var body: Body = .none

  enum Body: Sendable {
    case none
    case bytes([UInt8])
    case file(String, Range<Int>)

    var count: Int {
      switch self {
      case .none: 0
      case .bytes(let bytes): bytes.count
      case .file(_, let range): range.count
      }
    }
  }

  init(_ status: Int, headers: [(String, String)] = [], body: Body = .none) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// A value that JSON has.
  static func json(
    _ value: Any, status: Int = 200, headers: [(String, String)] = []
  ) -> Answer {
    let data = try? JSONSerialization.data(
      withJSONObject: value, options: [.sortedKeys, .withoutEscapingSlashes])
    return Answer(
      status, headers: headers + [("Content-Type", "application/json; charset=utf-8")],
      body: .bytes([UInt8](data ?? Data())))
  }

  static func error(
    _ status: Int, code: String? = nil, _ message: String, headers: [(String, String)] = []
  ) -> Answer {
    var all = headers
    if let code { all.append(("X-Error-Code", code)) }
    all.append(("X-Error-Message", message))
    return json(["error": message], status: status, headers: all)
  }

  static func redirect(_ status: Int, to location: String, headers: [(String, String)] = [])
    -> Answer
  {
    let words = status == 307 ? "Temporary Redirect" : "Found"
    return Answer(
      status,
      headers: headers + [("Location", location), ("Content-Type", "text/plain; charset=utf-8")],
      body: .bytes(Array("\(words). Redirecting to \(location)".utf8)))
  }

  static let expired = """
    <?xml version="1.0" encoding="UTF-8"?>
    <Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>
    """

  /// What the status line says.
  static func reason(_ status: Int) -> String {
    reasons[status] ?? "Status"
  }
  private static let reasons = [
    200: "OK", 201: "Created", 206: "Partial Content", 301: "Moved Permanently", 302: "Found",
    307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
    412: "Precondition Failed", 416: "Range Not Satisfiable", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout",
  ]
}
