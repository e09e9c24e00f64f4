import Adapters
import ArgumentParser
import Blueprint
import Checkpoints
import Tensors

/// An adapter's folder, and how much of it is taken: `DIR` or `DIR=0.7`.
struct WeightedPath: ExpressibleByArgument, Equatable {
  var path: String
  var weight: Double

  init(_ path: String, weight: Double = 1) {
    self.path = path
    self.weight = weight
  }

  init?(argument: String) {
    guard let equals = argument.lastIndex(of: "="), !Folder.exists(argument) else {
      if argument.isEmpty { return nil }
      self.init(argument)
      return
    }
    let path = String(argument[..<equals])
    guard !path.isEmpty, let weight = Double(argument[argument.index(after: equals)...]),
      weight.isFinite
    else { return nil }
    self.init(path, weight: weight)
  }
}

/// The adapters of a merge.
struct AdapterOptions: ParsableArguments {
  @Option(
    name: .customLong("lora-checkpoint"),
    help: ArgumentHelp(
      "The adapter: a Megatron run folder or one iteration in it, a PEFT or an mlx-lm folder, or its name on the hub.",
      valueName: "path|ref"))
  var checkpoint: String?

  @Option(
    name: .customLong("adapter"),
    help: ArgumentHelp(
      "An adapter, and how much of it is taken; once for each of several.",
      valueName: "path|ref[=weight]"))
  var weighted: [WeightedPath] = []

  @Flag(
    name: .customLong("allow-non-finite"),
    help: "Merge an adapter that holds NaN or infinity all the same.")
  var allowsNonFinite = false

  func validate() throws {
    guard checkpoint != nil || !weighted.isEmpty else {
      throw ValidationError("Missing expected argument '--lora-checkpoint <path|ref>'")
    }
  }

  var all: [WeightedPath] { (checkpoint.map { [WeightedPath($0)] } ?? []) + weighted }
}

/// What the adapters are merged into.
struct BaseOptions: ParsableArguments {
  @Option(
    name: .customLong("hf-model-path"),
    help: ArgumentHelp(
      """
      The Hugging Face model: a folder, org/name or hf://org/name[@revision]. Gives configuration, \
      tokenizer and files, and the weights where nothing else does.
      """, valueName: "ref"))
  var model: String?

  @Option(
    help: ArgumentHelp(
      """
      The base: a Megatron checkpoint or a Hugging Face model. (default: what the adapter's \
      run_config.yaml names, else --hf-model-path)
      """, valueName: "ckpt|ref"))
  var pretrained: String?

  @Flag(
    name: .customLong("not-strict"),
    help: "Take of the base what is understood; name the rest and leave it out.")
  var isLenient = false

  var wish: BaseModel.Wish {
    BaseModel.Wish(pretrained: pretrained, model: model, isStrict: !isLenient)
  }
}

/// What scripts for Megatron-Bridge say; nothing that is read depends on it.
struct PeerOptions: ParsableArguments {
  @Option(
    name: [.customLong("tp"), .customLong("tensor-model-parallel-size")],
    help: ArgumentHelp(
      "For a Megatron result: ranks that share each layer's matrices.", valueName: "n"))
  var tensor = 1

  @Option(
    name: [.customLong("pp"), .customLong("pipeline-model-parallel-size")],
    help: ArgumentHelp("Likewise: ranks that share the layers.", valueName: "n"))
  var pipeline = 1

  @Option(
    name: [.customLong("ep"), .customLong("expert-model-parallel-size")],
    help: ArgumentHelp("Likewise: ranks that share the experts.", valueName: "n"))
  var expert = 1

  @Flag(help: "Accepted; merging needs no other device.") var cpu = false

  @Flag(help: "Accepted; there is nothing more to say.") var debug = false

  func validate() throws {
    for (name, size) in [("--tp", tensor), ("--pp", pipeline), ("--ep", expert)]
    where !(1...65_536).contains(size) {
      throw ValidationError("\(name) must be a number from 1 to 65536, not \(size).")
    }
  }

  var sizes: ParallelSizes {
    ParallelSizes(tensor: tensor, pipeline: pipeline, expert: expert, expertTensor: 1)
  }
}
