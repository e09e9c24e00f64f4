import Synchronization

/// What several workers find out, each for its own place.
final class HubResults<Value: Sendable>: Sendable {
  private let values: Mutex<[Value?]>

  init(count: Int) { values = Mutex(Array(repeating: nil, count: count)) }

  subscript(index: Int) -> Value? {
    get { values.withLock { $0[index] } }
    set { values.withLock { $0[index] = newValue } }
  }

  /// Changes a value, and returns what the change says.
  func update<Result: Sendable>(
    _ index: Int, _ change: (inout Value?) -> Result
  ) -> Result {
    values.withLock { change(&$0[index]) }
  }
}
