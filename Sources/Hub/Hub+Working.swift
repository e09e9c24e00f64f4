import Dispatch
import Synchronization

extension Hub {
  /// Does the same for many things, several at once; each worker has a thread of its own, since it mostly waits.
  ///
  /// - Throws: the first error; what the others are at ends then.
  package func inParallel<Item: Sendable>(
    _ items: [Item], progress: HubProgress,
    _ body: @escaping @Sendable (Item) throws(HubError) -> Void
  ) throws(HubError) {
    let next = Atomic<Int>(0)
    let failure = Mutex<HubError?>(nil)
    let work: @Sendable () -> Void = {
      while !progress.isCancelled {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < items.count else { return }
        do throws(HubError) { try body(items[index]) } catch {
          // The others end because of this one.
          failure.withLock { $0 = $0 ?? error }
          progress.cancel()
        }
      }
    }
    let group = DispatchGroup()
    for number in 0..<min(settings.workers, items.count) {
      DispatchQueue(label: "hub-\(number)").async(group: group, execute: work)
    }
    group.wait()
    if let error = failure.withLock({ $0 }) { throw error }
    if progress.isCancelled { throw .interrupted }
  }
}
