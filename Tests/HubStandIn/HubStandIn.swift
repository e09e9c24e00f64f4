/// A hub on this machine, for tests: it speaks what the real one speaks, and misbehaves when told to.
public final class HubStandIn: Sendable {
  public init() {}
}
