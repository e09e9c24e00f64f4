import HTTP
import JSON
import Synchronization
import Tensors

/// The hub of one user: asks it, and brings its files into the cache.
///
/// It blocks, and many threads may use it at once. How a file travels lies in `HubFetch`, what becomes of a
/// reference in `Hub+Snapshot`, where things lie in `HubCache`.
public final class Hub: Sendable {
  /// The hub that this task's commands mean: that of the environment, and silent, unless a program or a test says
  /// otherwise.
  @TaskLocal public static var current = Hub(
    HubSettings(environment: HubSettings.processEnvironment))

  public let settings: HubSettings
  /// Whoever shows how far downloads are.
  package let watching: (any HubWatching)?
  package let cache: HubCache
  package let client: HTTPClient
  private let environment: [String: String]
  /// The commits that this command has taken for references, and the notes that were told.
  let settled = Mutex<[HubReference: String]>([:])
  let told = Mutex<Set<String>>([])

  /// - Parameter environment: proxies and authorities for connections.
  public init(
    _ settings: HubSettings, watching: (any HubWatching)? = nil,
    environment: [String: String] = HubSettings.processEnvironment
  ) {
    self.settings = settings
    self.watching = watching
    self.environment = environment
    cache = HubCache(settings)
    client = HTTPClient(userAgent: settings.userAgent, environment: environment)
  }

  /// The same hub with other settings, or another to watch it.
  package func with(
    watching: (any HubWatching)? = nil, _ change: (inout HubSettings) -> Void
  ) -> Hub {
    var settings = settings
    change(&settings)
    return Hub(settings, watching: watching ?? self.watching, environment: environment)
  }

  /// Does work that may take long, shown by whoever watches.
  package func watched<Result>(
    _ progress: HubProgress, _ work: () throws(HubError) -> Result
  ) throws(HubError) -> Result {
    guard let watching else { return try work() }
    return try watching.during(progress, work)
  }
}
