import Checkpoints
import Console
import Engine
import Kernels
import Weights

/// A command's model being read, and what stops the command.
struct RunningModel {
  private let progress = TransferProgress()

  /// Throws if the user wants to stop.
  func check() throws {
    if progress.isCancelled { throw ConversionError.interrupted }
  }

  /// Runs `body` so that a signal ends it at the next `check`.
  func stopping<Result>(_ body: (RunningModel) throws -> Result) rethrows -> Result {
    try Interrupt.shared.stopping(progress) { try body(self) }
  }

  /// Reads the numbers of a model, and puts its adapter on it.
  ///
  /// - Parameter isTrained: whether gradients are wanted, where there is no adapter.
  func load(
    _ adapted: AdaptedWeights, _ numbers: Numbers, isTrained: Bool = false, showsProgress: Bool
  ) throws -> Model {
    let model = try load(
      adapted.weights, numbers, isTrained: isTrained, showsProgress: showsProgress)
    if let adapter = adapted.adapter { try model.attach(adapter) }
    return model
  }

  /// Reads the numbers of a model, and shows how far it is.
  ///
  /// - Parameter isTrained: whether gradients are wanted.
  func load(
    _ weights: ModelWeights, _ numbers: Numbers, isTrained: Bool, showsProgress: Bool
  ) throws -> Model {
    let display = ProgressDisplay(
      "load", total: weights.blueprint.parameterBytes(numbers), progress,
      style: ProgressDisplay.style(isHidden: !showsProgress))
    let (model, _) = try display.during {
      try Model(
        weights, numbers, isFrozen: { _ in !isTrained },
        loaded: { bytes in
          progress.add(bytes)
          try check()
        })
    }
    return model
  }
}
