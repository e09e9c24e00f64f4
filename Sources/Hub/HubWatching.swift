/// Shows people how far downloads are, and stops them when they ask for it.
///
/// The hub itself writes nothing anywhere; a program gives it one of these.
public protocol HubWatching: Sendable {
  /// Does the work, and shows how far it is meanwhile; `progress.cancel()` makes the work end at once.
  ///
  /// - Throws: what the work throws.
  func during<Result>(
    _ progress: HubProgress, _ work: () throws(HubError) -> Result
  ) throws(HubError) -> Result

  /// Tells what the user should know.
  func note(_ text: String)
}

extension HubWatching {
  /// Nobody is told.
  public func note(_ text: String) {}
}
