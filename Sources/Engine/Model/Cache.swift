import Kernels

/// What the layers of a model keep of the tokens of one sequence while it grows.
public final class Cache {
  /// How many tokens have passed.
  public internal(set) var count = 0
  /// What each layer keeps, by block and by its name within the block.
  private var states: [Key: any CacheState] = [:]

  private struct Key: Hashable {
    var block: Int
    var layer: String
  }

  public init() {}

  /// A layer's state, made where there is none.
  ///
  /// - Parameter layer: tells the layers of one block apart.
  func state<State: CacheState>(_ block: Int, _ layer: String, _ make: () -> State) -> State {
    let key = Key(block: block, layer: layer)
    if let found = states[key] as? State { return found }
    let fresh = make()
    states[key] = fresh
    return fresh
  }

  /// Forgets all tokens but the first ones.
  ///
  /// - Returns: whether every layer could; where one could not, the cache is of no use any more.
  func rewind(to count: Int) -> Bool {
    let dropped = self.count - count
    precondition(dropped >= 0)
    guard dropped > 0 else { return true }
    self.count = count
    return states.values.allSatisfy { $0.drop(dropped) }
  }
}

/// A layer's memory of earlier tokens.
protocol CacheState: AnyObject {
  /// Forgets the latest tokens; false where what was known before them is gone.
  func drop(_ tokens: Int) -> Bool
}
