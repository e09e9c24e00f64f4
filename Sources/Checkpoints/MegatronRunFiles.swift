import Blueprint
import JSON
import MegatronFormat
import SafeTensors
import Tensors

/// The small files of a Megatron run folder that an import writes around the weights.
struct MegatronRunFiles {
  let model: HuggingFaceModel
  let blueprint: Blueprint
  let options: ConversionOptions
  /// The type of most of the weights.
  let dtype: DType
  /// Whether the source's files can be made again, so that it pays to remember them.
  let remembersFiles: Bool

  /// Where tensors are that are kept beside the checkpoint.
  static let carriedPath =
    "\(ImportPlan.iteration)/\(SourceRecord.folder)/\(SourceRecord.carriedName)"

  /// Adds everything but the metadata and the pointers.
  ///
  /// - Parameter carried: tensors of the source that are kept beside the checkpoint.
  func add(to transfer: inout Transfer, folder: String, carried: [String]) throws {
    for name in model.tokenizerFiles {
      transfer.copies.append((path: "\(folder)/tokenizer/\(name)", from: "\(model.folder)/\(name)"))
    }
    transfer.before.append((path: "\(folder)/common.pt", bytes: CommonState.encoded(iteration: 0)))
    transfer.before.append((path: "\(folder)/train_state.pt", bytes: try TrainState().encoded()))
    transfer.before.append(
      (
        path: "\(folder)/run_config.yaml",
        bytes: Array(
          try model.runConfig(blueprint, dtype: dtype, sizes: options.sizes).dumped().utf8)
      ))
    guard let weights = model.weights else { return }
    let record = "\(folder)/\(SourceRecord.folder)"
    let files = remembersFiles ? SourceRecord(weights) : SourceRecord(files: [], index: nil)
    transfer.before.append(
      (path: "\(record)/\(SourceRecord.layoutName)", bytes: files.encoded()))
    try addCarried(carried, weights, to: &transfer, path: "\(record)/\(SourceRecord.carriedName)")
  }

  private func addCarried(
    _ names: [String], _ weights: ShardedFolder, to transfer: inout Transfer, path: String
  ) throws {
    let entries = names.compactMap { weights[$0] }
    guard !entries.isEmpty else { return }
    let header = try SafeTensorsHeader.encoded(
      tensors: SafeTensorsHeader.referenceOrder(
        entries.map { TensorPlan(name: $0.name, dtype: $0.dtype, shape: $0.shape) }))
    let file = transfer.files.count
    transfer.files.append(.init(path: path, size: header.fileSize))
    transfer.blocks.append(.init(file: file, offset: 0, bytes: header.rawHeader))
    for entry in header.tensors where entry.byteCount > 0 {
      transfer.tasks.append(
        .init(
          name: entry.name, file: file, offset: header.dataOffset + entry.range.lowerBound,
          count: entry.shape.count, source: entry.dtype, target: entry.dtype
        ) { try weights.runs(of: entry.name) })
      transfer.tasks[transfer.tasks.count - 1].needs = weights.needs(of: [entry.name])
    }
  }

  /// Adds the files that make the folder a checkpoint, which come last.
  func addPointers(to transfer: inout Transfer, folder: String) throws {
    transfer.after.append((path: "\(folder)/metadata.json", bytes: BackendMetadata.bytes))
    transfer.after.append((path: "latest_train_state.pt", bytes: try TrainState().encoded()))
    transfer.after.append(
      (path: "latest_checkpointed_iteration.txt", bytes: RunFolder.trackerBytes(iteration: 0)))
  }
}
