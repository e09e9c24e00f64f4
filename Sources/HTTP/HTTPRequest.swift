/// What is asked of a server.
public struct HTTPRequest: Sendable {
  public enum Method: String, Sendable {
    case head = "HEAD"
    case get = "GET"
    case post = "POST"
    case put = "PUT"
  }

  /// What is sent along.
  public enum Body: Sendable {
    case none
    case bytes([UInt8])
    /// A stretch of a file, read as it is sent.
    case file(path: String, range: Range<Int>, sent: HTTPCount? = nil)
  }

  public var method: Method
  /// An absolute `http://` or `https://` address.
  public var url: String
  public var headers: HTTPHeaders
  public var body: Body
  /// The bytes that are wanted of a file, sent as `Range: bytes=…`; without it all are.
  public var range: PartialRangeFrom<Int>?
  /// What the server is to know its caller by; it goes to the address's own scheme, host and port only, never to
  /// where a redirect leads elsewhere.
  public var token: String?
  /// Whether answers that name another address are followed.
  public var redirects: Redirects
  /// How long the server may be silent.
  public var patience: HTTPPatience

  /// Which redirects are followed by itself.
  public enum Redirects: Sendable {
    /// None: the caller looks at the answer.
    case none
    /// Those that stay at the same scheme, host and port.
    case sameOrigin
    /// All but those from https to http; the token stays behind.
    case all
  }

  public init(
    _ method: Method, _ url: String, headers: HTTPHeaders = HTTPHeaders(), body: Body = .none,
    range: PartialRangeFrom<Int>? = nil, token: String? = nil, redirects: Redirects = .sameOrigin,
    patience: HTTPPatience
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.range = range
    self.token = token
    self.redirects = redirects
    self.patience = patience
  }
}

/// How long a server may be silent before a request is given up, and which setting says so.
public struct HTTPPatience: Equatable, Sendable {
  /// For the connection, and from one byte to the next.
  public var seconds: Double
  /// The name of the setting that the user can change: `HF_HUB_DOWNLOAD_TIMEOUT`.
  public var setting: String

  public init(seconds: Double, setting: String) {
    self.seconds = seconds
    self.setting = setting
  }
}

/// Header fields in their order; names are the same in any case.
public struct HTTPHeaders: Equatable, Sendable, ExpressibleByDictionaryLiteral {
  public private(set) var fields: [Field] = []

  public struct Field: Equatable, Sendable {
    public var name: String
    public var value: String
  }

  public init(_ fields: KeyValuePairs<String, String> = [:]) {
    for (name, value) in fields { add(name, value) }
  }

  public init(dictionaryLiteral fields: (String, String)...) {
    for (name, value) in fields { add(name, value) }
  }

  public mutating func add(_ name: String, _ value: String) {
    fields.append(Field(name: name, value: value))
  }

  /// The value of the last field of this name.
  public subscript(name: String) -> String? {
    let wanted = name.lowercased()
    return fields.last { $0.name.lowercased() == wanted }?.value
  }
}

/// What a server answered.
public struct HTTPResponse: Sendable {
  public var status: Int
  /// The fields of the last answer, where redirects were followed.
  public var headers: HTTPHeaders
  /// Empty where the bytes went into a file.
  public var body: [UInt8]
  /// Where the answer came from in the end.
  public var url: String

  public init(status: Int, headers: HTTPHeaders, body: [UInt8], url: String) {
    self.status = status
    self.headers = headers
    self.body = body
    self.url = url
  }

  public var isSuccess: Bool { (200..<300).contains(status) }
}
