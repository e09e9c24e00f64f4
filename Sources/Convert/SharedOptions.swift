import ArgumentParser
import Blueprint
import Checkpoints
import Console
import Hub
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
      "The branch, tag or commit on the hub. (default: main)", valueName: "revision"))
  var revision: String?

  @Flag(
    name: .customLong("trust-remote-code"),
    help: "Accepted; no code of a model is ever run here.")
  var trustsRemoteCode = false

  /// The folder with what is needed of the model.
  func folder(_ need: HubNeed = .model) throws -> String {
    try ModelReference(reference, revision: revision).folder(need)
  }

  /// The words that name the model on a command line.
  var words: [String] {
    ["--hf-model", reference] + (revision.map { ["--hf-revision", $0] } ?? [])
  }
}

/// How the tensors are written.
struct TensorOptions: ParsableArguments {
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
    guard format == .torchDist else { throw FormatNotWritten(name: format.rawValue) }
  }
}

extension ConversionOptions {
  init(_ tensors: TensorOptions, _ layout: LayoutOptions) {
    self.init()
    dtype = tensors.precision?.dtype
    isStrict = !tensors.isLenient
    sizes = layout.sizes
  }
}

/// A format that is known but cannot be written.
struct FormatNotWritten: Error, CustomStringConvertible {
  var name: String

  var description: String {
    "The format \(name) cannot be written by this version. "
      + "Leave --format out to write torch_dist, which Megatron-Core and Megatron-Bridge load."
  }
}
