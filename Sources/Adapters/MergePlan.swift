import Checkpoints
import Kernels
import Tensors

/// An adapter and how much of it is taken.
public struct WeightedAdapter: Sendable {
  public var adapter: Adapter
  public var weight: Double

  public init(_ adapter: Adapter, weight: Double = 1) {
    self.adapter = adapter
    self.weight = weight
  }
}

/// What the user may say about a merge.
public struct MergeOptions: Sendable {
  public enum Output: String, Sendable, CaseIterable {
    case huggingFace = "hf"
    case megatron
  }

  public var output = Output.huggingFace
  /// Megatron output: over how many ranks the weights are meant to be shared.
  public var conversion = ConversionOptions()
  /// Merges factors with NaN and infinity in them.
  public var allowsNonFinite = false

  public init() {}
}

/// Base and adapters → merged model: every file of the result, decided before the first byte is written.
///
/// W' = round(W + Σ weight · scale · B · A), in float32 tile by tile while the base streams through.
public struct MergePlan: Sendable {
  public let transfer: Transfer
  /// What the user should know.
  public let notes: [String]
  /// What changes; the amounts are there once the transfer has run.
  public let changes: ChangeReport

  /// - Throws: `AdapterError`, `ConversionError`, `MegatronError`, `SafeTensorsError`.
  public init(
    _ adapters: [WeightedAdapter], into base: BaseModel, _ options: MergeOptions
  ) throws {
    let record = try MergeRecord(adapters, into: base, allowsNonFinite: options.allowsNonFinite)
    var (transfer, notes, model) = try Self.base(base, options)
    let tensors = BaseTensors(base, transfer)
    let builder = try OverlayBuilder(adapters, tensors)
    switch options.output {
    case .huggingFace:
      builder.overlay.apply(to: &transfer)
    case .megatron:
      let plan = try ImportPlan(model, options.conversion, builder.overlay)
      (transfer, notes) = (plan.transfer, plan.notes)
    }
    transfer.before.append((path: MergeRecord.name, bytes: record.encoded))
    self.transfer = transfer
    self.notes = base.notes + adapters.flatMap(\.adapter.notes) + notes
    changes = builder.report
  }

  /// The base as a Hugging Face folder, written as it is; and as a model with weights.
  private static func base(
    _ base: BaseModel, _ options: MergeOptions
  ) throws -> (Transfer, [String], HuggingFaceModel) {
    guard let checkpoint = base.checkpoint else {
      return (try CopyPlan(base.model, without: [MergeRecord.name]).transfer, [], base.model)
    }
    let plan = try ExportPlan(base.model, from: checkpoint, options.conversion)
    let model = options.output == .megatron ? try plan.exported() : base.model
    return (plan.transfer, plan.notes, model)
  }
}

/// The base's tensors, in the order they are written.
struct BaseTensors {
  private(set) var names: [String] = []
  private var types: [String: DType] = [:]
  private var shapes: [String: Shape] = [:]
  /// Names of tensors that are the same as another one, by that one.
  let copies: [String: [String]]

  init(_ base: BaseModel, _ transfer: Transfer) {
    let blueprint = base.model.blueprint
    for part in blueprint.slots.flatMap(\.slot.parts) { shapes[part.name] = part.shape }
    for task in transfer.tasks {
      names.append(task.name)
      types[task.name] = task.source
      if let entry = base.model.weights?[task.name] { shapes[task.name] = entry.shape }
    }
    copies = Dictionary(grouping: blueprint.duplicates.keys) { blueprint.duplicates[$0] ?? $0 }
    for (name, original) in blueprint.duplicates where shapes[name] == nil {
      shapes[name] = shapes[original]
    }
  }

  subscript(name: String) -> (dtype: DType, shape: Shape)? {
    guard let dtype = types[name], let shape = shapes[name] else { return nil }
    return (dtype, shape)
  }
}
