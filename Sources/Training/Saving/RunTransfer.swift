import Blueprint
import Checkpoints
import Engine
import JSON
import Kernels
import MegatronFormat
import Tensors
import Weights

/// Everything that one checkpoint of a run is: which files, and how each stretch of them is filled.
///
/// Numbers stay where they are until they are written; nothing may train meanwhile.
struct RunTransfer {
  let settings: RunSettings
  let trainer: Trainer
  let model: HuggingFaceModel
  let weights: ModelWeights?
  let configuration: [RunProgress.Fact]
  /// Where adapters stand; `nil` for a run that trains all weights.
  let places: PairPlaces?

  init(
    _ settings: RunSettings, _ trainer: Trainer, model: HuggingFaceModel, weights: ModelWeights?,
    configuration: [RunProgress.Fact]
  ) throws {
    self.settings = settings
    self.trainer = trainer
    self.model = model
    self.weights = weights
    self.configuration = configuration
    places = try trainer.model.hasAdapters ? PairPlaces(trainer.model) : nil
  }

  /// The files of a checkpoint, relative to its own folder.
  func transfer(_ progress: RunProgress, validationLoss: Double?) throws -> Transfer {
    var transfer = Transfer()
    let (chunks, objects) = try contents()
    try add(chunks, objects, to: &transfer)
    let groups = groups(chunks)
    transfer.before += [
      (
        path: "common.pt",
        bytes: try TrainingState(progress, settings, trainer, groups: groups).encoded()
      ),
      (path: "train_state.pt", bytes: try Self.trainState(progress).encoded()),
      (path: "run_config.yaml", bytes: Array(try runConfig().dumped().utf8)),
      (path: RunState.name, bytes: runState(progress, validationLoss).encoded()),
    ]
    for name in model.tokenizerFiles {
      transfer.copies.append((path: "tokenizer/\(name)", from: "\(model.folder)/\(name)"))
    }
    if places == nil { addRecord(to: &transfer) }
    transfer.after.append((path: "metadata.json", bytes: BackendMetadata.bytes))
    return transfer
  }

  /// `train_state.pt`, as Megatron-Bridge keeps it.
  static func trainState(_ progress: RunProgress) -> TrainState {
    var state = TrainState(step: progress.step)
    state.consumedTrainSamples = progress.samples
    state.consumedValidSamples = progress.validationSamples
    state.floatingPointOperations = Float(progress.operations)
    state.doTrain = true
    return state
  }

  // MARK: Tensors

  private func contents() throws -> (chunks: [SavedChunk], objects: [(key: String, bytes: [UInt8])])
  {
    let empty = try CommonState.emptyExtraState()
    var objects: [(key: String, bytes: [UInt8])] = []
    let chunks: [SavedChunk]
    if let places {
      let pairs = PairChunks(places, trainer)
      chunks = pairs.chunks(keepsOptimiser: settings.saving.keepsOptimiser)
      objects = pairs.extraStates.map { ($0, empty) }
    } else {
      let all = WeightChunks(trainer, weights, keepsOptimiser: settings.saving.keepsOptimiser)
      chunks = try all.chunks()
      objects = all.extraStates.map { ($0, empty) }
    }
    if settings.saving.keepsRandomness {
      objects.append((RandomStates.key, try RandomStates(seed: settings.seed).encoded()))
    }
    return (chunks, objects)
  }

  /// The bytes from which on a second file pays: the kernel lets one writer at a time into a file.
  private static let large = 64 << 20

  private func add(
    _ chunks: [SavedChunk], _ objects: [(key: String, bytes: [UInt8])],
    to transfer: inout Transfer
  ) throws {
    var plan = DistributedWritePlan()
    let first = DistributedWritePlan.fileName(rank: 0)
    for object in objects { plan.add(object: object.key, bytes: object.bytes, file: first) }
    let total = chunks.reduce(0) { $0 + $1.sizes.count * $1.target.byteWidth }
    let parts = max(min(8, total / Self.large), total >> 34, 1)
    var written = 0
    for chunk in chunks {
      let part = min(parts - 1, written * parts / max(1, total))
      written += chunk.sizes.count * chunk.target.byteWidth
      let item = try plan.add(
        tensor: chunk.key, dtype: chunk.target, shape: chunk.shape, offsets: chunk.offsets,
        sizes: chunk.sizes, file: DistributedWritePlan.fileName(rank: 0, part: part))
      for alias in chunk.aliases { plan.add(alias: alias, of: item) }
    }
    let layout = try plan.finish()
    var files: [String: Int] = [:]
    for file in layout.files {
      files[file.name] = transfer.files.count
      transfer.files.append(.init(path: file.name, size: file.size))
    }
    for object in layout.objects {
      transfer.blocks.append(
        .init(file: files[object.file] ?? 0, offset: object.offset, bytes: object.bytes))
    }
    for (chunk, item) in zip(chunks, layout.items) {
      let (source, rows) = (chunk.source, chunk.rows)
      transfer.tasks.append(
        .init(
          name: chunk.key, file: files[item.file] ?? 0, offset: item.offset,
          count: chunk.sizes.count, source: source.dtype, target: chunk.target,
          archive: chunk.sizes, work: source.work
        ) { try source.rows(rows) })
    }
    transfer.after.append((path: ".metadata", bytes: layout.encodedMetadata()))
  }

  /// Which groups of parameters Megatron's optimiser makes of these tensors: those with two axes, which weight decay
  /// pulls at, and vectors, which it does not.
  private func groups(_ chunks: [SavedChunk]) -> [Bool] {
    let head = StateName.head(StateName.first)
    let lead = MegatronNames(trainer.model.blueprint).stacksLayers
    var found: Set<Bool> = []
    for chunk in chunks where chunk.key.hasPrefix(head) {
      let isStacked = lead && chunk.key.contains("decoder.layers.")
      found.insert(chunk.shape.rank > (isStacked ? 2 : 1) && !chunk.key.hasSuffix(".bias"))
    }
    return [true, false].filter(found.contains)
  }

  /// What an import remembers of its source goes along, so that an export gives the same files back.
  private func addRecord(to transfer: inout Transfer) {
    guard let place = weights?.place, place != model.folder else { return }
    let folder = "\(place)/huggingface"
    for name in Folder.entries(folder) ?? [] where Folder.isFile("\(folder)/\(name)") {
      transfer.copies.append((path: "huggingface/\(name)", from: "\(folder)/\(name)"))
    }
  }

  // MARK: Small files

  private func runConfig() throws -> YAMLValue {
    let numbers = trainer.model.numbers
    let config = try model.runConfig(trainer.model.blueprint, dtype: numbers.dtype)
    guard var root = config.map else { return config }
    RunConfigSections(
      settings: settings, schedule: trainer.schedule,
      numbers: numbers == .bfloat16 ? .bfloat16 : .float32, steps: settings.length.steps
    ).apply(to: &root)
    var checkpoint = root["checkpoint"]?.map ?? YAMLMap()
    // Not every class of Bridge's that builds a model knows where it is from.
    checkpoint["hf_source_path"] = .string(model.name)
    if let places, let adapters = settings.adapters {
      root["peft"] = .map(PEFTSection(places: places, settings: adapters).section)
      checkpoint["pretrained_checkpoint"] = base.map { .string($0) } ?? .null
    }
    root["checkpoint"] = .map(checkpoint)
    return .map(root)
  }

  /// What the adapters are trained on, where it is no Hugging Face folder: that one the model's section names.
  private var base: String? {
    guard let weights, weights.place != model.folder else { return nil }
    return weights.place
  }

  private func runState(_ progress: RunProgress, _ loss: Double?) -> RunState {
    var state = RunState()
    state.progress = progress
    state.updates = trainer.optimiser.updates
    state.numbers = trainer.model.numbers.rawValue
    state.isHalf = trainer.optimiser.settings.precision == .half
    state.holdsAdapters = places != nil
    state.loss = loss
    state.threads = Team.size
    state.configuration = configuration
    return state
  }
}

extension Model {
  /// Whether adapters are on the model.
  var hasAdapters: Bool { parameters.contains { $0.change != nil } }
}
