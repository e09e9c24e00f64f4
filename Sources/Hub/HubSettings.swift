/// Where the hub is, where its cache lies, and who asks: the same settings as huggingface_hub's.
///
/// Source of the names and defaults: huggingface_hub 2.4.0, `constants.py`.
public struct HubSettings: Sendable {
  /// `HF_ENDPOINT`, without a slash at its end.
  public var endpoint = "https://huggingface.co"
  /// `HF_HOME`: token and cache lie below it unless they have a place of their own.
  public var home: String
  /// `HF_HUB_CACHE`, or the older `HUGGINGFACE_HUB_CACHE`.
  public var cache: String
  public var token: HubToken?
  /// `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`: no connection is made.
  public var offline: Offline?
  /// `HF_HUB_ETAG_TIMEOUT`, for questions: seconds.
  public var questionTimeout = 10.0
  /// `HF_HUB_DOWNLOAD_TIMEOUT`, for the bytes of files: seconds.
  public var downloadTimeout = 10.0
  /// `HF_HUB_DISABLE_SYMLINKS`: snapshots hold files rather than links.
  public var disablesLinks = false
  /// Whether blobs may be links into the cache's shared store; not with `HF_HUB_DISABLE_SHARED_BLOBS` or
  /// `HF_HUB_DISABLE_XET`.
  public var sharesBlobs = true
  /// Not with `HF_HUB_DISABLE_PROGRESS_BARS`.
  public var showsProgress = true
  /// What is wrong with a variable; thrown when the hub is first needed.
  public var fault: HubError?
  /// Files that are fetched at once.
  public var workers = 8
  /// The first wait before a request is tried again, in seconds; each next one is twice as long, to at most eight times.
  public var firstWait = 1.0
  /// How often a request is made before it is given up; what brought bytes does not count.
  public var attempts = 5
  /// What servers see as the caller.
  public var userAgent: String

  /// The variable that forbids connections.
  public struct Offline: Equatable, Sendable {
    public var variable: String
    public init(variable: String) { self.variable = variable }
  }

  public init(home: String, cache: String, userAgent: String = "isthmus") {
    self.home = home
    self.cache = cache
    self.userAgent = userAgent
  }
}

/// What the hub knows a user by, and where it was found.
public struct HubToken: Equatable, Sendable {
  public var value: String
  /// `HF_TOKEN`, or the file it lies in.
  public var source: String

  public init(value: String, source: String) {
    self.value = value
    self.source = source
  }
}
