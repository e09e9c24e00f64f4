import ArgumentParser
import Blueprint
import Checkpoints
import Console
import Engine
import Kernels
import Weights

/// The model a command computes with.
struct ModelOptions: ParsableArguments {
  @Option(
    name: .customLong("model"),
    help: ArgumentHelp(
      "A Hugging Face folder or reference, or a Megatron checkpoint.", valueName: "ref|ckpt"))
  var reference: String

  @Option(
    name: .customLong("hf-revision"),
    help: ArgumentHelp(
      "The branch, tag or commit on the hub. (default: main)", valueName: "revision"))
  var revision: String?

  @Option(
    name: .customLong("hf-model"),
    help: ArgumentHelp(
      "The Hugging Face model that a Megatron checkpoint is of. (default: the one in its run_config.yaml)",
      valueName: "ref"))
  var configuration: String?

  /// Finds the weights; reads nothing of them yet.
  func weights() throws -> ModelWeights {
    try ModelWeights(reference, revision: revision, configuration: configuration)
  }
}

/// The adapter on a command's model.
struct AdapterOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "An adapter to compute with: a PEFT or mlx-lm folder, its name on the hub, or a Megatron run of adapters. "
        + "--model may name such a one too, and the base is then the one it names.",
      valueName: "dir|ref"))
  var adapter: String?
}

extension ModelOptions {
  /// Finds the weights and the adapter on them; reads no weights yet.
  func weights(_ options: AdapterOptions) throws -> AdaptedWeights {
    try AdaptedWeights(
      reference, adapter: options.adapter, revision: revision, configuration: configuration)
  }
}

/// What a command computes with.
struct ComputeOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Threads at work. (default: one for each core)", valueName: "n"))
  var threads: Int?

  @Flag(
    name: .customLong("blas"),
    help: "Multiply matrices with OpenBLAS instead of oneDNN.")
  var usesBLAS = false

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads must be a number from 1 to 1024, not \(threads).")
    }
  }

  func apply() {
    if let threads { Team.resize(threads) }
    if usesBLAS { Product.library = .openBLAS }
  }
}

/// The types that a model may be computed in.
enum ComputeType: String, CaseIterable, ExpressibleByArgument {
  case float32, bfloat16

  var numbers: Numbers { self == .float32 ? .float32 : .bfloat16 }
}

extension ModelWeights {
  /// The type to compute in where nobody names one: float32 where the configuration says so.
  var computeType: ComputeType { model.configuredType == .float32 ? .float32 : .bfloat16 }
}

/// How a command works and talks.
struct RunningOptions: ParsableArguments {
  @Flag(
    name: .customLong("dry-run"),
    help: "Print the plan (tensors, bytes, memory, disk) and do nothing.")
  var isDryRun = false

  @Flag(name: .customLong("no-progress"), help: "Show no progress.")
  var hidesProgress = false

  @Flag(name: .customLong("json"), help: "Print the result as one JSON object.")
  var json = false

  var showsProgress: Bool { !hidesProgress && !json }
}
