import Glibc
import Synchronization
import Tensors

/// Hands out the tasks of a transfer to its workers, each as soon as what it reads is there.
///
/// Workers keep to different files, for the kernel lets one writer at a time into a file. No worker is given a task
/// that would have to wait for bytes on their way, so what has arrived is never held up by what has not, whatever
/// the order of either.
final class TransferQueue: Sendable {
  fileprivate struct State {
    /// The tasks of each file that can be handed out, last first.
    var ready: [[Int]]
    /// How many tasks of each file have not been handed out.
    var left: [Int]
    var active: [Int]
    var bytes: [Int]
    var sources: [Source] = []
    /// By task, how many of the files that it needs have not arrived so far; empty where all is there.
    var missing: [Int] = []
    var isClosed = false
  }

  /// A file that is arriving, and who waits for it.
  fileprivate struct Source {
    let arrival: any Arrival
    /// Those that need most come first.
    var waiting: [(count: Int, task: Int)] = []
  }

  fileprivate enum Next {
    case task(Int)
    case later
    case none
  }

  private let state: Mutex<State>
  private let files: [Int]
  private let sizes: [Int]

  init(tasks: [Transfer.Task], files count: Int) {
    files = tasks.map(\.file)
    sizes = tasks.map(\.byteCount)
    let none = [Int](repeating: 0, count: count)
    var state = State(
      ready: [[Int]](repeating: [], count: count), left: none, active: none, bytes: none)
    for (index, task) in tasks.enumerated().reversed() {
      state.left[task.file] += 1
      state.bytes[task.file] += task.byteCount
      if task.needs.isEmpty { state.ready[task.file].append(index) }
    }
    state.expect(tasks)
    self.state = Mutex(state)
  }

  /// The next task: of the same file as before if the worker has that to itself, else of the file
  /// that fewest workers are at and most is left of.
  ///
  /// Waits where something is left but nothing of it has arrived.
  ///
  /// - Throws: `FileError` if something will not arrive, `ConversionError.interrupted`.
  func next(after file: Int?, _ progress: TransferProgress) throws -> Int? {
    while true {
      let next = try state.withLock { state throws(FileError) in
        try state.next(after: file, files, sizes)
      }
      switch next {
      case .task(let index): return index
      case .none: return nil
      case .later:
        if progress.isCancelled { throw ConversionError.interrupted }
        usleep(arrivalInterval)
      }
    }
  }

  /// Notes that a task is done; true if it was its file's last.
  func finish(_ index: Int) -> Bool {
    state.withLock { state in
      state.active[files[index]] -= 1
      return state.active[files[index]] == 0 && state.left[files[index]] == 0
    }
  }

  /// Hands out nothing more.
  func close() { state.withLock { $0.isClosed = true } }
}

extension TransferQueue.State {
  /// Notes who waits for which files.
  fileprivate mutating func expect(_ tasks: [Transfer.Task]) {
    var positions: [ObjectIdentifier: Int] = [:]
    for (index, task) in tasks.enumerated() where !task.needs.isEmpty {
      if missing.isEmpty { missing = [Int](repeating: 0, count: tasks.count) }
      missing[index] = task.needs.count
      for need in task.needs {
        let key = ObjectIdentifier(need.arrival)
        let position = positions[key] ?? sources.count
        if position == sources.count {
          positions[key] = position
          sources.append(.init(arrival: need.arrival))
        }
        sources[position].waiting.append((need.count, index))
      }
    }
    for position in sources.indices {
      sources[position].waiting.sort { ($1.count, $1.task) < ($0.count, $0.task) }
    }
  }

  /// Makes ready what has arrived.
  private mutating func refresh(_ files: [Int]) throws(FileError) {
    var changed: Set<Int> = []
    for position in sources.indices {
      let available = try sources[position].arrival.available()
      while let (count, task) = sources[position].waiting.last, count <= available {
        sources[position].waiting.removeLast()
        missing[task] -= 1
        if missing[task] == 0 {
          ready[files[task]].append(task)
          changed.insert(files[task])
        }
      }
    }
    sources.removeAll { $0.waiting.isEmpty }
    // Files are written from their beginning on as far as it goes.
    for file in changed { ready[file].sort(by: >) }
  }

  fileprivate mutating func next(
    after file: Int?, _ files: [Int], _ sizes: [Int]
  ) throws(FileError) -> TransferQueue.Next {
    if isClosed { return .none }
    if !sources.isEmpty { try refresh(files) }
    var best: Int?
    if let file, active[file] == 0, !ready[file].isEmpty {
      best = file
    } else {
      for candidate in ready.indices where !ready[candidate].isEmpty {
        guard let current = best else {
          best = candidate
          continue
        }
        if (active[candidate], -bytes[candidate]) < (active[current], -bytes[current]) {
          best = candidate
        }
      }
    }
    guard let best, let index = ready[best].popLast() else {
      return sources.isEmpty ? .none : .later
    }
    left[best] -= 1
    active[best] += 1
    bytes[best] -= sizes[index]
    return .task(index)
  }
}
