import CHTTP

/// Ends requests and waits at once, from any thread.
public final class HTTPStop: Sendable {
  let handle = chttp_stop_new()

  public init() {}

  deinit { chttp_stop_free(handle) }

  public func stop() { chttp_stop_set(handle) }

  public var isStopped: Bool { chttp_stop_is_set(handle) }
}
