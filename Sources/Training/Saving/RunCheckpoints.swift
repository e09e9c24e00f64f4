import Checkpoints
import Engine
import JSON
import Kernels
import Tensors
import Weights

/// The checkpoints of a run: writes them, points at the newest and the best one, and removes old ones.
///
/// It holds a lock on the run folder as long as it lives, so that no second run writes there.
public final class RunCheckpoints {
  /// The run folder.
  public let folder: String
  /// The bytes of one checkpoint, without a Hugging Face folder beside it.
  public let byteCount: Int
  /// What the user should know, since it was last asked for.
  public private(set) var notes: [String] = []
  private let source: RunTransfer
  private let iterations: RunIterations
  private let lock: FolderLock?
  private let progress = TransferProgress()

  /// - Parameters:
  ///   - settings: `saving.folder` is there.
  ///   - trainer: its model has its adapters.
  ///   - model: the configuration that the model was built from, with the folder it lies in; of a fresh model what
  ///     `freshModel` gives.
  ///   - weights: what the weights were read from; `nil` of a fresh model.
  ///   - configuration: the effective configuration by dotted keys, to be found again by people.
  /// - Throws: `SavingError`, `FileError` where the folder cannot be written or has no room for a checkpoint.
  public init(
    _ settings: RunSettings, _ trainer: Trainer, model: HuggingFaceModel, weights: ModelWeights?,
    configuration: [(key: String, value: JSON)] = []
  ) throws {
    guard let place = settings.saving.folder else { preconditionFailure("no folder to save in") }
    folder = Folder.absolute(place)
    var settings = settings
    settings.saving.folder = folder
    iterations = RunIterations(folder: folder)
    source = try RunTransfer(
      settings, trainer, model: model, weights: weights,
      configuration: configuration.map { RunProgress.Fact($0.key, $0.value) })
    byteCount = try source.transfer(RunProgress(), validationLoss: nil).totalBytes
    try Folder.create(folder)
    switch FolderLock.take(folder) {
    case .taken(let lock): self.lock = lock
    case .busy: throw SavingError.inUse(folder: folder)
    case .gone, .unsupported: lock = nil
    }
    iterations.removeStale()
    // Told now rather than after the first hours of training.
    try StagedFolder(
      destination: iterations.path(0) + ".probe", overwrite: true, needed: byteCount
    ).discard()
  }

  /// Writes a checkpoint, then points at it, then removes what is no longer kept.
  ///
  /// A kill at any moment leaves what was there before or all of the new one. It is written at once, not beside the
  /// training that goes on.
  ///
  /// - Parameters:
  ///   - validationLoss: that of the weights as they are, if it was taken.
  ///   - isLast: whether the run has ended with this step (`also_save_hf_checkpoint` at the end).
  /// - Returns: the folder of the iteration.
  /// - Throws: `SavingError`, `FileError`; the last good checkpoint is left.
  @discardableResult
  public func save(
    _ progress: RunProgress, validationLoss: Double? = nil, isLast: Bool = false
  ) throws -> String {
    let settings = source.settings.saving
    iterations.removeStale()
    let transfer = try source.transfer(progress, validationLoss: validationLoss)
    let exports =
      settings.huggingFace == .always || settings.huggingFace == .atEnd && isLast
      || source.places.map { $0.kind == nil } ?? false
    let staged = try StagedFolder(
      destination: iterations.path(progress.step), overwrite: true,
      needed: transfer.totalBytes + (exports ? source.exportBytes : 0))
    do {
      try transfer.run(in: staged.path, workers: Self.workers, progress: self.progress)
      if exports {
        try source.exported(staged.path, settings.folder ?? folder)
          .run(in: "\(staged.path)/hf", workers: Self.workers, progress: self.progress)
      }
      try staged.publish()
    } catch {
      staged.discard()
      throw error
    }
    if let note = try iterations.point(at: progress.step, RunTransfer.trainState(progress)) {
      if !notes.contains(note) { notes.append(note) }
    }
    if let keeps = settings.keeps { try iterations.retain(keeps, current: progress.step) }
    return iterations.path(progress.step)
  }

  private static var workers: Int { max(1, min(4, Team.size)) }

  /// Writes the configuration of a fresh model and its tokenizer's files into `huggingface` of the run folder,
  /// where exports and generation find them, and opens it.
  ///
  /// - Parameters:
  ///   - configuration: config.json.
  ///   - tokenizer: the folder whose tokenizer is used, or its only file; `nil` for none.
  /// - Throws: `FileError`, `ConfigError`, `ConversionError`.
  public static func freshModel(
    _ configuration: JSONObject, tokenizer: String?, in folder: String
  ) throws -> HuggingFaceModel {
    let place = "\(Folder.absolute(folder))/huggingface"
    let wanted = JSON.object(configuration).serializedBytes(.indented(2)) + [UInt8(ascii: "\n")]
    if let known = try? HuggingFaceModel.configuration(in: place), known == configuration {
      return try HuggingFaceModel(folder: place)
    }
    var transfer = Transfer()
    if let tokenizer {
      let isFile = Folder.isFile(tokenizer)
      let source = isFile ? Folder.parent(Folder.absolute(tokenizer)) : tokenizer
      let names =
        isFile ? [Folder.name(Folder.absolute(tokenizer))] : try TokenizerFiles.names(in: source)
      for name in names { transfer.copies.append((path: name, from: "\(source)/\(name)")) }
    }
    transfer.after = [(path: "config.json", bytes: wanted)]
    let staged = try StagedFolder(
      destination: place, overwrite: true, needed: transfer.totalBytes)
    do {
      try transfer.run(in: staged.path, workers: 1, progress: TransferProgress())
      try staged.publish()
    } catch {
      staged.discard()
      throw error
    }
    return try HuggingFaceModel(folder: place)
  }
}
