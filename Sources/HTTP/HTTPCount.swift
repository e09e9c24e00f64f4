import CHTTP

/// How many bytes of a file have been sent; may be read while they are.
///
/// A request that is made again begins again.
public final class HTTPCount: Sendable {
  let handle = chttp_count_new()

  public init() {}

  deinit { chttp_count_free(handle) }

  public var bytes: Int { chttp_count_value(handle) }
}
