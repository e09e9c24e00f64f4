import Checkpoints
import Engine
import JSON

/// The checkpoints of a run: writes them, points at the newest and the best one, and removes old ones.
public final class RunCheckpoints {
  /// The run folder.
  public let folder: String

  /// - Parameters:
  ///   - settings: `saving.folder` is there.
  ///   - trainer: its model has its adapters.
  ///   - model: the configuration that the model was built from, with the folder it lies in; of a fresh model what
  ///     `freshModel` gives.
  ///   - weights: what the weights were read from; `nil` of a fresh model.
  ///   - configuration: the effective configuration by dotted keys, to be found again by people.
  /// - Throws: `SavingError`, `FileError` where the folder cannot be written; nothing is left behind then.
  public init(
    _ settings: RunSettings, _ trainer: Trainer, model: HuggingFaceModel, weights: ModelWeights?,
    configuration: [(key: String, value: JSON)] = []
  ) throws {
    throw SavingError.notYet
  }

  /// Writes a checkpoint, then points at it, then removes what is no longer kept.
  ///
  /// A kill at any moment leaves what was there before or all of the new one.
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
    throw SavingError.notYet
  }

  /// Writes the configuration of a fresh model and its tokenizer's files into `huggingface` of the run folder,
  /// where exports and generation find them, and opens it.
  ///
  /// - Parameters:
  ///   - configuration: config.json.
  ///   - tokenizer: the folder whose tokenizer is used; `nil` for none.
  public static func freshModel(
    _ configuration: JSONObject, tokenizer: String?, in folder: String
  ) throws -> HuggingFaceModel {
    throw SavingError.notYet
  }
}
