import Checkpoints
import Data
import Engine
import MegatronFormat

/// A checkpoint that a run goes on with: one's own, or one that Megatron or Megatron-Bridge wrote.
///
/// A run that goes on finds it first, makes its model (of `weights` where it trains all of them), attaches fresh
/// adapters and makes its trainer as if it began, and then has everything set to what was saved.
public struct SavedRun: Sendable {
  /// The folder of the iteration.
  public let folder: String
  /// The updates that it was saved after.
  public let step: Int
  /// Whether it holds adapters alone, and no weights.
  public let holdsAdapters: Bool

  /// Finds what a run is to go on with.
  ///
  /// - Returns: `nil` where it is to begin: `load` names nothing, and the run's own folder holds no checkpoint or
  ///   is not to be gone on with.
  /// - Throws: `SavingError`, `MegatronError`.
  public static func find(_ settings: SavingSettings) throws -> SavedRun? {
    throw SavingError.notYet
  }

  /// The weights to make the model of.
  ///
  /// - Parameter configuration: the Hugging Face folder of the model; where it is `nil`, the one that the
  ///   checkpoint names.
  /// - Throws: `SavingError.holdsAdapters` for a checkpoint without weights; `ConversionError`.
  public func weights(configuration: String? = nil) throws -> ModelWeights {
    throw SavingError.notYet
  }

  /// What was taken from a checkpoint.
  public struct Restored: Sendable {
    /// Begins anew where the settings say that only weights are taken.
    public var progress: RunProgress
    /// What was taken, and what is not as it was: sentences.
    public var notes: [String]
  }

  /// Sets the numbers that are trained, the optimiser's state and the count of updates to what was saved.
  ///
  /// What the optimiser keeps is taken bit for bit.
  ///
  /// - Parameters:
  ///   - trainer: of the same model, with adapters of the same shapes where the checkpoint has any.
  ///   - identity: what the run is made of now; differences are told in the notes.
  /// - Throws: `SavingError` where something is damaged or belongs to another model.
  public func restore(
    into trainer: Trainer, _ settings: SavingSettings, identity: [RunProgress.Fact] = []
  ) throws -> Restored {
    throw SavingError.notYet
  }
}
