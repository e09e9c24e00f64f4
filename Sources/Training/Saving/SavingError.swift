import Tensors

/// Why a run cannot be saved or gone on with, as facts with their place.
public enum SavingError: Error, Sendable {
  case notYet
  /// Pairs of an adapter have different factors: two of them.
  case unequalScales(String, Double, String, Double)
  /// A matrix has several adapters, one on the other.
  case stackedAdapters(String)
  /// A checkpoint is not what it says: where one goes on from instead.
  case damaged(folder: String, reason: String, before: String?)
  case holdsAdapters(folder: String)
  /// The run trains adapters, and the checkpoint holds weights; or the other way round.
  case otherKind(folder: String, holdsAdapters: Bool)
  /// It has no tensor for something that is trained.
  case missing(folder: String, what: String)
  case noOptimiser(folder: String, layout: String?)
  case noCheckpoint(path: String)
  /// Another run writes there.
  case inUse(folder: String)
  case malformed(file: String, reason: String)
}

extension SavingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notYet: "This is not there yet."
    case .unequalScales(let one, let scale, let other, let otherScale):
      "The adapters of \(one) and \(other) have different factors (\(scale) and \(otherScale)), and a checkpoint "
        + "holds one rank and one alpha for all. Merge the adapter that the run begins with into the model with "
        + "merge-lora, and begin with the result."
    case .stackedAdapters(let name):
      "\(name) has more than one adapter on the same rows, which no checkpoint holds. Merge the first one into the "
        + "model with merge-lora, and begin with the result."
    case .damaged(let folder, let reason, let before):
      "\(folder) is damaged: \(reason) "
        + (before.map {
          "The checkpoint before it is \($0): go on from there with checkpoint.load=\($0)."
        }
          ?? "There is no other checkpoint beside it; copy it again if it was copied.")
    case .holdsAdapters(let folder):
      "\(folder) holds adapters and no weights. Name the model that they were trained on."
    case .otherKind(let folder, let holdsAdapters):
      holdsAdapters
        ? "\(folder) holds adapters, and this run trains all weights. Merge them into the model with merge-lora "
          + "and begin with the result, or train adapters."
        : "\(folder) holds all weights, and this run trains adapters. Begin with it as the model "
          + "(checkpoint.pretrained_checkpoint=\(folder)), or train all weights."
    case .missing(let folder, let what):
      "\(folder) has nothing for \(what). The checkpoint is of another model or of other adapters; use the settings "
        + "that it was made with, which its run_config.yaml says."
    case .noOptimiser(let folder, let layout):
      "\(folder) holds "
        + (layout.map { "the optimiser's state in the layout \($0), which is not read here" }
          ?? "no state of the optimiser")
        + ". Set checkpoint.load_optim=false to take the weights and begin with a fresh optimiser."
    case .noCheckpoint(let path):
      "\(path) holds no checkpoint to go on with. Give a run folder or a folder iter_… in it, or leave "
        + "checkpoint.load out to begin anew."
    case .inUse(let folder):
      "\(folder) is the folder of a run that is under way. Wait for its end, or save somewhere else "
        + "(checkpoint.save)."
    case .malformed(let file, let reason): "\(file): \(reason)"
    }
  }
}
