import Blueprint
import JSON
import MegatronFormat
import Tensors

/// What a Megatron checkpoint tells about itself.
extension Inspection {
  init(megatron run: RunFolder) throws {
    switch run.format {
    case .torchDist, .plainDCP, .nemo2: try self.init(distributed: run)
    case .legacyTorch: try self.init(legacy: run)
    case .zarr: try self.init(zarr: run)
    }
    if run.folder != run.path { add("checkpoint", "folder", .string(Folder.name(run.folder))) }
    let state = try run.trainState()
    add("iteration", "iteration", (run.iteration ?? state?.step).map { .integer($0) })
    if let state, state.consumedTrainSamples > 0 {
      add("samples consumed", "consumed_train_samples", .integer(state.consumedTrainSamples))
    }
    try addConfiguration(of: run)
    if run.format != .legacyTorch { addTensorFacts() }
  }

  // MARK: Formats

  private init(distributed run: RunFolder) throws {
    let checkpoint = try run.openDistributed()
    let title =
      switch run.format {
      case .nemo2: "NeMo 2 checkpoint"
      case .plainDCP: "torch.distributed.checkpoint folder"
      default: "Megatron checkpoint (torch_dist)"
      }
    let format =
      switch run.format {
      case .nemo2: "nemo2"
      case .plainDCP: "dcp"
      default: "torch_dist"
      }
    self.init(path: run.path, format: format, title: title, tensors: TensorSet(checkpoint))
    files = checkpoint.files.map {
      File(name: $0, bytes: Folder.size("\(run.weights)/\($0)") ?? 0)
    }
    objects = checkpoint.objectKeys
  }

  private init(legacy run: RunFolder) throws {
    var found: [TensorSet.Tensor] = []
    let ranks = (Folder.entries(run.folder) ?? []).filter { $0.hasPrefix("mp_rank_") }
    var files: [File] = []
    for rank in ranks {
      let names = ["model_optim_rng.pt", "model_rng.pt"]
      for name in names {
        let path = "\(run.folder)/\(rank)/\(name)"
        guard Folder.isFile(path) else { continue }
        files.append(File(name: "\(rank)/\(name)", bytes: Folder.size(path) ?? 0))
        found += try TensorSet(try TorchFile(path: path)).renamed { "\(rank)/\($0)" }.tensors
      }
    }
    self.init(
      path: run.path, format: "torch", title: "Megatron checkpoint (torch, one file per rank)",
      tensors: TensorSet(found))
    self.files = files
    add("ranks", "ranks", .integer(ranks.count))
    if ranks.count == 1 {
      parameters = Self.elements(tensors) { $0.hasPrefix("\(ranks[0])/model.") }
    } else {
      notes.append("Tensors are listed for each rank, cut as its ranks held them.")
    }
    notes.append("This version looks into this format but does not convert it.")
  }

  private init(zarr run: RunFolder) throws {
    var found: [TensorSet.Tensor] = []
    var objects: [String] = []
    for name in Folder.entries(run.folder) ?? [] where Folder.isFolder("\(run.folder)/\(name)") {
      let path = "\(run.folder)/\(name)/.zarray"
      guard Folder.isFile(path) else {
        if name.contains("_extra_state") { objects.append(name) }
        continue
      }
      guard let header = try JSON(parsing: InputFile(path).readAll()).object,
        let shape = header["shape"]?.array?.compactMap(\.integer),
        let type = header["dtype"]?.string, let dtype = Self.zarrType(type)
      else {
        throw ConversionError.badConfiguration(
          path: path, reason: "it is not an array's description as zarr 2 writes it.")
      }
      let chunks = (Folder.entries("\(run.folder)/\(name)") ?? []).filter { !$0.hasPrefix(".") }
      guard Shape(shape).checkedByteCount(dtype) != nil else {
        throw ConversionError.badConfiguration(
          path: path, reason: "its shape \(Shape(shape)) is impossible.")
      }
      found.append(
        TensorSet.Tensor(name: name, dtype: dtype, shape: Shape(shape), pieces: chunks.count) { _ in
          throw ConversionError.notYet("\(path): zarr arrays are not read by this version.")
        })
    }
    self.init(
      path: run.path, format: "zarr", title: "Megatron checkpoint (zarr)",
      tensors: TensorSet(found))
    self.objects = objects
    notes.append("This version looks into this format but does not convert it.")
  }

  private static func zarrType(_ name: String) -> DType? {
    switch name {
    case "bfloat16": .bfloat16
    case "<f2": .float16
    case "<f4": .float32
    case "<f8": .float64
    case "|u1": .uint8
    case "|i1": .int8
    case "|b1": .bool
    case "<i4": .int32
    case "<i8": .int64
    default: nil
    }
  }

  // MARK: What the keys say

  private mutating func addTensorFacts() {
    var elements = 0
    var pieces = 0
    var optimizer: (count: Int, bytes: Int) = (0, 0)
    var isNumbered: Bool?
    var isAdapter = false
    for tensor in tensors.tensors {
      pieces += tensor.pieces
      if tensor.name.hasPrefix("optimizer") {
        optimizer.count += 1
        optimizer.bytes += tensor.byteCount
      }
      if MegatronModel.isTrainingState(tensor.name) { continue }
      elements += tensor.shape.checkedCount ?? 0
      // One numbered key says that all are.
      if isNumbered != true, let isOne = Self.isNumberedLayer(tensor.name) { isNumbered = isOne }
      isAdapter = isAdapter || tensor.name.holds(".adapter.")
    }
    parameters = elements
    add("layers' keys", "layer_keys", isNumbered.map { .string($0 ? "numbered" : "stacked") })
    add("chunks", "chunks", .integer(pieces))
    if optimizer.count > 0 {
      add("optimizer tensors", "optimizer_tensors", .integer(optimizer.count))
      add("optimizer bytes", "optimizer_bytes", .integer(optimizer.bytes))
    }
    if isAdapter {
      add("adapter", "adapter", .bool(true))
      notes.append(
        "It holds an adapter alone, which has to be merged with its base before an export.")
    }
  }

  /// Whether a layer's key has the layer's number in it; `nil` for other keys.
  private static func isNumberedLayer(_ key: String) -> Bool? {
    let head = "decoder.layers."
    guard key.holds(head), let range = key.firstRange(of: head) else { return nil }
    return key[range.upperBound...].first?.isNumber == true
  }

  // MARK: What the configuration says

  private mutating func addConfiguration(of run: RunFolder) throws {
    if let config = try run.runConfig() {
      addModel(config["model"])
      // Silence means Bridge's names only in a file that an import wrote; others say nothing of it.
      let names = config["model", MegatronArguments.namesKey]
      add("Megatron names", Self.namesFact, names?.json)
      add("base", "pretrained_checkpoint", config["checkpoint", "pretrained_checkpoint"]?.json)
      add("adapter kind", "peft", config["peft", "_target_"]?.json)
      add("adapter rank", "peft_dim", config["peft", "dim"]?.json)
      return
    }
    let model = "\(run.folder)/context/model.yaml"
    if Folder.isFile(model) {
      let yaml = try YAMLValue(parsing: InputFile(model).readAll(), file: model)
      architecture = yaml["_target_"]?.string
      addModel(yaml["config"])
      return
    }
    guard let arguments = try run.arguments() else { return }
    for (label, key) in Self.sizes { add(label, key, arguments[key]?.json) }
    add("layers", "num_layers", arguments["num_layers"]?.json)
    add("width", "hidden_size", arguments["hidden_size"]?.json)
  }

  private mutating func addModel(_ model: YAMLValue?) {
    guard let model else { return }
    architecture = architecture ?? model["_target_"]?.string
    add("layers", "num_layers", model["num_layers"]?.json)
    add("width", "hidden_size", model["hidden_size"]?.json)
    add("vocabulary", "vocab_size", model["vocab_size"]?.json)
    add("context", "seq_length", model["seq_length"]?.json)
    add(
      "output tied to embedding", "tied", model["share_embeddings_and_output_weights"]?.json)
    for (label, key) in Self.sizes { add(label, key, model[key]?.json) }
  }

  private static let sizes = [
    ("tensor parallel", "tensor_model_parallel_size"),
    ("pipeline parallel", "pipeline_model_parallel_size"),
    ("expert parallel", "expert_model_parallel_size"),
    ("expert tensor parallel", "expert_tensor_parallel_size"),
  ]
}

extension RunFolder {
  /// Megatron's command-line arguments as the checkpoint keeps them (`args` in `common.pt` or in the
  /// first rank's file); `nil` if it keeps none.
  fileprivate func arguments() throws -> PickleDictionary? {
    var state: PickleDictionary?
    if format == .legacyTorch {
      let rank = (Folder.entries(folder) ?? []).first { $0.hasPrefix("mp_rank_") }
      let path = "\(folder)/\(rank ?? "")/model_optim_rng.pt"
      if Folder.isFile(path) { state = try TorchFile(path: path).pickle().dictionary }
    } else if format != .plainDCP {
      state = try commonState()
    }
    guard case .object(let arguments)? = state?["args"] else { return nil }
    return arguments.state?.dictionary
  }
}

extension YAMLValue {
  /// The value as JSON where it is a plain one; `nil` for `null`.
  fileprivate var json: JSON? {
    switch self {
    case .bool(let value): .bool(value)
    case .integer(let value): .integer(value)
    case .number(let value): .number(value)
    case .string(let value): .string(value)
    default: nil
    }
  }
}

extension PickleValue {
  /// The value as JSON where it is a plain one; `nil` for `None`.
  fileprivate var json: JSON? {
    switch self {
    case .bool(let value): .bool(value)
    case .integer(let value): .integer(value)
    case .float(let value): .number(value)
    case .string(let value): .string(value)
    default: nil
    }
  }
}
