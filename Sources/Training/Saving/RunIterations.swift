import Checkpoints
import MegatronFormat
import Tensors

/// The checkpoints in a run folder, and what points at them.
struct RunIterations {
  let folder: String

  /// The links to the newest and to the best checkpoint, as Automodel names them.
  static let newest = "LATEST"
  static let best = "LOWEST_VAL"
  private static let trackers = ["latest_train_state.pt", "latest_checkpointed_iteration.txt"]

  func path(_ step: Int) -> String { "\(folder)/\(RunFolder.folderName(iteration: step))" }

  /// The steps of all checkpoints that are there in full, ascending.
  var steps: [Int] {
    (Folder.entries(folder) ?? []).compactMap { name -> Int? in
      guard name.hasPrefix("iter_"), let step = Int(name.dropFirst(5)),
        name == RunFolder.folderName(iteration: step), isWhole("\(folder)/\(name)")
      else { return nil }
      return step
    }.sorted()
  }

  private func isWhole(_ path: String) -> Bool {
    Folder.isFile("\(path)/metadata.json") && Folder.isFile("\(path)/.metadata")
  }

  /// Whether anything names a checkpoint to go on with, or one is there.
  var hasAny: Bool {
    Self.trackers.contains { Folder.isFile("\(folder)/\($0)") } || !steps.isEmpty
  }

  /// The step with the least validation loss among the checkpoints; of equals the earliest.
  var bestStep: Int? {
    let losses = steps.compactMap { step -> (step: Int, loss: Double)? in
      guard let loss = (try? RunState.read(path(step)))??.loss, loss.isFinite else { return nil }
      return (step, loss)
    }
    return losses.min { ($0.loss, $0.step) < ($1.loss, $1.step) }?.step
  }

  /// Removes what killed runs left half written.
  func removeStale() {
    StagedFolder.removeStale(in: folder) { $0.hasPrefix("iter_") }
    for entry in Folder.entries(folder) ?? [] {
      let isDraft = (Self.trackers + [Self.newest, Self.best]).contains {
        entry.hasPrefix("\($0).partial-")
      }
      // What cannot be removed now is tried again the next time.
      if isDraft { try? Folder.removeFile("\(folder)/\(entry)") }
    }
  }

  /// Points at a checkpoint that is there in full.
  ///
  /// - Returns: a note where the file system has no links.
  /// - Throws: `FileError`.
  func point(at step: Int, _ state: TrainState) throws -> String? {
    let bytes = try state.encoded()
    try OutputFile.replace("\(folder)/\(Self.trackers[0])") { file throws(FileError) in
      try file.write(bytes, at: 0)
    }
    try OutputFile.replace("\(folder)/\(Self.trackers[1])") { file throws(FileError) in
      try file.write(RunFolder.trackerBytes(iteration: step), at: 0)
    }
    do throws(FileError) {
      try Folder.link(RunFolder.folderName(iteration: step), as: "\(folder)/\(Self.newest)")
      if let best = bestStep {
        try Folder.link(RunFolder.folderName(iteration: best), as: "\(folder)/\(Self.best)")
      }
      return nil
    } catch {
      // The trackers say the same; links are for people.
      return "No links \(Self.newest) and \(Self.best) beside the checkpoints: \(error)"
    }
  }

  /// Removes all checkpoints but the newest ones and the best.
  ///
  /// - Parameter current: the one just written, which stays whatever its number; later ones belong to a past that
  ///   the run has left, and are overwritten when it comes there.
  /// - Throws: `FileError`.
  func retain(_ count: Int, current: Int) throws(FileError) {
    let known = steps.filter { $0 <= current }
    let best = bestStep
    for step in known.dropLast(max(1, count)) where step != best && step != current {
      try StagedFolder.remove(path(step))
    }
  }
}
