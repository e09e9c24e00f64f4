import ArgumentParser
import Tensors

/// The types that a user may ask for, as PyTorch spells them.
package enum Precision: String, CaseIterable, ExpressibleByArgument {
  case bfloat16, float16, float32

  package var dtype: DType? { DType(torchName: rawValue) }
}

/// Where a result goes.
package struct DestinationOptions: ParsableArguments {
  @Flag(help: "Replace what is at the destination, once the new is complete.")
  package var overwrite = false

  @Flag(
    name: .customLong("dry-run"),
    help: "Print the plan (tensors, bytes, memory, disk) and write nothing.")
  package var isDryRun = false

  package init() {}
}

/// How a command works and talks.
package struct RunOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Threads at work. (default: the number of cores)", valueName: "n"))
  package var workers: Int?

  @Option(
    name: .customLong("max-memory"),
    help: ArgumentHelp("The most memory for buffers, such as 512MB or 2GiB.", valueName: "size"))
  package var maximumMemory = ByteSize(1 << 30, as: "1GiB")

  @Flag(name: .customLong("no-progress"), help: "Show no progress.")
  package var hidesProgress = false

  @Flag(name: .customLong("json"), help: "Print the result as one JSON object.")
  package var json = false

  package init() {}

  package func validate() throws {
    if let workers, !(1...1024).contains(workers) {
      throw ValidationError("--workers must be a number from 1 to 1024, not \(workers).")
    }
  }

  /// The number of workers: as asked for, else one per core as far as memory reaches.
  ///
  /// - Parameter memory: what so many workers need.
  package func workerCount(memory: (Int) -> Int) throws -> Int {
    let limit = maximumMemory.bytes
    let wanted = workers ?? Environment.processors
    if memory(wanted) <= limit { return wanted }
    guard workers == nil, let fitting = (1..<wanted).last(where: { memory($0) <= limit }) else {
      throw CommandError.memoryTooSmall(
        limit: limit, workers: workers ?? 1, needed: memory(workers ?? 1))
    }
    return fitting
  }

  package var progressStyle: ProgressDisplay.Style {
    ProgressDisplay.style(isHidden: hidesProgress || json)
  }
}
