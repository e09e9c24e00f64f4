import ArgumentParser
import Blueprint
import Checkpoints
import Tensors

/// The model a command is about.
struct ModelOptions: ParsableArguments {
  @Option(
    name: .customLong("hf-model"),
    help: ArgumentHelp(
      "The Hugging Face model: a folder, org/name or hf://org/name[@revision].",
      valueName: "ref"))
  var reference: String

  @Option(
    name: .customLong("hf-revision"),
    help: ArgumentHelp(
      "The branch, tag or commit in the hub cache. (default: main)", valueName: "revision"))
  var revision: String?

  @Flag(
    name: .customLong("trust-remote-code"),
    help: "Accepted; no code of a model is ever run here.")
  var trustsRemoteCode = false

  /// The folder with the model's files.
  func folder() throws -> String {
    try ModelReference(reference, revision: revision).folder()
  }

  /// The words that name the model on a command line.
  var words: [String] {
    ["--hf-model", reference] + (revision.map { ["--hf-revision", $0] } ?? [])
  }
}

/// How the tensors are written.
struct TensorOptions: ParsableArguments {
  enum Precision: String, CaseIterable, ExpressibleByArgument {
    case bfloat16, float16, float32
  }

  enum Device: String, CaseIterable, ExpressibleByArgument {
    case cpu
  }

  @Option(
    name: .customLong("torch-dtype"),
    help: ArgumentHelp(
      "The type of all floating-point tensors. (default: as in the source)", valueName: "type"))
  var precision: Precision?

  @Flag(
    name: .customLong("not-strict"),
    help: "Convert what is understood; name the rest and leave it out.")
  var isLenient = false

  @Option(help: "Accepted; conversion needs no other device.")
  var device: Device = .cpu

  @Flag(
    name: .customLong("low-memory-save"),
    help: "Accepted; memory is always bounded, see --max-memory.")
  var lowMemorySave = false
}

/// The Megatron side: the format, and over how many ranks the tensors are cut.
struct LayoutOptions: ParsableArguments {
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case torchDist = "torch_dist"
    case torch, zarr, nemo2
    case fsdpDtensor = "fsdp_dtensor"
  }

  @Option(
    help: "The checkpoint's format. Written is torch_dist; an export recognises what it reads.")
  var format: Format = .torchDist

  @Option(
    name: [.customLong("tp"), .customLong("tensor-model-parallel-size")],
    help: ArgumentHelp("Ranks that share each layer's matrices.", valueName: "n"))
  var tensor = 1

  @Option(
    name: [.customLong("pp"), .customLong("pipeline-model-parallel-size")],
    help: ArgumentHelp("Ranks that share the layers.", valueName: "n"))
  var pipeline = 1

  @Option(
    name: [.customLong("ep"), .customLong("expert-model-parallel-size")],
    help: ArgumentHelp("Ranks that share the experts.", valueName: "n"))
  var expert = 1

  @Option(
    name: [.customLong("etp"), .customLong("expert-tensor-parallel-size")],
    help: ArgumentHelp("Ranks that share each expert's matrices. (default: 1)", valueName: "n"))
  var expertTensor: Int?

  func validate() throws {
    let sizes = [
      ("--tp", tensor), ("--pp", pipeline), ("--ep", expert), ("--etp", expertTensor ?? 1),
    ]
    for (name, size) in sizes where !(1...65_536).contains(size) {
      throw ValidationError("\(name) must be a number from 1 to 65536, not \(size).")
    }
  }

  var sizes: ParallelSizes {
    ParallelSizes(
      tensor: tensor, pipeline: pipeline, expert: expert, expertTensor: expertTensor ?? 1)
  }

  /// Refuses formats that cannot be written yet.
  func requireWritable() throws {
    guard format == .torchDist else { throw CommandError.formatNotWritten(format.rawValue) }
  }
}

/// Where a result goes.
struct DestinationOptions: ParsableArguments {
  @Flag(help: "Replace what is at the destination, once the new is complete.")
  var overwrite = false

  @Flag(
    name: .customLong("dry-run"),
    help: "Print the plan (tensors, bytes, memory, disk) and write nothing.")
  var isDryRun = false
}

/// How a command works and talks.
struct RunOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Threads at work. (default: the number of cores)", valueName: "n"))
  var workers: Int?

  @Option(
    name: .customLong("max-memory"),
    help: ArgumentHelp("The most memory for buffers, such as 512MB or 2GiB.", valueName: "size"))
  var maximumMemory = ByteSize(1 << 30, as: "1GiB")

  @Flag(name: .customLong("no-progress"), help: "Show no progress.")
  var hidesProgress = false

  @Flag(name: .customLong("json"), help: "Print the result as one JSON object.")
  var json = false

  func validate() throws {
    if let workers, !(1...1024).contains(workers) {
      throw ValidationError("--workers must be a number from 1 to 1024, not \(workers).")
    }
  }

  /// The number of workers: as asked for, else one per core as far as memory reaches.
  ///
  /// - Parameter memory: what so many workers need.
  func workerCount(memory: (Int) -> Int) throws -> Int {
    let limit = maximumMemory.bytes
    let wanted = workers ?? Environment.processors
    if memory(wanted) <= limit { return wanted }
    guard workers == nil, let fitting = (1..<wanted).last(where: { memory($0) <= limit }) else {
      throw CommandError.memoryTooSmall(
        limit: limit, workers: workers ?? 1, needed: memory(workers ?? 1))
    }
    return fitting
  }

  var progressStyle: ProgressDisplay.Style {
    ProgressDisplay.style(isHidden: hidesProgress || json)
  }
}

/// What the program itself refuses, beyond what the rooms below it do.
enum CommandError: Error, CustomStringConvertible {
  case formatNotWritten(String)
  case memoryTooSmall(limit: Int, workers: Int, needed: Int)
  /// Publishing the result would remove what it is made from.
  case wouldReplaceSource(destination: String, source: String)

  var description: String {
    switch self {
    case .formatNotWritten(let name):
      "The format \(name) cannot be written by this version. "
        + "Leave --format out to write torch_dist, which Megatron-Core and Megatron-Bridge load."
    case .memoryTooSmall(let limit, let workers, let needed):
      "--max-memory of \(Format.bytes(limit)) is too little: the buffers of \(Format.count(workers, "worker")) need "
        + "\(needed) bytes (\(Format.bytes(needed))). Allow that much"
        + (workers > 1 ? ", or ask for fewer with --workers." : ".")
    case .wouldReplaceSource(let destination, let source):
      "The destination \(destination) holds the source \(source), which would be gone once the result "
        + "took its place. Choose another destination."
    }
  }
}

extension ConversionOptions {
  init(_ tensors: TensorOptions, _ layout: LayoutOptions) {
    self.init()
    dtype = tensors.precision.flatMap { DType(torchName: $0.rawValue) }
    isStrict = !tensors.isLenient
    sizes = layout.sizes
  }
}
