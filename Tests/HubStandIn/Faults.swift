extension HubStandIn {
  /// The two servers.
  public enum Server: String, Sendable {
    case hub, storage
  }

  /// Which requests a fault meets: those of which all that is said here is true.
  public struct Match: Sendable {
    public var server: Server?
    public var method: String?
    /// What the path holds somewhere, percent signs resolved.
    public var path: String?
    /// Whether a range is asked for.
    public var ranged: Bool?

    public init(
      server: Server? = nil, method: String? = nil, path: String? = nil, ranged: Bool? = nil
    ) {
      self.server = server
      self.method = method
      self.path = path
      self.ranged = ranged
    }

    public static var any: Match { Match() }
    public static var storage: Match { Match(server: .storage) }
    public static func path(_ path: String) -> Match { Match(path: path) }

    func holds(_ question: Question) -> Bool {
      (server ?? question.server) == question.server
        && (method ?? question.method) == question.method
        && (path.map { question.path.contains($0) } ?? true)
        && (ranged.map { $0 == (question.headers["range"] != nil) } ?? true)
    }
  }

  /// What goes wrong.
  public enum Fault: Sendable {
    /// Another answer than the right one.
    case answer(Int, headers: [String: String] = [:], body: [UInt8] = [])
    /// Nothing is answered; the connection stays open.
    case silence
    /// The connection is reset before an answer.
    case reset
    /// So many bytes of the body, then nothing more; the connection stays open.
    case stall(after: Int)
    /// So many bytes of the body, then the connection ends.
    case cut(after: Int)
    /// The byte at this place of the file is another one.
    case corrupt(at: Int)
    /// A range is answered with 200 and all bytes.
    case ignoreRange
    /// A range is answered from another place, as its Content-Range says.
    case otherRange(from: Int)
    /// No more than so many bytes a second.
    case slow(bytesPerSecond: Int)
    /// Without a Content-Length, in chunks.
    case chunked
    /// Compressed, in chunks, if the request allows it.
    case gzip
    /// A header of the answer is another one, or left out.
    case header(String, String?)
    /// A wait before the answer, in seconds.
    case wait(Double)

    /// An answer as the hub gives it: a status, its code and its message.
    public static func status(
      _ status: Int, code: String? = nil, message: String? = nil, headers: [String: String] = [:]
    ) -> Fault {
      let answer = Answer.error(status, code: code, message ?? "Told to fail")
      var all = headers
      for (name, value) in answer.headers { all[name] = value }
      guard case .bytes(let body) = answer.body else { return .answer(status, headers: all) }
      return .answer(status, headers: all, body: body)
    }

    public static func tooMany(retryAfter: Int) -> Fault {
      .status(429, message: "Too Many Requests", headers: ["Retry-After": "\(retryAfter)"])
    }

    public static func tooMany(rateLimitSeconds: Int) -> Fault {
      .status(
        429, message: "Too Many Requests",
        headers: [
          "RateLimit": "\"resolvers\";r=0;t=\(rateLimitSeconds)",
          "RateLimit-Policy": "\"fixed window\";\"resolvers\";q=3000;w=300",
        ])
    }

    public static var gated: Fault {
      .status(
        403, code: "GatedRepo", message: "Access to this model is restricted. Visit its page.")
    }
    public static var noRepository: Fault {
      .status(404, code: "RepoNotFound", message: "Repository not found")
    }
    public static var noRevision: Fault {
      .status(404, code: "RevisionNotFound", message: "Invalid rev id")
    }
    public static var noEntry: Fault {
      .status(404, code: "EntryNotFound", message: "Entry not found")
    }
    /// As the storage answers when a signature is too old.
    public static var expired: Fault {
      .answer(
        403, headers: ["Content-Type": "application/xml"],
        body: Array(Answer.expired.utf8))
    }
  }
}

/// A fault that waits for its requests.
struct Rule: Sendable {
  var match: HubStandIn.Match
  var fault: HubStandIn.Fault
  var times: Int
}

extension HubStandIn.Fault {
  /// What of an answer it spoils: of two faults that spoil the same, the second waits for the next request.
  var spoils: String {
    switch self {
    case .answer, .silence, .reset: "all"
    case .stall, .cut: "end"
    case .corrupt: "byte"
    case .ignoreRange, .otherRange: "range"
    case .slow: "speed"
    case .chunked, .gzip: "form"
    case .header(let name, _): "header \(name)"
    case .wait: "beginning"
    }
  }
}
